"""Converted workflows run as n8n's own documentation and source say they would."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from werkzeug import Response

from runs.models import Run
from tests.runs.drains import draining, until
from tests.runs.n8n.world import World

pytestmark = [pytest.mark.slow, pytest.mark.once]

ORDER = {"order": {"id": "A-1", "total": 150, "customer": {"name": "Ann"}}}


def told(answer: object) -> object:
    return json.loads(answer.content)  # type: ignore[attr-defined]


def ended() -> list[str]:
    return list(Run.objects.order_by("created_at").values_list("status", flat=True))


class TestWebhookIfSetHttpRespond:
    def test_the_way_that_the_condition_takes(self, world: World) -> None:
        world.import_files("orders")
        world.answers["POST /invoices"] = {"id": "INV-7"}
        found = world.send("orders", ORDER)

        assert (found.status_code, told(found)) == (
            201,
            {"invoice": "INV-7", "for": "Ann"},
        )
        assert world.bodies("POST /invoices") == [
            {"to": "Ann", "amount": 150, "note": "Order A-1 of ANN", "vip": False}
        ]
        assert world.requests["POST /invoices"].headers["X-Source"] == "web"

    def test_the_other_way(self, world: World) -> None:
        world.import_files("orders")
        small = {"order": {**ORDER["order"], "total": 100}}
        found = world.send("orders", small)

        assert (found.status_code, found.content) == (422, b"Order A-1 is too small")
        assert world.seen == []

    def test_a_receiver_that_fails_fails_the_call(self, world: World) -> None:
        world.import_files("orders")
        world.answers["POST /invoices"] = Response("{}", 400)
        assert world.send("orders", ORDER).status_code == 500
        assert len(world.seen) == 1  # without Retry On Fail


class TestTheSenderGetsWhatTheLastNodeGave:
    def test_behind_each_way_of_a_switch(self, world: World) -> None:
        world.import_files("last_node")
        world.answers["GET /second"] = {"second": [1, 2]}

        first = world.send("last", {"kind": "a", "n": 1})
        assert (first.status_code, told(first)) == (200, {"kind": "first", "n": 2})
        assert told(world.send("last", {"kind": "bee", "n": 5})) == {"second": [1, 2]}
        assert world.bodies("GET /second") == ["n=5"]
        other = world.send("last", {"kind": "c", "n": 1})
        assert told(other) == {"kind": "other", "was": "c"}


class TestOnASchedule:
    def test_each_item_of_the_answer(self, world: World) -> None:
        (flow,) = world.import_files("nightly").values()
        lines = [{"price": 2.5, "count": 4}]
        orders = [
            {"id": 1, "due": True, "customer": {"name": "Ann"}, "lines": lines},
            {"id": 2, "due": False, "customer": {"name": "Bob"}, "lines": lines},
            {"id": 3, "due": True, "customer": {"name": "Cyd"}, "lines": lines},
        ]
        world.answers["GET /orders"] = {"data": {"orders": orders}}
        world.answers["POST /remind/1"] = Response("no", 500)
        run = world.start(flow, "schedule", {"scheduled_for": "2026-01-01T01:30:00Z"})

        assert run.status == "succeeded"  # what fails for one item goes on
        assert world.bodies("GET /orders") == ["state=open"]
        assert world.bodies("POST /remind/2") == []
        assert world.bodies("POST /remind/3") == [
            {"customer": {"name": "Cyd"}, "total": 10}
        ]
        assert len(world.bodies("POST /remind/1")) == 1
        trigger = flow.triggers.get(kind="schedule")
        assert trigger.config["cron"] == "30 2 * * *"
        assert trigger.config["timezone"] == "Europe/Berlin"

    def test_retry_on_fail_tries_again_whatever_the_status(self, world: World) -> None:
        (flow,) = world.import_files("nightly").values()
        world.answers["GET /orders"] = Response("{}", 404)
        run = world.start(flow, "schedule")

        assert run.status in ("failed", "dead_letter")
        assert len(world.bodies("GET /orders")) == 3


class TestLoopOverItems:
    def test_each_item_in_order_and_the_end_once(self, world: World) -> None:
        world.import_files("loop")
        world.send("loop", {"ids": [3, 1, 2]})
        with draining():
            until(lambda: ended() and set(ended()) == {"succeeded"})

        assert [what for what, _ in world.seen] == [
            "GET /items/3",
            "GET /items/1",
            "GET /items/2",
            "POST /done",
        ]


class TestMerge:
    def test_both_branches_by_position(self, world: World) -> None:
        (flow,) = world.import_files("merge").values()
        world.answers["GET /customer"] = {"name": "Ann", "city": "old"}
        world.answers["GET /address"] = {"city": "Bonn & Köln"}
        run = world.start(flow, "manual")

        assert run.status == "succeeded"
        assert world.bodies("POST /print") == [
            "label=Ann%2C+Bonn+%26+K%C3%B6ln&city=Bonn+%26+K%C3%B6ln"
        ]


class TestSwitchByExpression:
    def test_the_output_of_the_number(self, world: World) -> None:
        world.import_files("by_number")
        for level in ("high", "low", "else"):
            world.send("number", {"level": level})
        with draining():
            until(lambda: ended() == ["succeeded"] * 3)

        assert sorted(world.seen, key=lambda one: one[0]) == [
            ("POST /high", {"level": "high"}),
            ("POST /low", {"level": "low"}),
            ("POST /middle", {"level": "else"}),
        ]


class TestExecuteWorkflow:
    def test_it_gets_what_the_other_s_last_node_gave(self, world: World) -> None:
        world.import_files("caller", "price")
        world.answers["GET /prices/x-1"] = {"price": 3, "currency": "EUR"}
        found = world.send("caller", {"sku": "x-1", "count": 4})

        assert told(found) == {"total": 12, "currency": "EUR"}


class TestErrors:
    def test_the_error_output_after_the_retries(self, world: World) -> None:
        world.import_files("errors")
        world.answers["POST /charge"] = Response('{"id": "x"}', 402)
        found = world.send("errors", {"amount": 5})

        assert told(found) == {"state": "unpaid", "amount": 5}
        assert world.bodies("POST /charge") == [{"amount": 5}] * 2

    def test_the_other_output(self, world: World) -> None:
        world.import_files("errors")
        world.answers["POST /charge"] = {"id": "p-9"}
        assert told(world.send("errors", {"amount": 5})) == {
            "state": "paid",
            "id": "p-9",
        }


class TestWaitForACall:
    def test_who_calls_the_address_resumes_it(self, world: World) -> None:
        world.import_files("waits")
        world.send("waits", {"who": "Ann"})
        with draining():
            until(lambda: world.bodies("POST /ask"))
            (asked,) = world.bodies("POST /ask")
            path = re.sub(r"^https?://[^/]+", "", asked["answer_to"])
            until(lambda: resumed(path))
            until(lambda: ended() == ["succeeded"])
        assert world.bodies("POST /go") == [{"who": "Ann"}]


def resumed(path: str) -> bool:
    answer = Client().post(path, {"yes": True}, content_type="application/json")
    return answer.status_code < 300
