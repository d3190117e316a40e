"""The shapes of what is answered about secrets, connections and n8n."""

from __future__ import annotations

from rest_framework import serializers

from automate.lib.rest.described import Answer
from workflows.api.answers import Issue
from workflows.models import Breaker, Workflow
from workflows.models import Connection as ConnectionRow


class Secret(Answer):
    """A secret, without its value."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    written = serializers.CharField(help_text="How steps write it.")
    team = serializers.CharField(allow_null=True, help_text="A slug; null: every team.")
    allowed_hosts = serializers.ListField(
        child=serializers.CharField(), help_text="Where it may be sent."
    )
    created_at = serializers.DateTimeField()
    rotated_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class ConnectionBreaker(Answer):
    """Whether steps may call: `closed`, they go through; `open`, they wait."""

    state = serializers.ChoiceField(Breaker.State.values)
    opened_at = serializers.DateTimeField(allow_null=True)
    probe_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next step is let through."
    )


class Connection(Answer):
    """How to reach another system, without the credentials."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(ConnectionRow.Kind.values)
    team = serializers.CharField(allow_null=True, help_text="A slug; null: every team.")
    base_url = serializers.CharField(allow_null=True)
    allowed_hosts = serializers.ListField(child=serializers.CharField())
    options = serializers.DictField()
    rate_limit = serializers.CharField(allow_null=True, help_text="`10/s`.")
    proxy = serializers.CharField(allow_null=True)
    authorities = serializers.CharField(allow_null=True, help_text="PEM.")
    status = serializers.ChoiceField(ConnectionRow.Status.values)
    status_reason = serializers.CharField(allow_null=True)
    breaker = ConnectionBreaker()
    last_check = serializers.CharField(allow_null=True)
    last_checked_at = serializers.DateTimeField(allow_null=True)
    last_synced_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    warnings = Issue(
        many=True, help_text="Addresses of it that requests may not go to, and why."
    )


class ConnectionTested(Answer):
    """What the other system said."""

    ok = serializers.BooleanField()
    message = serializers.CharField(help_text="Redacted.")
    connection = Connection()


class N8nError(Answer):
    """A workflow that was not converted; null: it is about the whole n8n."""

    workflow_id = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    message = serializers.CharField()


class N8nNode(Answer):
    """What became of a node."""

    node = serializers.CharField()
    type = serializers.CharField()
    fidelity = serializers.ChoiceField(["exact", "approximate", "unsupported"])
    became = serializers.CharField()
    step = serializers.CharField(allow_null=True)
    differs = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    credentials = serializers.ListField(child=serializers.CharField())


class N8nReport(Answer):
    """What became of a workflow."""

    counts = serializers.DictField(child=serializers.IntegerField())
    nodes = N8nNode(many=True)
    credentials = serializers.ListField(child=serializers.CharField())
    warnings = serializers.ListField(child=serializers.CharField())
    sticky_notes = serializers.IntegerField()


class N8nWorkflow(Answer):
    """A workflow that was read."""

    workflow_id = serializers.CharField(help_text="In n8n.")
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(Workflow.Status.values)
    outcome = serializers.ChoiceField(["created", "updated", "unchanged", "kept"])
    report = N8nReport()
    messages = serializers.ListField(child=serializers.CharField())
    problems = serializers.ListField(child=serializers.CharField())


class Synced(Answer):
    """What was read of an n8n."""

    synced_count = serializers.IntegerField()
    # DRF's metaclass takes the field out; the serializer's own `errors` stays.
    errors = N8nError(many=True)  # type: ignore[assignment]
    workflows = N8nWorkflow(many=True)
