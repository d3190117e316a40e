"""What changed between two definitions: nothing is left out, nothing made up."""

from __future__ import annotations

import re
from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.definition.kinds import definition, edge, step
from workflows.definition import Change, ChangeKind, canonical_json, diff, walk_graphs
from workflows.definition.diff import ABSENT, MAX_SHOWN

K = ChangeKind


def told(old: Any, new: Any) -> list[str]:
    return [str(change) for change in diff(old, new)]


def loop(name: str, *nodes: Any, edges: Any = (), **config: Any) -> dict[str, Any]:
    body = {"nodes": list(nodes), "connections": list(edges)}
    return {"id": name, "type": "for_each", "config": {"items": [], **config, **body}}


BASE = definition(
    [
        {**step("a", {"x": 1}), "name": "First"},
        loop("l", step("in"), step("out"), edges=[edge("in", "out")], output=1),
        step("b", {"list": [1, 2], "deep": {"y": None}}, timeout=5),
    ],
    [edge("a", "l"), edge("l", "b")],
    variables={"region": "eu"},
    output={"x": "{{ b.x }}"},
)


def changed(**paths: Any) -> dict[str, Any]:
    value = deepcopy(BASE)
    value.update(paths)
    return value


class TestSentences:
    def test_equal_definitions_have_no_difference(self) -> None:
        assert diff(BASE, deepcopy(BASE)) == []

    def test_a_step_that_is_new_and_one_that_is_gone(self) -> None:
        new = changed(nodes=[*BASE["nodes"][:2], step("c")], connections=[])
        assert told(BASE, new) == [
            'Step "c" (set) added',
            'Step "b" (set) removed',
            'Connection "a" -> "l" removed',
            'Connection "l" -> "b" removed',
        ]

    def test_a_config_that_changed_names_the_place_and_both_values(self) -> None:
        new = deepcopy(BASE)
        new["nodes"][2]["config"]["values"] = {
            "list": [1, 3],
            "deep": {"y": "z", "new": True},
        }
        assert told(BASE, new) == [
            'Step "b": config.values.list[1] changed: 2 -> 3',
            'Step "b": config.values.deep.y changed: null -> "z"',
            'Step "b": config.values.deep.new set: true',
        ]

    def test_a_list_of_another_length_is_told_as_a_whole(self) -> None:
        new = deepcopy(BASE)
        new["nodes"][2]["config"]["values"]["list"] = []
        assert told(BASE, new) == ['Step "b": config.values.list changed: [1, 2] -> []']

    @pytest.mark.parametrize(
        ("key", "value", "kind", "text"),
        [
            ("name", "Start", K.STEP_RENAMED, 'name changed: "First" -> "Start"'),
            ("type", "log", K.STEP_TYPE_CHANGED, 'type changed: "set" -> "log"'),
            ("retry", {"max": 3}, K.RETRY_CHANGED, 'retry set: {"max": 3}'),
            ("timeout", 2.5, K.TIMEOUT_CHANGED, "timeout set: 2.5"),
            ("on_error", "branch", K.ON_ERROR_CHANGED, 'on_error set: "branch"'),
            ("on_unknown", "fail", K.ON_UNKNOWN_CHANGED, 'on_unknown set: "fail"'),
        ],
    )
    def test_each_setting_of_a_step_has_its_word(
        self, key: str, value: Any, kind: ChangeKind, text: str
    ) -> None:
        new = deepcopy(BASE)
        new["nodes"][0][key] = value
        (change,) = diff(BASE, new)
        assert change.kind is kind
        assert str(change) == f'Step "a": {text}'

    def test_a_setting_that_is_gone(self) -> None:
        new = deepcopy(BASE)
        del new["nodes"][2]["timeout"]
        assert told(BASE, new) == ['Step "b": timeout removed; it was 5']

    def test_connections_by_port(self) -> None:
        edges = [*BASE["connections"][:1], edge("l", "b", "item_failed")]
        assert told(BASE, changed(connections=edges)) == [
            'Connection "l" -> "b" on "item_failed" added',
            'Connection "l" -> "b" removed',
        ]

    def test_variables(self) -> None:
        new = changed(variables={"region": "us", "shop": {"x": 1}})
        assert told(BASE, new) == [
            'Variable "region" changed: "eu" -> "us"',
            'Variable "shop" added: {"x": 1}',
        ]
        assert told(new, BASE)[1] == 'Variable "shop" removed; it was {"x": 1}'

    def test_the_output(self) -> None:
        new = {key: value for key, value in BASE.items() if key != "output"}
        assert told(BASE, new) == ['Output: output removed; it was {"x": "{{ b.x }}"}']
        assert told(new, BASE) == ['Output: output set: {"x": "{{ b.x }}"}']

    def test_what_is_inside_a_loop_says_so(self) -> None:
        new = deepcopy(BASE)
        inner = new["nodes"][1]["config"]
        inner["nodes"] = [step("in", {"q": 1}), step("extra")]
        inner["connections"] = [edge("in", "extra")]
        inner["output"] = 2
        assert told(BASE, new) == [
            'Step "l": config.output changed: 1 -> 2',
            'Step "in": config.values.q set: 1',
            'Step "extra" (set) added in the loop "l"',
            'Step "out" (set) removed in the loop "l"',
            'Connection "in" -> "extra" added in the loop "l"',
            'Connection "in" -> "out" removed in the loop "l"',
        ]

    def test_a_step_that_moved(self) -> None:
        new = deepcopy(BASE)
        new["nodes"][1]["config"]["nodes"].append(new["nodes"].pop(0))
        assert told(BASE, new)[0] == 'Step "a" moved into the loop "l"'
        assert told(new, BASE)[0] == 'Step "a" moved out of its loop'

    def test_another_order_is_a_difference_of_its_own(self) -> None:
        new = changed(connections=BASE["connections"][::-1])
        (change,) = diff(BASE, new)
        assert change.kind is K.ORDER_CHANGED
        assert "another order" in str(change)

    def test_true_is_not_one_and_a_whole_float_is_an_integer(self) -> None:
        one, other = definition([step("a", {"x": 1})]), definition([step("a")])
        other["nodes"][0]["config"]["values"] = {"x": True}
        assert told(one, other) == ['Step "a": config.values.x changed: 1 -> true']
        other["nodes"][0]["config"]["values"] = {"x": 1.0}
        assert told(one, other) == []

    def test_long_values_are_cut_and_all_can_be_redacted(self) -> None:
        new = deepcopy(BASE)
        new["nodes"][0]["config"]["values"]["x"] = "s" * 5000
        (change,) = diff(BASE, new)
        assert len(str(change)) < 2 * MAX_SHOWN + 100
        assert change.new == "s" * 5000
        hidden = change.text(lambda _value: "[redacted]")
        assert "sss" not in hidden
        assert "[redacted]" in hidden
        assert "sss" not in repr(change)


NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "l", "m-n", "o p"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CONFIGS = st.dictionaries(st.sampled_from(["url", "values"]), VALUES, max_size=2)
SETTINGS: Any = {
    "name": st.sampled_from(["N", "M"]),
    "retry": st.dictionaries(st.sampled_from(["max", "waits"]), VALUES, max_size=2),
    "timeout": st.integers(1, 3),
    "on_error": st.sampled_from(["stop", "branch"]),
}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Steps with ids of their own, some within a loop, connected at will."""

    def node(name: str) -> dict[str, Any]:
        more = draw(st.fixed_dictionaries({}, optional=SETTINGS))
        kind = draw(st.sampled_from(["set", "log"]))
        return {"id": name, "type": kind, "config": draw(CONFIGS), **more}

    outer = draw(st.lists(NAMES, unique=True))
    inner = draw(st.lists(NAMES.filter(lambda name: name not in outer), unique=True))
    edges = st.lists(
        st.builds(edge, NAMES, NAMES, st.sampled_from(["success", "failure"])),
        max_size=3,
    )
    nodes = [node(name) for name in outer]
    if draw(st.booleans()):
        nodes.append(loop("each", *map(node, inner), edges=draw(edges)))
    more = {"output": draw(VALUES)} if draw(st.booleans()) else {}
    variables = draw(st.dictionaries(NAMES, VALUES, max_size=2))
    return definition(nodes, draw(edges), variables=variables, **more)


@settings(max_examples=100, deadline=None)
@given(definitions())
def test_no_definition_differs_from_itself(value: dict[str, Any]) -> None:
    assert diff(value, deepcopy(value)) == []


@settings(max_examples=100, deadline=None)
@given(definitions(), definitions())
def test_the_differences_are_all_that_it_takes_to_get_from_one_to_the_other(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    changes = diff(old, new)
    assert bool(changes) == (canonical_json(old) != canonical_json(new))
    assert all(str(change) for change in changes)
    known = facts(old)
    for change in changes:
        apply(known, change)
    assert known == facts(new)


@settings(max_examples=80, deadline=None)
@given(definitions(), st.data())
def test_a_single_change_is_told_as_that_one_change(
    value: dict[str, Any], data: st.DataObject
) -> None:
    changed = deepcopy(value)
    kinds = MUTATIONS if changed["nodes"] else ["variable", "connection", "add"]
    what = data.draw(st.sampled_from(kinds))
    if what == "variable":
        changed["variables"]["brand-new"] = 1
        expected = (K.VARIABLE_ADDED, "", "brand-new")
    elif what == "connection":
        changed["connections"].append(edge("a", "b", "brand-new"))
        expected = (K.CONNECTION_ADDED, "", "")
    elif what == "add":
        changed["nodes"].append(step("brand-new"))
        expected = (K.STEP_ADDED, "brand-new", "")
    else:
        node = data.draw(st.sampled_from(changed["nodes"]))
        if what == "config":
            node["config"]["brand-new"] = None
            expected = (K.CONFIG_CHANGED, node["id"], "config.brand-new")
        else:
            node["on_unknown"] = "brand-new"
            expected = (K.ON_UNKNOWN_CHANGED, node["id"], "on_unknown")
    (change,) = diff(value, changed)
    assert (change.kind, change.step, change.place) == expected


MUTATIONS = ["variable", "connection", "add", "config", "setting"]


@settings(max_examples=80, deadline=None)
@given(st.fixed_dictionaries({}, optional={"nodes": VALUES, "connections": VALUES}))
def test_a_draft_may_be_anything(value: Any) -> None:
    assert diff(value, deepcopy(value)) == []
    assert diff(value, BASE)


# --- an obviously right way to apply a difference ---------------------------------


def flat(value: Any, path: str) -> dict[str, Any]:
    """Leaves by place; what holds others counts as a leaf only when it is empty."""
    found: dict[str, Any] = {}
    if isinstance(value, dict) and value:
        for key, item in value.items():
            bare = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", key)
            inner = f".{key}" if bare and path else key if bare else f'["{key}"]'
            found |= flat(item, path + inner)
        return found
    if isinstance(value, list) and value:
        for position, item in enumerate(value):
            found |= flat(item, f"{path}[{position}]")
        return found
    return {path: value}


def facts(value: dict[str, Any]) -> dict[Any, Any]:
    """A definition as facts, without any order."""
    found: dict[Any, Any] = {}
    for level in walk_graphs(value):
        where = level.loops[-1] if level.loops else ""
        for node in level.graph["nodes"]:
            found["loop", node["id"]] = where
            found |= node_facts(node)
        edges = Counter(canonical_json(item) for item in level.graph["connections"])
        found |= {("edge", where, text): count for text, count in edges.items()}
    for name, item in value["variables"].items():
        found |= {("variables", k): v for k, v in flat(item, name).items()}
    if "output" in value:
        found |= {("output", k): v for k, v in flat(value["output"], "output").items()}
    return found


def node_facts(node: dict[str, Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, item in node.items():
        if key == "config":
            item = {
                name: part
                for name, part in item.items()
                if name not in ("nodes", "connections")
            }
        if key != "id":
            leaves = flat(item, key)
            found |= {("step", node["id"], k): v for k, v in leaves.items()}
    return found


def apply(known: dict[Any, Any], change: Change) -> None:
    if change.kind in (K.STEP_ADDED, K.STEP_REMOVED):
        added = change.kind is K.STEP_ADDED
        node = {**(change.new if added else change.old), "id": change.step}
        node_known = node_facts(node) | {("loop", change.step): change.loop}
        if added:
            known |= node_known
        else:
            for fact in node_known:
                del known[fact]
    elif change.kind is K.STEP_MOVED:
        known["loop", change.step] = change.new
    elif change.kind in (K.CONNECTION_ADDED, K.CONNECTION_REMOVED):
        added = change.kind is K.CONNECTION_ADDED
        text = canonical_json(change.new if added else change.old)
        fact = ("edge", change.loop, text)
        known[fact] = known.get(fact, 0) + (1 if added else -1)
        if not known[fact]:
            del known[fact]
    elif change.kind is not K.ORDER_CHANGED:
        apply_value(known, change)


def apply_value(known: dict[Any, Any], change: Change) -> None:
    prefix: tuple[str, ...] = ("output",)
    if change.step:
        prefix = ("step", change.step)
    elif change.kind is not K.OUTPUT_CHANGED:
        prefix = ("variables",)
    if change.old is not ABSENT:
        for path in flat(change.old, change.place):
            del known[*prefix, path]
    if change.new is not ABSENT:
        # What holds something now is no empty leaf any more.
        parent = re.sub(r"(\.[\w-]+|\[[^\]]*\])$", "", change.place)
        known.pop((*prefix, parent), None)
        known |= {(*prefix, k): v for k, v in flat(change.new, change.place).items()}
    else:
        repair_parent(known, prefix, change.place)


def repair_parent(known: dict[Any, Any], prefix: tuple[str, ...], path: str) -> None:
    """The last member of a mapping that is gone leaves the empty mapping behind."""
    parent = re.sub(r"(\.[\w-]+|\[[^\]]*\])$", "", path)
    if parent == path or ("." not in path and "[" not in path):
        return
    inner = [
        key[-1]
        for key in known
        if key[:-1] == prefix and key[-1].startswith((parent + ".", parent + "["))
    ]
    if not inner:
        known[*prefix, parent] = {}
