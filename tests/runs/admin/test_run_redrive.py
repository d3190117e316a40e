"""Redriving one run in the admin: where it begins, on which version, and refusals."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from runs.admin.run_redrive import starts_of, versions_of
from runs.models import Run, StepRun
from runs.services import redrive
from tests.admin_world import boss, broken_run, flow, operator, signed_in
from tests.makers import make_run, make_step
from tests.runs.flows import given, publish
from workflows.models import Workflow, WorkflowVersion

pytestmark = pytest.mark.django_db


def page(run: Run, verb: str = "change") -> str:
    return reverse(f"admin:runs_run_{verb}", args=(run.pk,))


def text(run: Run, verb: str = "change", **query: str) -> str:
    response = signed_in(boss()).get(page(run, verb), query)
    assert response.status_code == 200
    return str(response.content.decode())


def two_steps(**fields: Any) -> Run:
    """A run whose first step succeeded and whose second one failed."""
    workflow = publish(given("first", x=1), given("second", x=2), given("third", x=3))
    run = make_run(workflow, **{"status": "failed", "payload": {"n": 1}, **fields})
    make_step(run, "first", kind="set", output={"x": 1})
    make_step(run, "second", kind="set", status="failed")
    make_step(run, "third", kind="set", status="skipped", attempt=0)
    return run


def renamed(run: Run, old: str, new: str) -> WorkflowVersion:
    """A new published version in which a step has another id."""
    nodes = [
        {**node, "id": new if node["id"] == old else node["id"]}
        for node in run.version.definition["nodes"]
    ]
    publish(*nodes, workflow=run.workflow)
    run.workflow.refresh_from_db()
    assert run.workflow.published is not None
    return run.workflow.published


def send(run: Run, **chosen: str) -> Any:
    given = {"start": "failed", "version": "pinned", **chosen}
    return signed_in(boss()).post(page(run, "redrive"), given)


class TestWhereItBegins:
    def test_the_start_what_failed_and_the_steps_that_began(self) -> None:
        offered = dict(starts_of(two_steps()))
        assert list(offered)[:2] == ["failed", "start"]
        (steps,) = [value for value in offered.values() if isinstance(value, list)]
        assert steps == [("first", "first (succeeded)"), ("second", "second (failed)")]

    def test_of_a_run_that_succeeded_nothing_failed(self) -> None:
        assert "failed" not in dict(starts_of(make_run(status="succeeded")))

    def test_a_cancelled_run_goes_on_where_it_was_cancelled(self) -> None:
        words = dict(starts_of(make_run(status="cancelled")))["failed"]
        assert words == "what had not succeeded when it was cancelled"

    def test_from_a_step_the_ones_before_are_taken_over(self) -> None:
        run = two_steps()
        response = send(run, start="second")
        new = Run.objects.get(replay_of=run)
        assert response["Location"] == page(new)
        done = StepRun.objects.filter(run=new, status="succeeded")
        assert [row.node_id for row in done] == ["first"]

    @pytest.mark.parametrize("name", ["start", "failed"])
    def test_a_step_may_be_called_like_a_keyword(self, name: str) -> None:
        workflow = publish(given("first", x=1), given(name, x=2))
        run = make_run(workflow, status="failed", payload={"n": 1})
        make_step(run, "first", kind="set", output={"x": 1})
        make_step(run, name, kind="set", status="failed")
        assert send(run, start=f"step:{name}").status_code == 302
        done = StepRun.objects.filter(run__replay_of=run, status="succeeded")
        assert [row.node_id for row in done] == ["first"]

    def test_a_step_that_never_began_is_not_offered(self) -> None:
        run = two_steps()
        response = send(run, start="third")
        assert "start" in response.context["form"].errors
        assert not Run.objects.filter(replay_of=run).exists()

    def test_a_link_may_choose_already(self) -> None:
        run = two_steps()
        assert 'value="second" selected' in text(run, "redrive", start="second")
        assert 'value="failed" selected' in text(run, "redrive", start="failed")


def chosen(run: Run) -> str:
    """The version that the page would redrive on."""
    before = text(run, "redrive").partition(" checked")[0]
    return before.rpartition('name="version" value="')[2].partition('"')[0]


class TestTheVersion:
    def test_the_latest_is_offered_only_when_it_is_another(self) -> None:
        run = two_steps()
        assert [key for key, _ in versions_of(run)] == ["pinned"]
        assert "It is the latest one." in text(run, "redrive")
        renamed(run, "third", "last")
        assert [key for key, _ in versions_of(run)] == ["pinned", "latest"]
        shown = text(run, "redrive")
        assert "What differs in version 2" in shown
        difference = reverse(
            "admin:workflows_workflowversion_diff", args=(run.version_id,)
        )
        assert f"{difference}?against=published" in shown
        page = signed_in(boss()).get(difference, {"against": "published"})
        assert "last" in page.content.decode()

    def test_one_that_was_published_since_is_chosen_and_no_older_one(self) -> None:
        run = two_steps()
        first = run.version
        assert chosen(run) == "pinned"
        second = renamed(run, "third", "last")
        assert chosen(run) == "latest"
        Run.objects.filter(pk=run.pk).update(version=second)
        Workflow.objects.update(published=first)
        run.refresh_from_db()
        assert [key for key, _ in versions_of(run)] == ["pinned", "latest"]
        assert chosen(run) == "pinned"

    def test_it_runs_on_the_one_that_was_chosen(self) -> None:
        run = two_steps()
        latest = renamed(run, "third", "last")
        send(run, version="latest")
        assert Run.objects.get(replay_of=run).version == latest

    @pytest.mark.django_db(transaction=True)
    def test_every_reason_of_a_refusal_is_a_line_and_the_choice_stays(self) -> None:
        run = two_steps()
        renamed(run, "first", "one")
        response = send(run, version="latest")
        shown = response.content.decode()
        assert "Not redriven." in shown
        assert "<li>Step first had finished and is not in version 2.</li>" in shown
        assert "<li>Redrive from the start.</li>" in shown
        assert 'value="latest"' in shown
        assert "checked" in shown.partition('value="latest"')[2][:100]
        assert not Run.objects.filter(replay_of=run).exists()


class TestTheAdvice:
    def test_a_failed_run_says_what_to_do_next(self) -> None:
        run = broken_run(flow(), error_fingerprint="f00d")
        make_run(run.workflow, status="failed", error_fingerprint="f00d")
        renamed(run, "notify", "tell")
        shown = text(run)
        for piece in (
            "Mend the cause, then redrive it from the failed step",
            "version 2 has been published since.",
            "Redrive on version 2</a>",
            "What differs in version 2</a>",
            "1 other run failed in the same way",
            "?error_fingerprint=f00d&amp;status=unrepaired",
            reverse("admin:runs_run_redrive_all"),
        ):
            assert piece in shown, piece

    def test_without_others_or_a_newer_version_it_is_short(self) -> None:
        shown = text(broken_run(flow(), error_fingerprint="f00d"))
        assert "published since" not in shown
        assert "in the same way" not in shown

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            ("succeeded", "It is repaired:"),
            ("dead_letter", "failed, too: go on from that one"),
            ("cancelled", "which was cancelled"),
            ("queued", "It is being redriven:"),
        ],
    )
    def test_one_that_was_redriven_sends_to_the_new_run(
        self, status: str, words: str
    ) -> None:
        run = broken_run(flow())
        new = make_run(run.workflow, replay_of=run, root_run=run, status=status)
        shown = text(run)
        assert words in shown
        verbs = shown.partition('<ul class="verbs">')[2].partition("</ul>")[0]
        first, second = verbs.split("</li>")[:2]
        assert page(new) in first
        assert "quiet-button" not in first
        assert "Redrive from the failed step" in second
        assert "quiet-button" in second

    def test_one_of_its_redrives_that_succeeded_repairs_it_whatever_came_later(
        self,
    ) -> None:
        run = broken_run(flow())
        good = make_run(run.workflow, replay_of=run, root_run=run, status="succeeded")
        make_run(run.workflow, replay_of=run, root_run=run, status="failed")
        shown = text(run)
        assert "It is repaired:" in shown
        assert f'<a class="button" href="{page(good)}">' in shown

    def test_its_own_redrives_and_what_is_repaired_are_no_other_runs(self) -> None:
        run = broken_run(flow(), error_fingerprint="f00d")

        def like(**fields: Any) -> Run:
            return make_run(
                run.workflow,
                **{"status": "failed", "error_fingerprint": "f00d"} | fields,
            )

        again = like(replay_of=run, root_run=run)
        assert "in the same way" not in text(run)
        assert "in the same way" not in text(again)
        like()
        repaired = like()
        make_run(
            run.workflow, replay_of=repaired, root_run=repaired, status="succeeded"
        )
        for one in (run, again):
            assert "1 other run failed in the same way" in text(one)

    def test_of_a_child_the_parent_is_redriven(self) -> None:
        parent = two_steps()
        child = make_run(
            parent.workflow, status="failed", parent=parent, parent_node="first"
        )
        shown = text(child)
        assert "Another run started this one." in shown
        assert f"{page(parent, 'redrive')}?start=failed" in shown

    @pytest.mark.parametrize("status", ["succeeded", "cancelled", "queued"])
    def test_one_that_did_not_fail_needs_none(self, status: str) -> None:
        assert 'class="advice"' not in text(make_run(flow(), status=status))

    def test_a_viewer_is_told_and_offered_nothing(self) -> None:
        run = broken_run(flow(), error_fingerprint="f00d")
        make_run(run.workflow, status="failed", error_fingerprint="f00d")
        viewer = signed_in(operator("runs.view_run"))
        shown = viewer.get(page(run)).content.decode()
        assert "1 other run failed in the same way." in shown
        assert reverse("admin:runs_run_redrive_all") not in shown


class TestTheList:
    def test_it_tells_as_what_a_run_was_redriven(self) -> None:
        run = broken_run(flow())
        new = redrive(run, by=None)
        shown = signed_in(boss()).get(reverse("admin:runs_run_changelist"))
        rows = {row.pk: row.redriven_as for row in shown.context["cl"].result_list}
        assert rows == {run.pk: new.pk, new.pk: None}
        text = shown.content.decode()
        assert "redriven as <a" in text
        assert "redrive of <a" in text

    @pytest.mark.parametrize(("value", "place"), [("yes", 0), ("no", 1)])
    def test_it_is_filtered_by_that(self, value: str, place: int) -> None:
        run = broken_run(flow())
        pair = (run, redrive(run, by=None))
        shown = signed_in(boss()).get(
            reverse("admin:runs_run_changelist"), {"redriven": value}
        )
        assert list(shown.context["cl"].result_list) == [pair[place]]

    def test_an_error_leads_to_its_like(self) -> None:
        run = broken_run(flow(), error_fingerprint="f00d")
        broken_run(run.workflow, error_fingerprint="beef")
        client = signed_in(boss())
        here = reverse("admin:runs_run_changelist")
        assert f"{here}?error_fingerprint=f00d" in client.get(here).content.decode()
        shown = client.get(here, {"error_fingerprint": "f00d"})
        assert list(shown.context["cl"].result_list) == [run]
        assert "Clear all filters" in shown.content.decode()

    def test_a_parent_that_is_no_id_has_no_children(self) -> None:
        broken_run(flow())
        shown = signed_in(boss()).get(
            reverse("admin:runs_run_changelist"), {"parent": "<b>"}
        )
        assert list(shown.context["cl"].result_list) == []
