"""The shapes of what is answered about runs."""

from __future__ import annotations

from rest_framework import serializers

from automate.lib.rest.described import Answer
from automate.lib.rest.fields import AnyField
from runs.models import RunLog
from runs.states import WAITING, AttemptOutcome, RunStatus, StepStatus

RUN_STATUSES = [*map(str, RunStatus), WAITING]


class StepError(Answer):
    """What went wrong in a step."""

    message = serializers.CharField(help_text="For people.")

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `class`, which Python keeps for itself."""
        kind = serializers.CharField(help_text="For programs: `http_503`.")
        return {"class": kind, **super().get_fields()}


class RunError(StepError):
    """What a run failed of."""

    fingerprint = serializers.CharField(help_text="The same for like failures.")


class RunLinks(Answer):
    """Where to read on and what can be done."""

    self = serializers.URLField()
    steps = serializers.URLField()
    attempts = serializers.URLField()
    logs = serializers.URLField()
    redrive = serializers.URLField(required=False, help_text="Of a run that has ended.")
    cancel = serializers.URLField(required=False, help_text="Of one that has not.")
    events = serializers.URLField()


class ShortRun(Answer):
    """A run as lists show it."""

    id = serializers.UUIDField()
    execution_id = serializers.UUIDField(help_text="Another name for `id`.")
    workflow_id = serializers.UUIDField()
    workflow = serializers.CharField(help_text="Its slug.")
    version = serializers.IntegerField()
    trigger_id = serializers.UUIDField(allow_null=True)
    event_id = serializers.CharField(allow_null=True)
    replay_of = serializers.UUIDField(
        allow_null=True, help_text="The run that it redrives."
    )
    parent_id = serializers.UUIDField(
        allow_null=True, help_text="The run whose step started it."
    )
    item_index = serializers.IntegerField(
        allow_null=True, help_text="Its place in that step's loop, from 0."
    )
    caused_by = serializers.UUIDField(
        allow_null=True, help_text="The run whose end started it."
    )
    stopped_by = serializers.ListField(
        child=serializers.CharField(), help_text="The steps that ended it early."
    )
    status = serializers.ChoiceField(RUN_STATUSES)
    error_message = serializers.CharField(allow_null=True)
    error = RunError(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    links = RunLinks()


class NewRun(ShortRun):
    """A run that was started just now."""

    run_id = serializers.UUIDField(help_text="Another name for `id`.")


class Run(ShortRun):
    """A run with its data: exact with `payloads:read`, else redacted."""

    payload = AnyField(help_text="What came in.")
    input_data = AnyField(help_text="Another name for `payload`.")
    variables = AnyField()
    output = AnyField(help_text="What the workflow gave.")
    result = AnyField(help_text="Another name for `output`.")
    output_data = AnyField(help_text="Another name for `output`.")
    results = serializers.DictField(help_text="The output of each step, by its id.")


class Step(Answer):
    """A step of a run."""

    id = serializers.CharField()
    type = serializers.CharField()
    status = serializers.ChoiceField([*map(str, StepStatus)])
    attempt = serializers.IntegerField()
    port = serializers.CharField(allow_null=True)
    input = AnyField(help_text="Redacted.")
    output = AnyField()
    error_message = serializers.CharField(allow_null=True)
    error = StepError(allow_null=True)
    idempotency_key = serializers.CharField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    waiting_for = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class SentRequest(Answer):
    """What was sent, redacted and capped."""

    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField()
    body = serializers.CharField()
    truncated = serializers.BooleanField()


class GotResponse(Answer):
    """What was answered, redacted and capped."""

    status = serializers.IntegerField()
    headers = serializers.DictField()
    body = serializers.CharField()
    truncated = serializers.BooleanField()


class AttemptError(Answer):
    """Why nothing was answered."""

    kind = serializers.CharField()
    message = serializers.CharField()


class Attempt(Answer):
    """One request that a step sent, or tried to."""

    id = serializers.IntegerField()
    step = serializers.CharField()
    number = serializers.IntegerField()
    verify = serializers.CharField(allow_null=True)
    outcome = serializers.ChoiceField(
        [*map(str, AttemptOutcome)], help_text="What is known of the effect."
    )
    request = SentRequest()
    response = GotResponse(allow_null=True)
    error = AttemptError(allow_null=True)
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField(allow_null=True)
    next_due_at = serializers.DateTimeField(allow_null=True)


class LogLine(Answer):
    """One line of a run's log."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    level = serializers.ChoiceField(RunLog.Level.values)
    step = serializers.CharField(allow_null=True)
    message = serializers.CharField()
    metadata = AnyField()


class RunInFull(Run):
    """A run with all that happened, oldest first, at most 1,000 of each."""

    steps = Step(many=True)
    attempts = Attempt(many=True)
    logs = LogLine(many=True)


class Finding(Answer):
    """One decision."""

    by = serializers.CharField(help_text="What decided.")
    why = serializers.CharField()
    saw = serializers.DictField(help_text="The values that it saw.")
    stopped = serializers.BooleanField(help_text="This is why no more happened.")
    runs = serializers.ListField(child=serializers.UUIDField())


class Part(Answer):
    """Decisions in the order in which they were made."""

    title = serializers.CharField()
    findings = Finding(many=True)


class Explanation(Answer):
    """Why a run is there, and where it stands; redacted."""

    about = serializers.ChoiceField(["run", "event"])
    id = serializers.CharField()
    subject = serializers.CharField()
    answer = serializers.CharField(help_text="In a sentence.")
    parts = Part(many=True)
