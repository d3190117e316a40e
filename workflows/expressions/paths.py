"""How a path is followed: keys of mappings and indexes of lists, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from workflows.expressions.errors import MissingError, RenderError, member_text
from workflows.expressions.evaluation import Evaluation, Evaluator
from workflows.expressions.values import a_kind, is_list, is_mapping

_KEYS_TOLD = 8
_KEY_LENGTH = 40

# Stands for the value of a path that leads nowhere, within `default` and `defined`.
MISSING = object()

# What a path is made of: the keys of mappings and the indexes of lists.
Key = str | int


class NoMemberError(Exception):
    """Why a key leads nowhere; the caller knows the path.

    `keys` are the names that there are; None when the value cannot have any.
    """

    def __init__(self, reason: str, keys: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.keys = keys


def member(value: Any, key: Any) -> Any:
    """The value under a key of a mapping or at an index of a list.

    Raises NoMemberError. A whole number also finds the key of its digits, because
    JSON's keys are strings.
    """
    if is_mapping(value):
        if _is_index(key):
            key = str(key) if -(2**63) < key < 2**63 else None
        if isinstance(key, str) and key in value:
            return value[key]
        raise NoMemberError("has no such key", _keys_of(value))
    if is_list(value):
        if not _is_index(key):
            raise NoMemberError("is a list: [0] or | first take one of it")
        if -len(value) <= key < len(value):
            return value[key]
        raise NoMemberError(f"is a list of {len(value)}")
    raise NoMemberError(f"is {a_kind(value)}, which has no keys")


def _is_index(key: Any) -> bool:
    return isinstance(key, int) and not isinstance(key, bool)


def _keys_of(value: Any) -> str:
    names = [str(key)[:_KEY_LENGTH] for key in islice(value, _KEYS_TOLD)]
    if len(value) > len(names):
        names.append("...")
    return f"there are: {', '.join(names)}" if names else "there are none"


def path_text(keys: Sequence[Key | None]) -> str:
    """The path as its author would write it; None stands for a computed key."""
    behind = ("[...]" if key is None else member_text(key) for key in keys[1:])
    return f"{keys[0]}{''.join(behind)}"


def missing(
    keys: Sequence[Key | None], position: int, found: NoMemberError
) -> MissingError:
    """The error for a path that breaks at the key at `position`."""
    whole = path_text(keys)
    if position == 0:
        return MissingError(f"{whole}: {keys[0]} is not available here")
    holder = path_text(keys[:position])
    if found.keys is None:
        return MissingError(f"{whole}: {holder} {found.reason}")
    key = keys[position]
    named = "no such key" if key is None else f"no such key '{key}'"
    place = "" if position == len(keys) - 1 else f" in {holder}"
    listed = "" if keys[0] == "secrets" else f"; {found.keys}"
    return MissingError(f"{whole}: {named}{place}{listed}")


def static_path(keys: Sequence[Key]) -> Evaluator:
    """Evaluates a path of constant keys, the first of them a root."""
    keys = tuple(keys)

    def evaluate(evaluation: Evaluation) -> Any:
        value: Any = evaluation.scope
        try:
            for key in keys:
                kind = type(value)
                if kind is dict:
                    value = value[key]
                else:
                    return follow(evaluation, keys)
        except KeyError:
            return follow(evaluation, keys)
        return value

    return evaluate


def follow(evaluation: Evaluation, keys: Sequence[Key]) -> Any:
    """Walk the path with care, to the value or to the error that names the break."""
    value: Any = evaluation.scope
    for position, key in enumerate(keys):
        try:
            value = member(value, key)
        except NoMemberError as error:
            raise missing(keys, position, error) from None
    return value


def computed_path(
    target: Evaluator, base: Sequence[str], keys: Sequence[Key | Evaluator]
) -> Evaluator:
    """Evaluates keys behind a target, some of which have to be computed first.

    `base` is how messages call the target.
    """
    trail = [*base, *(key if isinstance(key, str | int) else None for key in keys)]

    def evaluate(evaluation: Evaluation) -> Any:
        value = target(evaluation)
        for position, given in enumerate(keys):
            key = given(evaluation) if callable(given) else given
            evaluation.spend(1)
            try:
                value = member(value, key)
            except NoMemberError as error:
                raise missing(trail, len(base) + position, error) from None
        return value

    return evaluate


def sliced(evaluation: Evaluation, value: Any, start: Any, stop: Any) -> Any:
    """A part of a list or a string; charges its length."""
    for bound in (start, stop):
        if bound is not None and (
            isinstance(bound, bool) or not isinstance(bound, int)
        ):
            raise RenderError(
                f"a slice goes from number to number, not {a_kind(bound)}"
            )
    if not is_list(value) and not isinstance(value, str):
        raise RenderError(f"{a_kind(value)} cannot be cut; lists and strings can")
    part = range(*slice(start, stop).indices(len(value)))
    evaluation.spend(1)
    evaluation.emit(len(part))
    return value[part.start : max(part.start, part.stop)]
