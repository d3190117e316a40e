"""The list of events that did not become runs."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from automate.accounts.models import Team
from tests.admin_world import boss, flow, operator, signed_in
from tests.makers import make_run
from webhooks.explain import explain_event
from webhooks.models import InboundEvent
from workflows.models import Secret, Workflow

pytestmark = pytest.mark.django_db
LIST = "admin:webhooks_inboundevent_changelist"


def event(workflow: Workflow | None = None, **fields: Any) -> InboundEvent:
    trigger = workflow.triggers.get() if workflow else None
    fields = {"reason": "duplicate", "status": 200, **fields}
    return InboundEvent.objects.create(trigger=trigger, **fields)


def listed(user: Any = None, **filters: Any) -> set[InboundEvent]:
    response = signed_in(user or boss()).get(reverse(LIST), filters)
    return set(response.context["cl"].result_list)


def test_a_duplicate_leads_to_its_trigger_workflow_and_first_run() -> None:
    workflow = flow()
    run = make_run(workflow)
    found = event(workflow, event_id="evt-1", first_run_id=run.pk)
    text = signed_in(boss()).get(reverse(LIST)).content.decode()
    for target in (
        reverse("admin:runs_run_change", args=(run.pk,)),
        reverse("admin:workflows_workflow_change", args=(workflow.pk,)),
        reverse("admin:workflows_trigger_change", args=(found.trigger_id,)),
    ):
        assert target in text


def test_events_are_found_by_id_run_reason_and_trigger() -> None:
    workflow = flow()
    run = make_run(workflow)
    first = event(workflow, event_id="evt-1", first_run_id=run.pk)
    second = event(workflow, reason="bad_signature", status=401)
    assert listed(q="evt-1") == {first}
    assert listed(q=str(run.pk)) == {first}
    assert listed(q="nothing") == set()
    assert listed(reason__exact="bad_signature") == {second}
    trigger = str(workflow.triggers.get().pk)
    assert listed(trigger__id__exact=trigger) == {first, second}


def test_many_counted_together_go_by_no_id() -> None:
    event(flow(), reason="bad_signature", event_id="evt-1", count=1)
    many = event(flow("other"), reason="bad_signature", event_id="evt-9", count=3,
        minute=timezone.now(),
    )  # fmt: skip
    text = signed_in(boss()).get(reverse(LIST)).content.decode()
    assert "evt-1" in text
    assert "evt-9" not in text
    page = reverse("admin:webhooks_inboundevent_change", args=(many.pk,))
    assert "evt-9" not in signed_in(boss()).get(page).content.decode()


def test_the_page_has_its_own_name_and_the_answer_of_the_command() -> None:
    found = event(flow(), reason="filtered")
    page = reverse("admin:webhooks_inboundevent_change", args=(found.pk,))
    text = signed_in(boss()).get(page).content.decode()
    assert "<h1>Turned-away event</h1>" in text
    assert explain_event(found).answer in text
    assert explain_event(found).answer.startswith("It did not run: filtered.")


def test_reasons_are_written_alike() -> None:
    labels = [str(label) for label in InboundEvent.Reason.labels]
    assert labels == [label.lower() for label in labels]


def test_a_team_sees_its_own_and_strangers_are_the_superuser_s() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    ours, shared = event(flow("ours", team=team)), event(flow("shared"))
    stranger = event(reason="unknown_key", status=401)
    right = "webhooks.view_inboundevent"
    assert listed() == {ours, shared, stranger}
    assert listed(operator(right)) == {shared}
    assert listed(operator(right, team=team)) == {ours, shared}


def test_the_page_tells_what_the_condition_saw_without_secrets() -> None:
    workflow = flow()
    Secret.objects.create(name="CRM", value="canary-value")
    version = workflow.published
    assert version is not None
    config = {"url": "https://crm.example.com", "headers": {"X": "{{ secrets.CRM }}"}}
    node = {"id": "a", "type": "http_request", "config": config}
    type(version).objects.filter(pk=version.pk).update(definition={"nodes": [node]})
    seen = {"trigger.payload.total": 40, "trigger.payload.note": "a canary-value"}
    found = event(workflow, reason="filtered", gate="condition", facts={"values": seen})
    page = reverse("admin:webhooks_inboundevent_change", args=(found.pk,))
    text = signed_in(boss()).get(page).content.decode()
    assert "trigger.payload.total" in text
    assert "[redacted]" in text
    assert "canary-value" not in text


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_nobody_writes_events(page: str) -> None:
    args = () if page == "add" else (event(flow()).pk,)
    address = reverse(f"admin:webhooks_inboundevent_{page}", args=args)
    assert signed_in(boss()).post(address, {"post": "yes"}).status_code == 403
    assert InboundEvent.objects.count() == len(args)
