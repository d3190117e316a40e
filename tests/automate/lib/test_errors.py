"""The error format: one shape, and RFC 9457 for those who ask."""

from __future__ import annotations

import json

import pytest

from automate.lib.errors import (
    Code,
    encode_error,
    error_body,
    problem_body,
    wants_problem,
)


def test_the_first_error_is_repeated_beside_the_list() -> None:
    body = error_body(
        Code.VALIDATION_ERROR, "No.", errors=[("nodes[0]", "bad"), ("name", "missing")]
    )
    assert body == {
        "error": {
            "code": "VALIDATION_ERROR",
            "message": "No.",
            "details": {
                "field": "nodes[0]",
                "issue": "bad",
                "errors": [
                    {"field": "nodes[0]", "issue": "bad"},
                    {"field": "name", "issue": "missing"},
                ],
            },
        }
    }


def test_details_are_an_empty_object_without_errors() -> None:
    assert error_body("NOT_FOUND", "Gone.")["error"]["details"] == {}


def test_errors_may_come_from_a_generator() -> None:
    pairs = ((name, "required") for name in ("a", "b"))
    assert len(error_body("X", "m", errors=pairs)["error"]["details"]["errors"]) == 2


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    body = problem_body(Code.BODY_TOO_LARGE, "Too large.", 413)
    assert body["type"] == "about:blank"
    assert body["status"] == 413
    assert body["detail"] == "Too large."
    assert body["code"] == "BODY_TOO_LARGE"
    assert body["title"]
    assert "errors" not in body


def test_an_unassigned_status_still_has_a_title() -> None:
    assert problem_body("X", "m", 499)["title"] == "Error"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/problem+json", True),
        ("text/html, Application/Problem+JSON;q=0.5", True),
        ("application/problem+json;q=0", False),
        ("application/problem+json; q=0.000", False),
        ("application/problem+json-seq", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        (",;=,", False),
    ],
)
def test_only_those_who_ask_get_a_problem(accept: str, *, wanted: bool) -> None:
    assert wants_problem(accept) is wanted


def test_encoding_chooses_the_form_and_names_it() -> None:
    body, kind = encode_error("X", "m", 400, accept="application/problem+json")
    assert kind == "application/problem+json"
    assert json.loads(body)["detail"] == "m"
    body, kind = encode_error("X", "m", 400, accept="*/*", errors=[("a", "b")])
    assert kind == "application/json"
    assert json.loads(body)["error"]["details"]["field"] == "a"


def test_a_lone_surrogate_in_a_message_never_breaks_the_answer() -> None:
    body, _ = encode_error("X", "a\ud800b\x00", 400)
    assert json.loads(body)["error"]["message"] == "a\ufffdb\ufffd"
