"""`on_unknown: verify` and the request that it makes belong together."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.actions import base as actions
from workflows.definition import validate

CALL = {"id": "a", "type": "http_request"}
VERIFY = {"url": "https://a.b/", "happened": "{{ run.answer.status }} == 200"}


def told(verify: Any = None, kind: str = "http_request", **more: Any) -> dict[str, str]:
    config: dict[str, Any] = {"url": "https://a.b/"}
    if kind == "set":
        config = {"values": {}}
    if verify is not None:
        config["verify"] = verify
    node = {**CALL, "type": kind, "config": config, **more}
    definition = {"nodes": [node], "connections": [], "variables": {}}
    found = validate(definition, actions.all_actions())
    return {problem.path: problem.message for problem in found}


def test_together_they_are_sound() -> None:
    assert told(VERIFY, on_unknown="verify") == {}
    assert told(on_unknown="ask") == {}


def test_one_without_the_other_is_told() -> None:
    alone = told(on_unknown="verify")
    assert list(alone) == ["nodes[0].on_unknown"]
    assert "the request that says whether" in alone["nodes[0].on_unknown"]
    unused = told(VERIFY)
    assert list(unused) == ["nodes[0].config.verify"]
    assert "never made" in unused["nodes[0].config.verify"]


def test_a_step_that_cannot_be_verified_is_told() -> None:
    assert list(told(kind="set", on_unknown="verify")) == ["nodes[0].on_unknown"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"method": "DELETE"}, "method"),
        ({"url": ""}, "url"),
        ({"happened": "{{ run.answer. }}"}, "happened"),
        ({"happened": "{{ secrets.TOKEN }}"}, "happened"),
        ({"output": "{{ secrets.TOKEN }}"}, "output"),
        ({"connection": "crm"}, "connection"),
        ({"headers": {"X-A": "{{ steps.zed.body }}"}}, "headers.X-A"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_place(
    change: dict[str, Any], place: str
) -> None:
    found = told({**VERIFY, **change}, on_unknown="verify")

    assert list(found) == [f"nodes[0].config.verify.{place}"]


def test_its_request_may_use_secrets() -> None:
    headers = {"Authorization": "Bearer {{ secrets.TOKEN }}"}

    assert told({**VERIFY, "headers": headers}, on_unknown="verify") == {}
