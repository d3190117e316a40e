"""Approving, rejecting and resuming from the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from automate.accounts.models import AuditEntry, Team, User
from runs.addresses import address_of
from runs.models import Run, StepRun, WaitToken
from tests.admin_world import asking_run, boss, flow, operator, signed_in
from tests.makers import make_step

pytestmark = pytest.mark.django_db
VIEWER = ("runs.view_run", "runs.view_waittoken")
APPROVER = (*VIEWER, "runs.answer_waittoken")


def page(run: Run) -> str:
    return reverse("admin:runs_run_change", args=(run.pk,))


def read(user: User, run: Run) -> str:
    text = str(signed_in(user).get(page(run)).content.decode())
    return text.replace("<wbr>", "")


def answer(user: User, run: Run, node: str = "ask", **form: Any) -> Any:
    address = reverse("admin:runs_run_answer", args=(run.pk, node))
    return signed_in(user).post(address, form, follow=True)


def texts(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def step(run: Run, node: str = "ask") -> StepRun:
    return StepRun.objects.get(run=run, node_id=node)


def hooked_run() -> Run:
    """A run that waits for a webhook."""
    run = asking_run(flow("hooked"))
    StepRun.objects.filter(run=run).update(node_id="hook", kind="wait_for_webhook")
    WaitToken.objects.filter(run=run).update(
        node_id="hook", kind="webhook", details=None
    )
    return run


@pytest.mark.parametrize(
    ("decision", "said", "action"),
    [
        ("approved", "Approved.", "run.approve"),
        ("rejected", "Rejected.", "run.reject"),
    ],
)
def test_an_operator_decides_on_the_run_s_page(
    decision: str, said: str, action: str
) -> None:
    run, user = asking_run(flow()), operator(*APPROVER)
    shown = read(user, run)
    assert "Ship it?" in shown
    assert f'name="decision" value="{decision}"' in shown

    response = answer(user, run, decision=decision, comment="So be it")

    assert response.redirect_chain == [(page(run), 302)]
    assert said in texts(response)
    assert step(run).port == decision
    assert step(run).output["by"] == user.email
    entry = AuditEntry.objects.get(action=action)
    assert (entry.user, entry.changes["comment"]) == (user, "So be it")
    assert 'name="decision"' not in read(user, run)


def doubted_run() -> Run:
    """A run that waits for somebody to say what became of its request."""
    run = asking_run(flow("doubted"))
    StepRun.objects.filter(run=run).update(
        node_id="pay", kind="http_request", error_message="It is not known whether"
    )
    details = {"message": "POST https://pay was sent and not answered.", "details": ""}
    WaitToken.objects.filter(run=run).update(
        node_id="pay", kind="unknown", details=details
    )
    return run


@pytest.mark.parametrize(
    ("decision", "said", "status", "action"),
    [
        ("happened", "The step is done.", "succeeded", "run.say_happened"),
        ("again", "The request is sent again.", "waiting", "run.say_not_happened"),
        ("fail", "The step has failed.", "failed", "run.give_up"),
    ],
)
def test_an_operator_says_what_became_of_a_request(
    decision: str, said: str, status: str, action: str
) -> None:
    run, user = doubted_run(), operator(*APPROVER)
    shown = read(user, run)
    assert "POST https://pay was sent and not answered." in shown
    assert "for somebody to say what became of its request" in shown
    assert f'value="{decision}"' in shown
    assert "Address at which" not in shown
    listed = signed_in(user).get(reverse("admin:runs_waittoken_changelist"))
    assert "was sent and not answered" in listed.content.decode()

    response = answer(user, run, "pay", decision=decision, comment="I looked")

    assert said in texts(response)
    assert step(run, "pay").status == status
    assert AuditEntry.objects.get(action=action).changes["comment"] == "I looked"


def test_only_those_who_may_answer_say_so() -> None:
    run, user = doubted_run(), operator(*VIEWER)

    assert 'name="decision"' not in read(user, run)
    assert answer(user, run, "pay", decision="happened").status_code == 403
    assert step(run, "pay").status == "waiting"


def test_an_operator_resumes_with_data() -> None:
    run, user = hooked_run(), operator(*APPROVER)
    assert "Resume with these data" in read(user, run)
    response = answer(user, run, "hook", decision="received", data=' {"n": 1} ')
    assert "Resumed." in texts(response)
    assert step(run, "hook").output["payload"] == {"n": 1}
    assert AuditEntry.objects.filter(action="run.resume", user=user).exists()


def test_no_data_are_data_too() -> None:
    run = hooked_run()
    answer(boss(), run, "hook", decision="received", data="")
    assert step(run, "hook").output["payload"] is None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"decision": "received", "data": "{nope"}, "The data are not JSON"),
        ({"decision": "maybe"}, "Choose one of the answers."),
        ({}, "Choose one of the answers."),
    ],
)
def test_what_cannot_be_read_is_told_and_the_step_waits_on(
    form: dict[str, str], said: str
) -> None:
    run = hooked_run()
    assert said in texts(answer(boss(), run, "hook", **form))
    assert step(run, "hook").status == "waiting"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", ["approved", "received"])
def test_a_second_answer_is_told_of_the_first(form: str) -> None:
    run = asking_run(flow())
    answer(boss(), run, decision="rejected")
    assert "This was rejected at" in texts(answer(boss(), run, decision=form))
    assert step(run).port == "rejected"


@pytest.mark.django_db(transaction=True)
def test_a_decision_is_no_data_and_data_are_no_decision() -> None:
    run = asking_run(flow())
    answer(boss(), run, decision="received", data="1")
    assert step(run).status == "waiting"
    hooked = hooked_run()
    answer(boss(), hooked, "hook", decision="approved")
    assert step(hooked, "hook").status == "waiting"


def test_a_viewer_reads_the_question_and_nothing_to_answer_with() -> None:
    run, viewer = asking_run(flow()), operator(*VIEWER)
    shown = read(viewer, run)
    assert "Ship it?" in shown
    assert 'name="decision"' not in shown
    assert address_of(run.pk, "ask") not in shown
    assert answer(viewer, run, decision="approved").status_code == 403
    assert step(run).status == "waiting"


def test_what_waits_is_told_at_the_top_of_the_page_with_the_way_to_it() -> None:
    run = asking_run(flow())
    assert '<a href="#step-ask">Decide</a>' in read(operator(*APPROVER), run)
    assert 'id="step-ask"' in read(operator(*APPROVER), run)
    viewer = read(operator(*VIEWER), run)
    assert "Your role does not permit you to take it." in viewer
    assert ">Decide</a>" not in viewer
    named = asking_run(flow("more"), approvers=["lead@example.com"])
    assert "It may be taken by lead@example.com." in read(operator(*APPROVER), named)
    assert "waits for a decision" not in read(boss(), hooked_run())


def test_a_question_in_the_list_leads_to_where_it_is_answered() -> None:
    run = asking_run(flow())
    page_of_list = reverse("admin:runs_waittoken_changelist")
    listed = signed_in(operator(*APPROVER)).get(page_of_list).content.decode()
    assert f'<a href="{page(run)}#step-ask">Ship it?</a>' in listed


def test_the_address_is_for_those_who_may_answer() -> None:
    run = asking_run(flow())
    assert address_of(run.pk, "ask") in read(operator(*APPROVER), run)


@pytest.mark.django_db(transaction=True)
def test_only_named_approvers_may_answer_or_see_the_address() -> None:
    run = asking_run(flow(), approvers=["lead@example.com"])
    other = operator(*APPROVER)
    shown = read(other, run)
    assert "lead@example.com" in shown
    assert 'name="decision"' not in shown
    assert address_of(run.pk, "ask") not in shown
    assert "Only the approvers" in texts(answer(other, run, decision="approved"))
    assert step(run).status == "waiting"


def test_answers_come_by_post_alone() -> None:
    run = asking_run(flow())
    address = reverse("admin:runs_run_answer", args=(run.pk, "ask"))
    assert signed_in(boss()).get(address).status_code == 405
    assert step(run).status == "waiting"


def test_another_team_s_wait_is_not_there() -> None:
    team = Team.objects.create(name="Sales", slug="sales")
    run = asking_run(flow(team=team))
    stranger = operator(*APPROVER)
    assert answer(stranger, run, decision="approved").status_code == 404
    listed = signed_in(stranger).get(reverse("admin:runs_waittoken_changelist"))
    assert not listed.context["cl"].result_list


def test_many_waits_take_one_query_more(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    run = asking_run(flow())
    row, token = step(run), WaitToken.objects.get(run=run)
    for number in range(20):
        name = f"ask-{number}"
        make_step(
            run, name, kind="approval", status="waiting", waiting_for="signal",
            due_at=row.due_at,
        )  # fmt: skip
        WaitToken.objects.create(
            run=run, node_id=name, kind="approval", expires_at=token.expires_at,
            details={"message": name},
        )  # fmt: skip
    client = signed_in(boss())
    with django_assert_max_num_queries(10):
        shown = client.get(page(run)).content.decode()
    assert shown.count(">Approve</button>") == 21


class TestList:
    def found(self, user: User | None = None, **filters: str) -> list[WaitToken]:
        address = reverse("admin:runs_waittoken_changelist")
        response = signed_in(user or boss()).get(address, filters)
        assert response.status_code == 200
        return list(response.context["cl"].result_list)

    def test_open_approvals_come_oldest_first(self) -> None:
        runs = [asking_run(flow(f"flow-{n}")) for n in range(3)]
        hooked_run()
        assert [row.run_id for row in self.found()] == [run.pk for run in runs]

    def test_what_is_over_is_not_open(self) -> None:
        workflow = flow()
        answered, ended, late, still = (asking_run(workflow) for _ in range(4))
        answer(boss(), answered, decision="approved")
        StepRun.objects.filter(run=ended).update(
            status="cancelled", waiting_for="", due_at=None
        )
        WaitToken.objects.filter(run=late).update(expires_at="2020-01-01T00:00Z")
        assert [row.run_id for row in self.found()] == [still.pk]

    def test_the_others_are_a_filter_away(self) -> None:
        hooked, asked = hooked_run(), asking_run(flow("other"))
        answer(boss(), asked, decision="approved")
        assert [row.run_id for row in self.found(waiting="webhooks")] == [hooked.pk]
        assert [row.run_id for row in self.found(waiting="answered")] == [asked.pk]

    def test_its_page_tells_how_it_was_answered(self) -> None:
        run, user = asking_run(flow(), details={"order": 7}), boss()
        answer(user, run, decision="rejected", comment="Too dear")
        token = WaitToken.objects.get(run=run)
        address = reverse("admin:runs_waittoken_change", args=(token.pk,))
        shown = signed_in(user).get(address).content.decode()
        for piece in ("Ship it?", "order", "Rejected", "Too dear", user.email):
            assert piece in shown, piece

    def test_what_cannot_be_read_says_so(self, settings: Any) -> None:
        run = asking_run(flow())
        settings.FIELD_ENCRYPTION_KEYS = ["another"]
        assert "unreadable" in str(
            signed_in(boss())
            .get(reverse("admin:runs_waittoken_changelist"))
            .content.decode()
        )
        assert run.pk
