from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.workflows.definition.kinds import KINDS, definition, step
from tests.workflows.definition.test_normalise import json_trees
from workflows.definition import (
    DefinitionError,
    definition_schema,
    normalise,
    structural_problems,
    validate,
)
from workflows.definition.schema import with_templates

SCHEMA = definition_schema({name: kind.config_schema for name, kind in KINDS.items()})
VALIDATOR = Draft202012Validator(SCHEMA)


def test_it_is_a_schema_itself() -> None:
    of_schemas = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    assert [error.message for error in of_schemas.iter_errors(SCHEMA)] == []


CONFIGS = st.one_of(
    json_trees,
    st.fixed_dictionaries(
        {},
        optional={
            "url": st.sampled_from(["", "https://x.test", "{{ run.id }}", 5]),
            "method": st.sampled_from(["GET", "get", "{{ x }}", None]),
            "headers": st.dictionaries(st.text(max_size=2), json_trees, max_size=2),
            "values": json_trees,
            "duration": json_trees,
            "until": json_trees,
            "max_redirects": st.integers(-1, 12) | st.just("{{ x }}"),
        },
    ),
)
NODES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "1", "a b", "run"]) | json_trees,
        "type": st.sampled_from([*KINDS, "nope"]) | json_trees,
        "config": CONFIGS,
    },
    optional={
        "retry": st.fixed_dictionaries(
            {},
            optional={
                "max_attempts": st.integers(-1, 102),
                "waits": st.lists(st.integers(-1, 5), max_size=2),
                "max": st.integers(-1, 5),
                "retry_on": st.lists(st.sampled_from([503, "5xx", "timeout", "x"])),
            },
        ),
        "timeout": st.floats(-1, 4000) | json_trees,
        "on_error": st.sampled_from(["stop", "branch", "x"]),
        "on_unknown": st.sampled_from(["retry", "verify"]),
        "extra": st.none(),
    },
)
ENDS = st.sampled_from(["a", "b", "gone", "", "x" * 100, "x" * 101])
CONNECTIONS = st.fixed_dictionaries(
    {
        "from": ENDS | json_trees,
        "to": ENDS | json_trees,
        "on": st.sampled_from(["success", "failure", "", "x" * 101]) | json_trees,
    },
    optional={"if": st.none()},
)
DEFINITIONS = st.fixed_dictionaries(
    {
        "nodes": st.lists(NODES, max_size=3),
        "connections": st.lists(CONNECTIONS | json_trees, max_size=3) | json_trees,
    },
    optional={
        "variables": st.just({}) | json_trees,
        "output": json_trees,
        "extra": st.none(),
    },
)


@settings(max_examples=120, deadline=None)
@given(DEFINITIONS)
def test_the_schema_accepts_exactly_what_the_code_accepts(value: Any) -> None:
    problems = structural_problems(value, KINDS)
    assert VALIDATOR.is_valid(value) == (not problems)
    assert all(problem.message for problem in problems)


@settings(max_examples=120, deadline=None)
@given(st.lists(CONNECTIONS | json_trees, min_size=1, max_size=2) | json_trees)
def test_of_connections_between_sound_steps_too(connections: Any) -> None:
    """Shown to fail where the code passes over what is wrong with connections."""
    value = {**definition([step("a"), step("b")]), "connections": connections}
    problems = structural_problems(value, KINDS)
    assert VALIDATOR.is_valid(value) == (not problems)


@settings(max_examples=80, deadline=None)
@given(DEFINITIONS)
def test_validation_never_raises_on_what_was_normalised(value: Any) -> None:
    try:
        found = normalise(value)
    except DefinitionError:
        return
    problems = validate(found.definition, KINDS)
    if VALIDATOR.is_valid(found.definition):
        structural = {str(p) for p in structural_problems(found.definition, KINDS)}
        assert not structural & {str(problem) for problem in problems}
    else:
        assert problems


@pytest.mark.parametrize("value", ["{{ x }}", "a {{ x }} b", 3])
def test_a_typed_place_takes_its_type_or_a_template(value: Any) -> None:
    schema = with_templates(
        {"type": "object", "properties": {"n": {"type": "integer", "title": "N"}}}
    )
    assert Draft202012Validator(schema).is_valid({"n": value})
    assert not Draft202012Validator(schema).is_valid({"n": "x"})
    assert schema["properties"]["n"]["title"] == "N"


def test_references_inside_a_kinds_schema_stay_inside_it() -> None:
    kind_schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"n": {"$ref": "#/$defs/small"}},
        "$defs": {"small": {"type": "integer", "maximum": 3}},
    }
    validator = Draft202012Validator(definition_schema({"k": kind_schema}))
    node = {"id": "a", "type": "k", "config": {"n": 3}}
    assert validator.is_valid(definition([node]))
    assert not validator.is_valid(definition([{**node, "config": {"n": 4}}]))


def test_the_canonical_form_is_what_the_schema_describes() -> None:
    assert VALIDATOR.is_valid(definition([step("a")]))
    assert not VALIDATOR.is_valid({"steps": [step("a")]})
