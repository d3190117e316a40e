"""JSON has types, and a body that has others is refused with each place."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from rest_framework import serializers

from automate.lib.rest import ApiError, StrictSerializer
from automate.lib.rest.fields import AnyField


class Body(StrictSerializer):
    text = serializers.CharField(required=False, allow_null=True)
    whole = serializers.IntegerField(required=False)
    number = serializers.FloatField(required=False)
    flag = serializers.BooleanField(required=False)
    choice = serializers.ChoiceField(["1", "2"], required=False)
    moment = serializers.DateTimeField(required=False)
    key = serializers.UUIDField(required=False)
    texts = serializers.ListField(child=serializers.CharField(), required=False)
    named = serializers.DictField(child=serializers.IntegerField(), required=False)
    whatever = AnyField(required=False)


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("text", 1, "text"),
        ("text", True, "text"),
        ("whole", "1", "whole"),
        ("whole", True, "whole"),
        ("whole", 1.5, "whole"),
        ("number", "1.5", "number"),
        ("number", False, "number"),
        ("flag", "true", "flag"),
        ("flag", 1, "flag"),
        ("choice", 1, "choice"),
        ("moment", 20260131, "moment"),
        ("key", 5, "key"),
        ("texts", ["a", 1], "texts[1]"),
        ("named", {"a": "1"}, "named.a"),
    ],
)
def test_another_type_is_told_once_with_its_place(
    field: str, value: Any, place: str
) -> None:
    with pytest.raises(ApiError) as told:
        Body.read({field: value})
    [(where, issue)] = told.value.errors
    assert where == place
    assert issue.startswith("Give ")


@pytest.mark.parametrize(
    "body",
    [
        {"text": "1", "whole": 1, "number": 2, "flag": False, "choice": "1"},
        {"text": None, "whole": 3.0, "number": 0.5, "texts": [], "named": {"a": 1}},
        {"whatever": [1, "a", None], "moment": "2026-01-31T12:00:00Z"},
    ],
)
def test_what_has_its_type_is_read(body: dict[str, Any]) -> None:
    assert Body.read(body).keys() == body.keys()


def test_other_faults_are_told_beside_it() -> None:
    with pytest.raises(ApiError) as told:
        Body.read({"text": 1, "choice": "9", "texts": "a", "no": 1})
    assert {where for where, _ in told.value.errors} == {
        "no",
        "text",
        "texts",
        "choice",
    }


def test_a_form_holds_texts_alone() -> None:
    assert Body.read(QueryDict("whole=1&flag=true"))["whole"] == 1
