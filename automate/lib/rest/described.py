"""What a method of a view takes and answers, said beside it.

`automate.openapi` makes the description of the API of it; a method that says nothing is
an error there. In tests every answer is held against what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from rest_framework import serializers

from automate.lib.rest.strict import StrictQuery

F = TypeVar("F", bound=Callable[..., Any])
Shape = type[serializers.Serializer[Any]] | Mapping[str, Any]

TEXT: Mapping[str, Any] = {"type": "string"}
NOTHING: Mapping[str, Any] = {"type": "object", "maxProperties": 0}
RULES = "What the fields may hold, beyond their types, the message says."


class Answer(serializers.Serializer[Any]):
    """The fields of an answer; each is always there unless it says otherwise.

    `more`: there may be others, which have no names of their own.
    """

    more = False


@dataclass(frozen=True, slots=True)
class Described:
    """One operation.

    `answers`: by status a shape, or None for no body. A shape is a serializer, or a
    JSON Schema, which is a component under its `title`. `body`: a shape, `form` that of
    a form besides. `refuses`: statuses that are not every such operation's, and when
    (a text for 400 says which rules no schema can). `sends`, `takes`: headers of the
    first answer and of the request by name. `media`: of an answer that is not JSON.
    `needs`: scopes besides that of the view.
    """

    name: str
    answers: Mapping[int, Shape | None]
    body: Shape | None = None
    form: Shape | None = None
    query: type[StrictQuery] | None = None
    refuses: Mapping[int, str] = field(default_factory=dict)
    sends: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    media: Mapping[int, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def described_of(view: Any, method: str) -> Described | None:
    """What a view says of a method: beside it, or in its `described` by method."""
    own: Mapping[str, Described] = getattr(view, "described", {})
    handler = getattr(view, method.lower())
    found: Described | None = own.get(method) or getattr(handler, "described", None)
    return found


def described(
    name: str, answers: Mapping[int, Shape | None], **more: Any
) -> Callable[[F], F]:
    """`@described("list_runs", {200: page_of(Run)}, query=RunQuery)` on a method.

    The rest are the fields of `Described`.
    """

    def put(method: F) -> F:
        method.described = Described(name, answers, **more)  # type: ignore[attr-defined]
        return method

    return put


@cache
def page_of(shape: type[serializers.Serializer[Any]]) -> type[Answer]:
    """A page of a list: `{"results": [shape], "next", "next_cursor"}`."""
    fields = {
        "results": shape(many=True),
        "next": serializers.URLField(
            allow_null=True, help_text="The next page; null on the last."
        ),
        "next_cursor": serializers.CharField(
            allow_null=True, help_text="The same as a value of `cursor`."
        ),
        "__doc__": "A page of a list.",
    }
    return type(f"{shape.__name__}Page", (Answer,), fields)


def list_of(shape: type[serializers.Serializer[Any]]) -> type[Answer]:
    """A list that is whole: `{"results": [shape]}`."""
    fields = {"results": shape(many=True), "__doc__": "All of them."}
    return type(f"{shape.__name__}List", (Answer,), fields)
