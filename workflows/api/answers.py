"""The shapes of what is answered about workflows, versions and triggers."""

from __future__ import annotations

from rest_framework import serializers

from automate.lib.rest.described import Answer
from automate.lib.rest.fields import AnyField
from workflows.definition.diff import ChangeKind
from workflows.models import Workflow as Row


class Issue(Answer):
    """Something about a place of a document."""

    field = serializers.CharField(help_text="The place: `nodes[0].config.url`.")
    issue = serializers.CharField()


class Trigger(Answer):
    """What starts a workflow."""

    id = serializers.UUIDField(allow_null=True, help_text="null: only in the draft.")
    kind = serializers.CharField(help_text="`webhook`, `schedule` and so on.")
    node_id = serializers.CharField(allow_null=True)
    config = serializers.DictField()
    start = serializers.ListField(
        child=serializers.CharField(), help_text="The steps that it starts; []: all."
    )
    is_active = serializers.BooleanField()
    url = serializers.CharField(allow_null=True, help_text="Where its events go.")
    next_fire_at = serializers.DateTimeField(allow_null=True)
    secret = serializers.CharField(
        required=False, help_text="Only when it was made just now."
    )


class WorkflowLinks(Answer):
    """Where to go on."""

    self = serializers.URLField()
    versions = serializers.URLField()
    publish = serializers.URLField()
    execute = serializers.URLField()
    logs = serializers.URLField()


class Workflow(Answer):
    """What should happen when an event arrives."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(Row.Status.values)
    is_active = serializers.BooleanField()
    definition = serializers.DictField(help_text="The draft, in its canonical form.")
    variables = serializers.DictField()
    triggers = Trigger(many=True)
    webhook_url = serializers.CharField(allow_null=True)
    owner = serializers.CharField(allow_null=True, help_text="An e-mail address.")
    team = serializers.CharField(allow_null=True, help_text="A slug; null: everybody.")
    version = serializers.IntegerField(
        allow_null=True, help_text="The one that runs; null: none was published."
    )
    tags = serializers.ListField(child=serializers.CharField())
    max_concurrent_runs = serializers.IntegerField(allow_null=True)
    exclusive = serializers.CharField(allow_null=True)
    priority = serializers.ChoiceField([one.name.lower() for one in Row.Priority])
    run_timeout = serializers.IntegerField(help_text="Seconds.")
    retention_days = serializers.IntegerField(allow_null=True)
    search_keys = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    links = WorkflowLinks()


class PublishedWorkflow(Workflow):
    """A workflow whose draft was published, and what its author should know."""

    warnings = Issue(many=True, help_text="Worth a look.")
    messages = Issue(many=True, help_text="What was done of itself.")


class SavedWorkflow(PublishedWorkflow):
    """A workflow that was saved."""

    problems = Issue(many=True, help_text="What stands in the way of publishing.")


class Verdict(Answer):
    """What is wrong with a document."""

    valid = serializers.BooleanField()
    # DRF's metaclass takes the field out; the serializer's own `errors` stays.
    errors = Issue(many=True)  # type: ignore[assignment]
    warnings = Issue(many=True)


class Version(Answer):
    """An immutable published definition, as lists show it."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    note = serializers.CharField()
    sha256 = serializers.CharField()
    is_published = serializers.BooleanField(help_text="Whether it is what runs.")
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class FullVersion(Version):
    """A version with its definition."""

    definition = serializers.DictField()
    triggers = serializers.ListField(child=serializers.DictField())


class Change(Answer):
    """One difference; its values are redacted by name."""

    kind = serializers.ChoiceField([str(kind) for kind in ChangeKind])
    step = serializers.CharField(allow_null=True)
    loop = serializers.CharField(allow_null=True)
    place = serializers.CharField(allow_null=True)
    old = AnyField(required=False, help_text="Left out where nothing was there.")
    new = AnyField(required=False, help_text="Left out where nothing is there.")
    text = serializers.CharField(help_text="The same for people.")


class Diff(Answer):
    """What changed from one version to another, or to the draft."""

    to = AnyField(json_schema={"type": ["integer", "string"]}, help_text="`draft` too.")
    changes = Change(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `from`, which Python keeps for itself."""
        start = serializers.IntegerField(help_text="0: before the first version.")
        return {"from": start, **super().get_fields()}
