"""I9: the fate of one run (bad data, an exception, a limit) never changes another's.

Each test puts one bad run among good ones of the same batch. Shown to fail, case by
case, when `_drafted`, `_fill`, `_compile_safely`, `Performer.perform` or the ledger's
fallback to single runs lets the exception pass.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.db import OperationalError, connection
from psycopg import errors
from pytest_django import Settings

from runs.engine import bulk
from runs.engine.versions import compiled
from runs.models import Job, Run, StepRun
from runs.states import RunStatus
from tests.automate.lib.net.servers import Server, always, answer
from tests.runs.drains import Hand, drained
from tests.runs.flows import (
    again,
    attempts,
    call,
    edge,
    given,
    make_due,
    many,
    node,
    publish,
    started,
    step,
    steps,
)
from tests.runs.kinds import sent, teach, told
from workflows.actions.base import Context
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Wait
from workflows.models import Secret

pytestmark = pytest.mark.usefixtures("engine")

OTHER_KEY = ["another-key-" + "0" * 40]
NOW = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - an action that forgot the time zone


def boom(_: Context) -> NoReturn:
    raise RuntimeError("the plugin broke")


def leave(_: Context) -> NoReturn:
    raise SystemExit(3)


def recurse(context: Context) -> Any:
    return recurse(context)


DEEDS: dict[str, Callable[[Context], Any]] = {
    "raises": boom,
    "exits": leave,
    "recurses": recurse,
    "returns nothing": lambda _: None,
    "returns a dict": lambda _: {"status": 200},
    "gives what is no JSON": lambda _: Done(output={"a": object()}),
    "gives NaN": lambda _: Done(output={"a": float("nan")}),
    "waits without a time zone": lambda _: Wait(until=NOW),
    "names an unknown outcome": lambda _: Done(attempt=sent(outcome="perhaps")),
    "was answered without a status": lambda _: Done(attempt=sent(response_status=None)),
}
CAUSES = {
    "raises": ("internal", "the plugin broke"),
    "exits": ("internal", "SystemExit"),
    "recurses": ("internal", "RecursionError"),
    "returns nothing": ("internal", "returned NoneType, no outcome"),
    "returns a dict": ("internal", "returned dict, no outcome"),
    "gives what is no JSON": ("unstorable", "TypeError"),
    "gives NaN": ("unstorable", "ValueError"),
    "waits without a time zone": ("internal", "TypeError"),
    "names an unknown outcome": ("unstorable", "IntegrityError"),
    "was answered without a status": ("unstorable", "IntegrityError"),
}


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    teach(monkeypatch, fine=lambda _: Done(output=1), **DEEDS)


def among_good_ones(hand: Hand, bad: Callable[[], Run]) -> tuple[Run, list[Run]]:
    """A bad run between good ones, all claimed and finished in the same batches."""
    flow = publish(told("a", "fine"), told("b", "fine"))
    good = many(flow, 3)
    run = bad()
    good += many(flow, 3)
    assert hand.claim().claimed == 7
    hand.finish()
    return again(run), [again(item) for item in good]


def all_well(runs: list[Run]) -> bool:
    return {run.status for run in runs} == {RunStatus.SUCCEEDED} and all(
        steps(run) == {"a": "succeeded", "b": "succeeded"} for run in runs
    )


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_what_an_action_does_is_its_own_runs_fate(hand: Hand, deed: str) -> None:
    run, good = among_good_ones(hand, lambda: started(publish(told("a", deed))))

    assert all_well(good)
    name, message = CAUSES[deed]
    assert (run.status, run.error_class) == (RunStatus.FAILED, name)
    assert message in run.error_message
    assert not Job.objects.exists()
    assert steps(run)["a"] in ("failed", "cancelled")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"nodes": [node("a", "no_such_kind")]}, "unknown step type 'no_such_kind'"),
        (
            {
                "nodes": [given("a"), given("b")],
                "connections": [edge("a", "b"), edge("b", "a")],
            },
            "cycle",
        ),
        ({"nodes": [given("a")], "connections": [edge("a", "gone")]}, "gone"),
        ({"nodes": [{"type": "set"}]}, "KeyError"),
        ({"nodes": 7}, "TypeError"),
        ({"nodes": [given("a", x="{{ open")]}, "TemplateError"),
    ],
    ids=["kind", "cycle", "dangling", "no id", "shape", "template"],
)
def test_a_broken_version_fails_its_own_runs(
    hand: Hand, definition: dict[str, Any], message: str
) -> None:
    def bad() -> Run:
        flow = publish(given("x"))
        version = flow.published
        assert version is not None
        type(version).objects.filter(pk=version.pk).update(definition=definition)
        return started(flow)

    run, good = among_good_ones(hand, bad)

    assert all_well(good)
    assert (run.status, run.error_class) == (RunStatus.FAILED, "internal")
    assert message in run.error_message


@pytest.mark.parametrize("name", ["body", "headers", "query", "variables"])
def test_an_unreadable_payload_fails_its_own_run(
    hand: Hand, settings: Settings, name: str
) -> None:
    def bad() -> Run:
        run = started(publish(told("a", "fine")), {"n": 1})
        ring = settings.FIELD_ENCRYPTION_KEYS
        settings.FIELD_ENCRYPTION_KEYS = OTHER_KEY
        value: Any = b"x" if name == "body" else {"x": 1}
        Run.objects.filter(pk=run.pk).update(**{name: value})
        settings.FIELD_ENCRYPTION_KEYS = ring
        return run

    run, good = among_good_ones(hand, bad)

    assert all_well(good)
    assert run.status == RunStatus.FAILED
    assert "unreadable (key" in run.error_message


def test_an_unreadable_output_fails_its_own_run(hand: Hand, settings: Settings) -> None:
    flow = publish(
        node("pause", "delay", {"duration": 30}),
        given("x", y="{{ steps.pause.waited_until }}"),
    )
    run = started(flow)
    hand.claim()
    hand.finish()
    ring = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = OTHER_KEY
    StepRun.objects.filter(run=run).update(output={"waited_until": "x"})
    settings.FIELD_ENCRYPTION_KEYS = ring
    make_due(run)

    ended, good = among_good_ones(hand, lambda: run)

    assert all_well(good)
    assert "output of step pause is unreadable" in ended.error_message


class TestSupplies:
    """Secrets are read for many runs at once; each run has its own luck."""

    URL = "http://127.0.0.1:1/?token={{ secrets.TOKEN }}"

    def bad(self) -> Run:
        return started(publish(call("a", self.URL)))

    @pytest.mark.parametrize("hosts", [5, [["nested"]], [{}], None], ids=str)
    def test_hosts_of_the_wrong_shape(self, hand: Hand, hosts: Any) -> None:
        Secret.objects.create(name="TOKEN", value="t", allowed_hosts=hosts or 5)
        run, good = among_good_ones(hand, self.bad)

        assert all_well(good)
        assert run.error_class == "missing_secret"
        assert "allowed_hosts" in run.error_message

    def test_a_secret_that_is_not_there(self, hand: Hand) -> None:
        run, good = among_good_ones(hand, self.bad)

        assert all_well(good)
        assert "the secret TOKEN does not exist" in run.error_message

    def test_a_secret_whose_key_is_missing(
        self, hand: Hand, settings: Settings
    ) -> None:
        ring = settings.FIELD_ENCRYPTION_KEYS
        settings.FIELD_ENCRYPTION_KEYS = OTHER_KEY
        Secret.objects.create(name="TOKEN", value="t")
        settings.FIELD_ENCRYPTION_KEYS = ring
        run, good = among_good_ones(hand, self.bad)

        assert all_well(good)
        assert "the secret TOKEN is unreadable (key" in run.error_message


def test_nul_in_an_answer_is_kept_for_the_engine_and_shown_as_a_mark(
    hand: Hand,
) -> None:
    body = answer(b'{"a": "x\\u0000y"}', "200 OK", "Content-Type: application/json")
    with Server(always(body)) as server:
        nodes = [call("a", server.url), given("b", y="{{ steps.a.body.a }}")]
        flow = publish(*nodes, output="{{ steps.b.y }}")
        run, good = among_good_ones(hand, lambda: started(flow))

    assert all_well(good)
    assert run.status == RunStatus.SUCCEEDED
    assert step(run, "a").output["body"] == {"a": "x\x00y"}
    assert run.output == "x\x00y"
    assert attempts(run)[0].outcome == "delivered"
    with connection.cursor() as cursor:
        cursor.execute("SELECT response_body FROM runs_deliveryattempt")
        assert "\x00" not in cursor.fetchone()[0]


def test_nul_in_an_answer_that_a_later_step_sends_on(hand: Hand) -> None:
    body = answer(b'{"a": "x\\u0000y"}', "200 OK", "Content-Type: application/json")
    with Server(always(body)) as server:
        passes_on = call("b", server.url, config={"body": "{{ steps.a.body }}"})
        flow = publish(call("a", server.url), passes_on)
        run, good = among_good_ones(hand, lambda: started(flow))

    assert all_well(good)
    assert run.status == RunStatus.SUCCEEDED
    assert step(run, "b").input["body"] == {"a": "x\ufffdy"}


def test_a_row_beyond_the_databases_limits_is_not_an_absent_database(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL says OperationalError to both. Shown to fail when `is_away` asks for
    the exception's class alone."""
    run = started(publish(told("bad", "fine")))
    real = bulk.update

    def update(rows: Any, names: Any) -> None:
        if any(row.node_id == "bad" for row in rows):
            cause = errors.ProgramLimitExceeded("row is too big")
            raise OperationalError(str(cause)) from cause
        real(rows, names)

    monkeypatch.setattr(bulk, "update", update)
    ended, good = among_good_ones(hand, lambda: run)

    assert all_well(good)
    assert (ended.status, ended.error_class) == (RunStatus.FAILED, "unstorable")
    assert "row is too big" in ended.error_message


def test_the_reason_does_not_quote_the_row(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's DETAIL quotes values, which may be anybody's."""
    output = {"canary": "canary-4711"}
    deed = lambda _: Done(output, sent(outcome="no", url="https://canary-4711/"))  # noqa: E731
    teach(monkeypatch, tells=deed)
    run, good = among_good_ones(hand, lambda: started(publish(told("a", "tells"))))

    assert all_well(good)
    assert "could not be stored" in run.error_message
    assert "canary" not in run.error_message
    assert "\n" not in run.error_message


def test_an_output_that_cannot_be_rendered_fails_its_own_run(hand: Hand) -> None:
    flow = publish(told("a", "fine"), output={"x": "{{ steps.a.nope }}"})
    run, good = among_good_ones(hand, lambda: started(flow))

    assert all_well(good)
    assert (run.status, run.error_class) == (RunStatus.FAILED, "template")
    assert "output" in run.error_message


def test_a_template_that_fails_names_its_place(hand: Hand) -> None:
    flow = publish(given("a", x={"y": "{{ trigger.payload.order.id }}"}))
    run, good = among_good_ones(hand, lambda: started(flow, {"order": {}}))

    assert all_well(good)
    assert run.error_class == "template"
    assert "config.values.x.y" in run.error_message
    assert "'id'" in run.error_message


def test_an_error_message_with_nul_is_stored(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = ErrorInfo("Odd", "nul \x00 half \ud800")
    teach(monkeypatch, odd=lambda _: Fail(bad))
    run, good = among_good_ones(hand, lambda: started(publish(told("a", "odd"))))

    assert all_well(good)
    assert run.error_message == "Step a: nul \ufffd half \ufffd"


def test_a_version_that_failed_to_compile_is_tried_again_and_never_cached(
    hand: Hand,
) -> None:
    flow = publish(node("a", "no_such_kind"))
    version = flow.published
    assert version is not None
    assert isinstance(compiled([version.pk])[version.pk], Exception)
    type(version).objects.filter(pk=version.pk).update(
        definition={"nodes": [given("a")]}
    )
    assert not isinstance(compiled([version.pk])[version.pk], Exception)


def test_a_real_drain_survives_all_of_it() -> None:
    good = many(publish(told("a", "fine"), told("b", "fine")), 10)
    bad = [started(publish(told("a", deed))) for deed in sorted(DEEDS)]
    bad.append(started(publish(node("a", "no_such_kind"))))

    drained()

    assert all_well([again(run) for run in good])
    assert {again(run).status for run in bad} == {RunStatus.FAILED}
