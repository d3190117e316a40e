"""The published JSON Schema and the code: neither accepts what the other cannot.

What the code accepts the schema accepts. What the schema accepts the code refuses only
by rules that no schema says, which it marks as such.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from automate.lib.durations import TEXT_PATTERN, parse_duration
from tests.workflows.definition.test_newcomers import LINE, WITH_TRIGGER
from tests.workflows.definition.test_normalise import json_trees
from workflows.services import DocumentError, parse_document, read_documents
from workflows.services.published_schema import published_schema, schema_text

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docs" / "workflow.schema.json"
SCHEMA = published_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def refused(document: Any) -> list[str]:
    """The schema's complaints."""
    return [error.message for error in VALIDATOR.iter_errors(document)]


def disagreements(document: Any) -> list[str]:
    """What one of schema and code refuses in a document, and the other does not."""
    try:
        parse_document(document)
        problems: tuple[Any, ...] = ()
    except DocumentError as error:
        problems = error.problems
    complaints = refused(document)
    if not problems:
        return [f"the schema alone: {complaint}" for complaint in complaints]
    if not complaints:
        return [f"the code alone: {item}" for item in problems if not item.rule]
    return []


def test_it_is_a_schema_itself() -> None:
    of_schemas = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    assert [error.message for error in of_schemas.iter_errors(SCHEMA)] == []


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text(built_in=True), (
        "run manage.py workflow_schema --built-in docs/workflow.schema.json"
    )


def test_the_command_prints_it_or_writes_it(tmp_path: Path) -> None:
    out = StringIO()
    call_command("workflow_schema", built_in=True, stdout=out)
    assert out.getvalue() == schema_text(built_in=True)
    call_command("workflow_schema", str(tmp_path / "x.json"))
    assert json.loads((tmp_path / "x.json").read_text()) == SCHEMA
    with pytest.raises(CommandError):
        call_command("workflow_schema", str(tmp_path / "no" / "x.json"))


@pytest.mark.parametrize("document", [WITH_TRIGGER, LINE])
def test_newcomers_documents_fit_as_written(document: Any) -> None:
    assert refused(document) == []
    assert disagreements(document) == []


def test_the_documents_of_the_manual_fit() -> None:
    text = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
    found = re.findall(r"```yaml workflow\n(.*?)```", text, re.DOTALL)
    assert len(found) > 5
    for one in found:
        (loaded,) = read_documents(one.encode())
        assert refused(loaded.document) == [], one


STEP: dict[str, Any] = {"id": "a", "type": "set", "config": {"values": {}}}
CALL: dict[str, Any] = {"type": "http_request", "config": {"url": "https://x.test"}}
GOOD: list[dict[str, Any]] = [
    {"steps": [STEP]},
    {"nodes": [STEP]},
    {"definition": {"steps": [STEP]}, "variables": {"a": 1}},
    {"definition": {"steps": [STEP], "triggers": [{"kind": "manual"}]}},
    {"$schema": "./workflow.schema.json", "steps": [STEP]},
    {"steps": [{"type": "webhook", "configuration": {"url": "https://x.test"}}]},
    {"nodes": [{"type": "webhook", "config": {"url": "https://x.test"}}]},
    {"nodes": [{"type": "webhook"}, STEP]},
    {"steps": [{"type": "manual"}, STEP]},
    {"steps": [{**STEP, "timeout": "1m 30s", "retry": {"initial": "500MS"}}]},
    {"steps": [{**STEP, "retry": {"waits": [1, "2m"]}}]},
    {
        "steps": [
            {"type": "http_request", "config": {**CALL["config"], "method": "get"}}
        ]
    },
    {"steps": [STEP], "run_timeout": "2h", "priority": "low", "retention_days": None},
    {"steps": [STEP], "triggers": [{"trigger_type": "api"}, {"type": "manual"}]},
    {"steps": [STEP], "triggers": [{"kind": "webhook", "config": {"path": "//in/b"}}]},
    {"steps": [STEP], "triggers": [{"kind": "webhook", "configuration": None}]},
]
WEBHOOKS: list[dict[str, Any]] = [
    {"scheme": ""},
    {"scheme": None, "path": None},
    {"method": "put"},
    {"method": ["get", "POST"]},
    {"methods": ["Get"]},
    {"events": "push"},
    {"idempotency": "body"},
    {"idempotency": "{{ trigger.payload.id }}"},
    {"idempotency": {"window": "5m"}},
    {"idempotency": {"header": "X-Id"}},
    {"scheme": "hmac", "header": "X-Sig", "tolerance": 5},
    {"scheme": "header", "header": "X-Key", "token": {"prefix": "Key "}},
    {"scheme": "hmac", "header": "X-Sig", "hmac": {"prefix": "v1="}},
    {"scheme": "standard_webhooks", "standard_webhooks": {"tolerance": 5}},
    {"scheme": "github", "secret": "s3cret"},
]
BAD_WEBHOOKS: list[dict[str, Any]] = [
    {"scheme": "pgp"},
    {"scheme": []},
    {"header": "X-Sig"},
    {"scheme": "github", "header": "X-Sig"},
    {"scheme": "hmac", "header": "X-Sig", "hmac": {"header": "X-Other"}},
    {"scheme": "hmac", "header": "X-Sig", "hmac": 3},
    {"scheme": "header", "header": {"header": "X-Key"}},
    {"method": "POST", "methods": ["POST"]},
    {"method": None},
    {"methods": ["POST", "POST"]},
    {"path": "a b"},
    {"path": "x" * 201},
    {"path": ""},
    {"path": "///"},
    {"idempotency": "bodi"},
    {"idempotency": {}},
    {"idempotency": {"by": None, "header": "X"}},
    {"idempotency": {"window": "soon"}},
    {"secret": ""},
    {"secret": 3},
    {"events": []},
]


@pytest.mark.parametrize("document", GOOD)
def test_each_shorthand_fits(document: dict[str, Any]) -> None:
    assert refused(document) == []
    parse_document(document)


@pytest.mark.parametrize("config", WEBHOOKS)
def test_each_spelling_of_a_webhook_fits(config: dict[str, Any]) -> None:
    document = {"steps": [STEP], "triggers": [{"kind": "webhook", "config": config}]}
    assert refused(document) == []
    parse_document(document)


@pytest.mark.parametrize("config", BAD_WEBHOOKS)
def test_what_a_webhook_cannot_be_is_refused_by_both(config: dict[str, Any]) -> None:
    document = {"steps": [STEP], "triggers": [{"kind": "webhook", "config": config}]}
    assert refused(document)
    with pytest.raises(DocumentError):
        parse_document(document)


@pytest.mark.parametrize(
    "trigger",
    [
        {"kind": "schedule", "config": {"cron": "  0   7 * * * "}},
        {"kind": "schedule", "config": {"cron": f"0{' ' * 300}7 * * *"}},
        {"kind": "run_finished", "config": {"workflows": "a-*", "statuses": "Failed"}},
        {"kind": "run_finished", "config": {"statuses": ["FAILED", "dead_letter"]}},
        {"type": "webhook", "start": ["a"], "node_id": "n", "is_active": False},
        {"kind": "webhook", "config": {"scheme": "github"}, "secret": "abc"},
    ],
)
def test_other_triggers_fit_as_written(trigger: dict[str, Any]) -> None:
    document = {"steps": [STEP], "triggers": [trigger]}
    assert refused(document) == []
    parse_document(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"nodes": []},
        {"steps": []},
        {"steps": [STEP], "nodes": [STEP]},
        {"steps": [STEP], "connections": []},
        {"nodes": [{"type": "webhook"}]},
        {"nodes": [STEP], "connections": [{"from": "a"}]},
        {"nodes": [STEP], "connections": [{"from": "a", "to": "b", "if": 1}]},
        {"definition": {"steps": [STEP]}, "steps": [STEP]},
        {"definition": {"steps": [STEP], "variables": {}}, "variables": {}},
        {"definition": {"steps": [STEP], "triggers": []}, "triggers": []},
        {"definition": []},
        {"steps": [{**STEP, "configuration": {}}]},
        {"steps": [{"type": "set"}]},
        {"steps": [{"type": "http_request", "config": None}]},
        {"steps": [{**STEP, "id": None}]},
        {"steps": [{**STEP, "timeout": "soon"}]},
        {"steps": [{**STEP, "timeout": 0}]},
        {"steps": [{"type": "nope", "config": {}}]},
        {"steps": [STEP], "colour": 1},
        {"steps": [STEP], "variables": {"a b": 1}},
        {"steps": [STEP], "triggers": None},
        {"steps": [STEP], "triggers": [{}]},
        {"steps": [STEP], "triggers": [{"kind": "api", "type": "api"}]},
        {"steps": [STEP], "triggers": [{"kind": "tide"}]},
        {"steps": [STEP], "triggers": [{"kind": "api", "start": None}]},
        {"steps": [STEP], "triggers": [{"kind": "api", "config": 1}]},
        {"nodes": [STEP, {"type": "manual", "name": 3}]},
        {"nodes": [STEP, {"type": "manual", "config": {}, "configuration": {}}]},
        {"steps": [STEP], "$schema": 3},
        {"steps": [STEP], "name": ""},
        {"steps": [STEP], "run_timeout": "soon"},
    ],
)
def test_what_no_document_can_be_is_refused_by_both(document: dict[str, Any]) -> None:
    assert refused(document)
    with pytest.raises(DocumentError):
        parse_document(document)


@pytest.mark.parametrize(
    "document",
    [
        {"nodes": [STEP], "connections": [{"from": "a", "to": "gone"}]},
        {"nodes": [STEP], "connections": [{"from": "a", "to": "a"}]},
        {"nodes": [STEP, STEP]},
        {"steps": [{**STEP, "config": {"values": {"x": "{{ nope }}"}}}]},
        {"steps": [STEP, {"type": "manual"}]},
        {"steps": [{**STEP, "timeout": "2h"}]},
        {"steps": [{"type": "delay", "config": {"duration": "soon"}}]},
        {"steps": [STEP], "variables": {"a": "{{ x }}"}},
        {"steps": [STEP], "triggers": [{"kind": "api", "start": ["gone"]}]},
        {"steps": [STEP], "id": "a", "slug": "b"},
    ],
)
def test_rules_are_the_codes_alone(document: dict[str, Any]) -> None:
    """The boundary: what a schema cannot say, or says only at a price."""
    assert refused(document) == []
    with pytest.raises(DocumentError) as caught:
        parse_document(document)
    assert all(problem.rule for problem in caught.value.problems)


# --- any document -------------------------------------------------------------------

SEEDS = [
    WITH_TRIGGER,
    LINE,
    *GOOD,
    *({"nodes": [{"type": "webhook", "config": item}, STEP]} for item in WEBHOOKS),
]
KEYS = st.sampled_from(
    [
        "id", "type", "name", "config", "configuration", "steps", "nodes", "x",
        "connections", "definition", "variables", "triggers", "kind", "trigger_type",
        "start", "secret", "retry", "timeout", "on_error", "from", "to", "on", "url",
        "method", "scheme", "path", "header", "output", "status",
    ]
)  # fmt: skip
LEAVES = st.one_of(
    json_trees,
    st.sampled_from(
        [
            "webhook", "http_request", "set", "manual", "api", "schedule", "for_each",
            "", "5m", "90", "soon", "a", "gone", "{{ trigger.payload }}", "{{", "POST",
            "post", "hmac", "stop", "branch", "failure", True, None, 0, 1, 10**6,
        ]
    ),
    st.sampled_from([STEP, CALL, {}, [], [STEP], {"kind": "manual"}]),
)  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, item in value.items():
            found += places_in(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            found += places_in(item, (*path, position))
    return found


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A sound document, changed at a few places."""
    document = deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places_in(document)))
        holder: Any = document
        for key in path:
            holder = holder[key]
        what = draw(st.sampled_from(["set", "add", "remove"]))
        if what == "add" and isinstance(holder, dict):
            holder[draw(KEYS)] = draw(LEAVES)
        elif what == "add" and isinstance(holder, list):
            holder.append(draw(LEAVES))
        elif path:
            parent: Any = document
            for key in path[:-1]:
                parent = parent[key]
            if what == "set":
                parent[path[-1]] = draw(LEAVES)
            else:
                del parent[path[-1]]
        document = json.loads(json.dumps(document))
    return document


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_schema_and_code_agree_on_every_document(document: Any) -> None:
    assert disagreements(document) == []


@settings(max_examples=150, deadline=None)
@given(
    st.from_regex(TEXT_PATTERN)
    | st.text(st.sampled_from("0123456789. dhmsDHMS\n\tx"), max_size=12)
)
def test_the_pattern_of_durations_is_what_the_code_reads(text: str) -> None:
    try:
        parse_duration(text)
        accepted = True
    except ValueError as error:
        accepted = "too long" in str(error)
    assert bool(re.search(TEXT_PATTERN, text)) == accepted
