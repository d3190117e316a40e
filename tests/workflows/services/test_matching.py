"""Which row is which trigger of a document: pure, so tried on any lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workflows.models import Trigger
from workflows.services.documents import TriggerSpec
from workflows.services.matching import match

KIND = st.sampled_from(["webhook", "api"])
NODE = st.sampled_from(["", "", "a", "b", "c"])
PATH = st.sampled_from([None, "p", "q"])
SPECS = st.lists(
    st.builds(TriggerSpec, kind=KIND, config=st.just({}), node_id=NODE, path=PATH),
    max_size=6,
)
ROWS = st.lists(st.builds(Trigger, kind=KIND, node_id=NODE, path=PATH), max_size=6)


def spec(
    kind: str = "webhook", node_id: str = "", path: str | None = None
) -> TriggerSpec:
    return TriggerSpec(kind=kind, config={}, node_id=node_id, path=path)


def row(kind: str = "webhook", node_id: str = "", path: str | None = None) -> Trigger:
    return Trigger(kind=kind, node_id=node_id, path=path)


def test_the_node_id_counts_more_than_the_path_and_that_more_than_the_position() -> (
    None
):
    by_id, by_path, by_place = row(node_id="a"), row(path="p"), row()
    specs = [spec(), spec(path="p"), spec(node_id="a", path="q")]
    found, left = match(specs, [by_id, by_path, by_place])
    assert found == [by_place, by_path, by_id]
    assert left == []


def test_a_node_id_of_another_kind_does_not_match() -> None:
    other = row(kind="api", node_id="a")
    assert match([spec(node_id="a")], [other]) == ([None], [other])


def test_those_left_of_a_kind_are_matched_in_order() -> None:
    first, second = row(), row()
    found, _ = match([spec(), spec(kind="api"), spec()], [first, second])
    assert found == [first, None, second]


@given(SPECS, ROWS)
def test_every_row_is_claimed_once_or_left_and_kinds_agree(
    specs: list[TriggerSpec], rows: list[Trigger]
) -> None:
    found, left = match(specs, rows)
    claimed = [one for one in found if one is not None]
    assert sorted(map(id, [*claimed, *left])) == sorted(map(id, rows))
    for wanted, one in zip(specs, found, strict=True):
        assert one is None or one.kind == wanted.kind
    for wanted, one in zip(specs, found, strict=True):
        # Nothing new is made while a row of the kind is free.
        assert one is not None or all(r.kind != wanted.kind for r in left)


@given(ROWS)
def test_rows_that_did_not_change_are_matched_with_themselves(
    rows: list[Trigger],
) -> None:
    unique = {(r.kind, r.node_id or id(r)): r for r in rows}
    paths: set[str] = set()
    for one in unique.values():
        if one.path in paths:
            one.path = None
        if one.path:
            paths.add(one.path)
    kept = [r for r in unique.values() if r.node_id or r.path]
    specs = [spec(r.kind, r.node_id, r.path) for r in kept]
    found, left = match(specs, kept)
    assert all(one is r for one, r in zip(found, kept, strict=True))
    assert left == []
