"""What each field of a body takes is what the description says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from rest_framework import serializers

from automate.accounts.api.keys import KeyBody
from automate.lib.rest import ApiError, StrictSerializer
from automate.lib.rest.described import described_of
from automate.openapi.document import description
from tests.contract.conforming import METHODS
from tests.walk.table import addresses
from webhooks.api import body as webhook_bodies

VALUES: tuple[Any, ...] = (
    None, 0, 1, -1, 1.0, 1.5, True, False, "", "a", "1",
    [], [[]], [{}], [None], [True], [0], [1.5], [""], ["a"], ["a", 0],
    {}, {"a": []}, {"a": {}}, {"a": None}, {"a": True}, {"a": 0}, {"a": 1.5},
    {"a": ""}, {"a": "b"}, {"a": "b", "c": 1},
    {"type": 0}, {"type": []}, {"type": None}, {"type": "bearer", "secret": "s"},
    {"type": "bearer", "secret": 0}, {"type": "bearer", "secret": None},
)  # fmt: skip
# Rules of theirs that no schema says: what they take is less than the schema permits.
RULED = {
    ("AnswerBody", "decision"),
    ("KeyBody", "rate_limit"),
    ("TrialBody", "data"),
    ("WebhookBody", "authentication"),
    ("WebhookBody", "headers"),
}


def bodies() -> Iterator[type[StrictSerializer]]:
    """The shapes of bodies that are serializers."""
    found: set[type[StrictSerializer]] = set()
    for name, _route, pattern in addresses():
        view: Any = pattern.callback
        for method in METHODS if name.startswith("api:") else ():
            if hasattr(view.cls, method.lower()):
                said = described_of(view.cls, method)
                body = said.body if said else None
                if isinstance(body, type) and issubclass(body, StrictSerializer):
                    found.add(body)
    yield from sorted(found, key=lambda kind: kind.__name__)


def fields() -> list[tuple[type[StrictSerializer], str]]:
    return [(kind, str(name)) for kind in bodies() for name in kind().fields]


def read(kind: type[StrictSerializer], body: dict[str, Any]) -> None:
    """What the view makes of it before it looks at anything else."""
    if kind is KeyBody:
        body = {"name": "n", **body}
    if kind is webhook_bodies.WebhookBody:
        body = {"workflow_id": "w", **body}
        webhook_bodies.config_of(kind.read(body))
    else:
        kind.read(body)


def is_taken(kind: type[StrictSerializer], name: str, value: Any) -> bool:
    """Whether no error names the field or what is in it; others are missing."""
    try:
        read(kind, {name: value})
    except ApiError as error:
        return name not in {re.split(r"[.\[]", place)[0] for place, _ in error.errors}
    except serializers.ValidationError as error:
        return name not in error.detail
    return True


@pytest.mark.parametrize(("kind", "name"), fields())
def test_a_field_takes_the_values_of_its_schema(
    kind: type[StrictSerializer], name: str
) -> None:
    schemas = description()["components"]["schemas"]
    said = schemas[kind.__name__]["properties"][name]
    schema = jsonschema_rs.Draft202012Validator(
        {**said, "components": {"schemas": schemas}}, validate_formats=True
    )
    permitted = {json.dumps(value) for value in VALUES if schema.is_valid(value)}
    taken = {json.dumps(value) for value in VALUES if is_taken(kind, name, value)}
    assert taken <= permitted
    if (kind.__name__, name) not in RULED:
        assert taken == permitted


def test_headers_that_are_no_texts_are_told_with_their_place() -> None:
    with pytest.raises(ApiError) as told:
        webhook_bodies.TestBody.read(
            {"event_type": "0", "headers": {"0": 0}, "payload": None}
        )
    assert told.value.errors == [("headers.0", "Give a text.")]
