"""The shapes of what is answered about starts, waits, trials and campaigns."""

from __future__ import annotations

from rest_framework import serializers

from automate.lib.rest.described import Answer
from automate.lib.rest.fields import AnyField
from runs.api.answers import RUN_STATUSES, RunError, StepError
from runs.models import Campaign as CampaignRow
from runs.models import WaitToken
from runs.states import RunStatus
from workflows.api.answers import Issue

STATUSES = [*map(str, RunStatus)]
FROM = "Where the redrives begin: `start`, `failed`, or a step."


class Executed(Answer):
    """The run that was started, and what it gave where somebody waited for it."""

    execution_id = serializers.UUIDField(help_text="Another name for `run_id`.")
    run_id = serializers.UUIDField()
    status = serializers.ChoiceField(RUN_STATUSES)
    result = AnyField(help_text="The workflow's output, or a `respond` step's body.")
    error = RunError(allow_null=True)


class Triggered(Answer):
    """The run that was started."""

    run_id = serializers.UUIDField()
    execution_id = serializers.UUIDField(help_text="Another name for `run_id`.")
    status = serializers.ChoiceField(["triggered"])


class Submitted(Triggered):
    """The run that was started, and the workflow that was stored."""

    workflow_id = serializers.UUIDField()
    slug = serializers.CharField()
    version = serializers.IntegerField()
    secrets = serializers.DictField(
        child=serializers.CharField(),
        help_text="Signing secrets that were made here, by trigger, this once.",
    )
    warnings = Issue(many=True)
    messages = Issue(many=True)


class RunWait(Answer):
    """What a step of a run asks."""

    id = serializers.IntegerField()
    run_id = serializers.UUIDField()
    step = serializers.CharField()
    kind = serializers.ChoiceField(WaitToken.Kind.values)
    asked_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(help_text="Redacted, as all of this.")
    details = AnyField()
    approvers = serializers.ListField(
        child=serializers.CharField(), help_text="[]: whoever may answer steps."
    )


class Wait(Answer):
    """A step that waits for an answer."""

    id = serializers.IntegerField()
    run_id = serializers.UUIDField()
    step = serializers.CharField()
    kind = serializers.ChoiceField(WaitToken.Kind.values)
    asked_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    workflow = serializers.CharField(help_text="Its slug.")


class TrialResponse(Answer):
    """What was answered to a step that was tried in earnest."""

    status = serializers.IntegerField()
    headers = serializers.DictField()
    body = serializers.CharField()


class Trial(Answer):
    """What a step makes of the data; redacted."""

    status = serializers.ChoiceField(
        ["rendered", "succeeded", "failed", "retry", "waiting"]
    )
    input = AnyField(help_text="The rendered config.")
    request = AnyField(help_text="What it would send; null: nothing.")
    output = AnyField()
    port = serializers.CharField(allow_null=True)
    error = StepError(allow_null=True)
    response = TrialResponse(allow_null=True)
    logs = serializers.ListField(child=serializers.CharField())


class Counted(Answer):
    """How many runs a filter means."""

    count = serializers.IntegerField()


class ShortCampaign(Answer):
    """Many runs that are redriven at a rate, as lists show it."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(CampaignRow.Status.values)
    reason = serializers.CharField(allow_null=True, help_text="Why it stopped.")
    filter = serializers.DictField()
    version = serializers.ChoiceField(["pinned", "latest"])
    rate = serializers.FloatField(help_text="Redrives a second.")
    check_after = serializers.IntegerField()
    max_failed = serializers.FloatField(help_text="A share: 0.2.")
    total = serializers.IntegerField()
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `from`, which Python keeps for itself."""
        return {"from": serializers.CharField(help_text=FROM), **super().get_fields()}


class Campaign(ShortCampaign):
    """A campaign and how far it is."""

    redriven = serializers.IntegerField()
    refused = serializers.IntegerField()
    ended = serializers.IntegerField()
    failed = serializers.IntegerField()
    left = serializers.IntegerField()


class CampaignRun(Answer):
    """A run that a campaign means, and what became of it."""

    run_id = serializers.UUIDField()
    redriven_as = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(STATUSES, allow_null=True)
    refused = serializers.CharField(allow_null=True, help_text="Why it was not.")
