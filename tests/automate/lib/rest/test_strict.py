"""Input with declared names only."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from automate.lib.rest import ApiError, StrictSerializer
from automate.lib.rest.strict import StrictQuery, flatten


class Body(StrictSerializer):
    name = serializers.CharField(max_length=5)
    size = serializers.IntegerField(min_value=1, default=1)


class Query(StrictQuery):
    status = serializers.ListField(child=serializers.CharField(), required=False)
    limit = serializers.IntegerField(required=False)


def query(text: str) -> dict[str, Any]:
    return Query.read_query(Request(APIRequestFactory().get(f"/?{text}")))


def test_values_are_read_and_defaults_filled_in() -> None:
    assert Body.read({"name": "a"}) == {"name": "a", "size": 1}


def test_every_problem_is_told_at_once_with_its_field() -> None:
    with pytest.raises(ApiError) as caught:
        Body.read({"size": 0, "colour": "red"})

    error = caught.value
    assert error.status_code == 400
    assert error.code == "VALIDATION_ERROR"
    assert [field for field, _ in error.errors] == ["colour", "name", "size"]
    assert "Unknown field. Known: name, size." in error.message


class Choices(StrictSerializer):
    one = serializers.ChoiceField(["a{b}", "c"], required=False)
    several = serializers.ListField(
        child=serializers.ChoiceField(["x", "y"]), default=[]
    )


def test_what_is_no_choice_is_told_with_those_that_are() -> None:
    with pytest.raises(ApiError) as caught:
        Choices.read({"one": "{newest}", "several": ["x", "z" * 100]})

    assert caught.value.errors == [
        ("one", 'Unknown value "{newest}". Known: a{b}, c.'),
        ("several[1]", f'Unknown value "{"z" * 60}". Known: x, y.'),
    ]


@pytest.mark.parametrize("data", [[], "text", 3, None])
def test_a_body_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ApiError, match="JSON object"):
        Body.read(data)


def test_an_unknown_query_parameter_is_named() -> None:
    with pytest.raises(ApiError) as caught:
        query("limit=1&statsu=failed")

    assert caught.value.errors == [
        ("statsu", "Unknown query parameter. Known: limit, status.")
    ]


def test_only_lists_may_be_repeated() -> None:
    assert query("status=a&status=b")["status"] == ["a", "b"]
    with pytest.raises(ApiError) as caught:
        query("limit=1&limit=2")
    assert caught.value.errors == [("limit", "Give it once.")]


def test_nested_errors_become_paths() -> None:
    tree = {
        "steps": [{}, {"url": ["Bad."]}],
        "headers": {"X": ["Odd."]},
        "non_field_errors": ["Both."],
        "tags": {0: ["Long."]},
    }
    assert list(flatten(tree)) == [
        ("steps[1].url", "Bad."),
        ("headers.X", "Odd."),
        ("", "Both."),
        ("tags[0]", "Long."),
    ]
