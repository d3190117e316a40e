"""The shapes of what is answered about webhooks."""

from __future__ import annotations

from rest_framework import serializers

from automate.lib.rest.described import Answer
from automate.lib.rest.fields import AnyField
from workflows.api.answers import Issue


class WebhookProof(Answer):
    """How senders prove who they are: the scheme, its options beside these fields."""

    more = True

    type = serializers.CharField()
    has_secret = serializers.BooleanField()
    secret_set_at = serializers.DateTimeField(allow_null=True)
    secret_used_at = serializers.DateTimeField(allow_null=True)
    previous_secret_expires_at = serializers.DateTimeField(allow_null=True)
    previous_secret_used_at = serializers.DateTimeField(allow_null=True)


class WebhookLinks(Answer):
    """Where to go on."""

    self = serializers.URLField()
    rotate = serializers.URLField()
    test = serializers.URLField()


class Webhook(Answer):
    """An address that takes events, without its secrets."""

    id = serializers.UUIDField()
    workflow_id = serializers.UUIDField()
    workflow = serializers.CharField(help_text="Its slug.")
    event_type = serializers.CharField(
        allow_null=True, help_text="The event that it takes, where it is one."
    )
    events = serializers.ListField(child=serializers.CharField(), help_text="[]: all.")
    url = serializers.CharField()
    url_path = serializers.CharField(allow_null=True)
    method = serializers.CharField()
    methods = serializers.ListField(child=serializers.CharField())
    headers = serializers.ListField(
        child=serializers.CharField(), help_text="Names of those that must be there."
    )
    condition = AnyField(help_text="What an event must fulfil; null: nothing.")
    authentication = WebhookProof()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    links = WebhookLinks()


class NewWebhook(Webhook):
    """A webhook that was made just now."""

    secret = serializers.CharField(
        allow_null=True, help_text="The one that was made here, shown this once."
    )
    warnings = Issue(many=True)


class RotatedWebhook(Webhook):
    """A webhook with another secret."""

    secret = serializers.CharField(
        allow_null=True, help_text="The one that was made here, shown this once."
    )


class SentEvent(Answer):
    """The request that was made."""

    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()


class Tried(Answer):
    """What the sender of a test event would be told."""

    status = serializers.IntegerField()
    answer = AnyField(help_text="The body of the answer.")
    run_id = serializers.UUIDField(allow_null=True)
    sent = SentEvent()
