"""The shapes of what is answered about people, keys and tokens."""

from __future__ import annotations

from rest_framework import serializers

from automate.accounts.models.api_key import Scope
from automate.lib.rest.described import Answer


class TeamName(Answer):
    """A team that somebody is in."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()


class Person(Answer):
    """Somebody with an account."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(["admin", "developer", "operator", "user"])
    teams = TeamName(many=True)
    created_at = serializers.DateTimeField()


class Key(Answer):
    """An API key, without its text."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the key begins.")
    email = serializers.CharField(help_text="For whom it acts.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.values))
    rate_limit = serializers.CharField(allow_null=True, help_text="`100/minute`.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="To the minute."
    )
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewKey(Key):
    """An API key that was made just now."""

    key = serializers.CharField(help_text="The key itself, shown this once.")


class TokenPair(Answer):
    """What a sign-in, or a refresh token, gives (RFC 6749, section 5.1)."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(
        help_text="Seconds that the access token is good for."
    )
    refresh_token = serializers.CharField(help_text="Good once.")
    scope = serializers.CharField(
        required=False, help_text="Where the request named one: what may be done."
    )
