"""n8n's expressions as ours: what they name, and what they give."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.integrations.n8n.making import (
    convert,
    exported,
    line,
    node,
    step,
    told,
)
from workflows.expressions import render

PAYLOAD = {"a": {"b": 7}, "text": "Hello", "list": [1, 2], "odd key": 1, "none": None,
           "lines": "a\nb", "people": [
               {"name": "Ann", "age": 30, "at": {"city": "Bonn"}},
               {"name": "Bob", "age": 50}]}  # fmt: skip
DATA: dict[str, Any] = {
    "trigger": {
        "payload": PAYLOAD,
        "headers": {"x-shop": "s"},
        "query": {"page": "2"},
        "id": "t",
    },
    "steps": {
        "first": {"x": 1, "name": "N"},
        "call": {"status": 200, "body": {"id": 5}},
    },
    "variables": {"HOST": "h"},
    "run": {"id": "run-1", "workflow": "w", "created_at": "2026-01-01T00:00:00Z"},
}


def first() -> dict[str, Any]:
    fields = {"values": {"number": [{"name": "x", "value": 1}]}, "keepOnlySet": True}
    return node("First", "set", fields)


def value_of(expression: str, *before: dict[str, Any]) -> Any:
    """What a Set node's field becomes, and that rendered."""
    fields = {
        "assignments": {
            "assignments": [{"name": "v", "type": "any", "value": expression}]
        }
    }
    found = line(*before, node("Here", "set", fields, 3.4))
    return step(found, "here")["config"]["values"]["v"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("={{ $json.body.a.b }}", "{{ trigger.payload.a.b }}"),
        ('={{ $json["body"]["odd key"] }}', "{{ trigger.payload['odd key'] }}"),
        ("={{ $json.body.list[0] }}", "{{ trigger.payload.list[0] }}"),
        ('={{ $json.headers["X-Shop"] }}', "{{ trigger.headers['x-shop'] }}"),
        ("={{ $json.query.page }}", "{{ trigger.query.page }}"),
        ('={{ $node["Webhook"].json.body.text }}', "{{ trigger.payload.text }}"),
        ('={{$node["Webhook"].json["body"]["text"]}}', "{{ trigger.payload.text }}"),
        ("={{ $('Webhook').item.json.body.text }}", "{{ trigger.payload.text }}"),
        ("={{ $('Webhook').first().json.body.text }}", "{{ trigger.payload.text }}"),
        ("={{ $('Webhook').all()[0].json.body.text }}", "{{ trigger.payload.text }}"),
        ("={{ $input.item.json.body.text }}", "{{ trigger.payload.text }}"),
        ("={{ $input.first().json.body.text }}", "{{ trigger.payload.text }}"),
        ('={{ $items("Webhook")[0].json.body.text }}', "{{ trigger.payload.text }}"),
        ('={{ $item("0").$node["Webhook"].json["body"] }}', "{{ trigger.payload }}"),
        ("={{ $execution.id }}", "{{ run.id }}"),
        ("={{ $workflow.name }}", "{{ 'Test' }}"),
        ("=Dear {{ $json.body.text }}!", "Dear {{ trigger.payload.text }}!"),
        ("plain", "plain"),
        ("a {{ b }} c", "a {{ '{{' }} b }} c"),
        ("=100 {% %} {# #}", "100 {{ '{%' }} %} {{ '{#' }} #}"),
        ("={{ 5 }}", 5),
        ("={{ 'x' }}", "x"),
    ],
)
def test_a_plain_path_is_exact(theirs: str, ours: Any) -> None:
    assert value_of(theirs) == ours


@pytest.mark.parametrize(
    ("theirs", "gives"),
    [
        ("={{ $json.body.text.toUpperCase() }}", "HELLO"),
        ("={{ $json.body.list.length }}", 2),
        ("={{ $json.body.list.join('-') }}", "1-2"),
        ("={{ JSON.stringify($json.body.a) }}", '{"b":7}'),
        ("={{ $json.body.none ?? 'other' }}", "other"),
        ("={{ $json.body.missing || 'other' }}", "other"),
        ("={{ $json.body.missing?.deeper }}", None),
        ("={{ $json.body.a.b > 5 ? 'much' : 'little' }}", "much"),
        ("={{ $json.body.text + ' you' }}", "Hello you"),
        ("={{ $json.body.a.b * 2 + 1 }}", 15),
        ("={{ `${$json.body.text}, ${$json.body.a.b}` }}", "Hello, 7"),
        ("={{ $json.body.text.startsWith('He') }}", True),
        ("={{ $json.body.text.includes('ell') }}", True),
        ("={{ !$json.body.missing }}", True),
        ("={{ $json.body.a.b === 7 && true }}", True),
        ("={{ [1, $json.body.a.b] }}", [1, 7]),
        ("={{ {k: $json.body.a.b, 'l m': 2} }}", {"k": 7, "l m": 2}),
        ("={{ encodeURIComponent('a b') }}", "a%20b"),
        ("={{ $json.body.list[$json.body.list.length - 1] }}", 2),
        ("=\\{{ {{ 1 }} }}", "{{ 1 }}"),
        ("={{ new Date().toISOString().split('T')[0] }}", "2026-01-01"),
        ("={{ $now.format('yyyy-MM-dd HH:mm') }}", "2026-01-01 00:00"),
        ("={{ $now.toFormat(\"dd LLL yyyy 'at' hh a\") }}", "01 Jan 2026 at 12 AM"),
        ("={{ $today.toISODate() }}", "2026-01-01"),
        ("={{ DateTime.now().toFormat('yyyy') }}", "2026"),
        ("={{ Date.now() }}", 1767225600000),
        ("={{ new Date().getFullYear() + 1 }}", 2027),
        ("={{ $json.body.people.map(p => p.name).join(', ') }}", "Ann, Bob"),
        ("={{ $json.body.people.map((p) => p.at.city) }}", ["Bonn", None]),
        ("={{ $json.body.people.filter(p => p.age > 40)[0].name }}", "Bob"),
        ("={{ $json.body.people.find(p => p.name === 'Ann').age }}", 30),
        ("={{ $json.body.people.some(p => p.name === 'Cyd') }}", False),
        ("={{ $json.body.a.hasOwnProperty('b') }}", True),
        ("={{ $json.body.none.isEmpty() }}", True),
        ("={{ $json.body.list.isNotEmpty() }}", True),
        ("={{ $json.body.text.substring(1, 3) }}", "el"),
        ("={{ $json.body.text.substr(1, 3) }}", "ell"),
        ("={{ $json.body.text.replace(/l/g, 'L') }}", "HeLLo"),
        ("={{ $json.body.lines.replace(/\\n/g, '<br>') }}", "a<br>b"),
        ("={{ 10 / 4 / 5 }}", 0.5),
        ("={{ $json.body.a.b /2 }}", 3.5),
    ],
)
def test_what_means_the_same_gives_the_same(theirs: str, gives: Any) -> None:
    assert render(value_of(theirs), DATA) == gives


@pytest.mark.parametrize(
    "theirs",
    [
        "={{ new Date('2026-01-01').toISOString() }}",
        "={{ $now.format('YYYY') }}",
        "={{ $json.body.text.replace(/[a-z]+/g, '') }}",
        "={{ $json.body.list.map((x, i) => i) }}",
        "={{ $json.body.list.map(x => x * 2) }}",
        "={{ $json.body.text.match(/x/) }}",
        "={{ $now.plus({days: 1}) }}",
        "={{ $('Nobody').item.json.a }}",
        "={{ $json.params.id }}",
        "={{ $binary.data }}",
        "={{ $fromAI('x') }}",
        "={{ $json.body.a + $json.body.b }}",
        "={{ }}",
        "={{ $json.body.a. }}",
        "={{ " + "(" * 44 + "1" + ")" * 44 + " }}",
        "={{ '\\ud800' }}",
    ],
)
def test_what_has_no_counterpart_fails_by_name_and_is_told(theirs: str) -> None:
    fields = {
        "assignments": {"assignments": [{"name": "v", "type": "any", "value": theirs}]}
    }
    found = line(node("Here", "set", fields, 3.4))
    ours = step(found, "here")["config"]["values"]["v"]
    report = told(found, "Here")

    assert "not converted: " in ours
    assert report.fidelity == "approximate"
    assert any(text.startswith("not converted: ") for text in report.differs)
    with pytest.raises(ValueError, match="not converted"):
        render(ours, DATA)


def test_behind_other_nodes_the_item_is_what_they_gave() -> None:
    call = node("Call", "httpRequest", {"url": "https://a.example.com"}, 4.2)
    assert value_of("={{ $json.x }}", first()) == "{{ steps.first.x }}"
    assert value_of("={{ $json.id }}", call) == "{{ steps.call.body.id }}"


@pytest.mark.parametrize("kind", ["noOp", "wait", "respondToWebhook"])
def test_a_node_that_hands_on_is_looked_through(kind: str) -> None:
    assert (
        value_of("={{ $json.x }}", first(), node("Mid", kind)) == "{{ steps.first.x }}"
    )


def test_other_fields_are_read_where_they_were() -> None:
    """Edit Fields keeps what arrived: only its own fields are its step's."""
    own = {"values": {"string": [{"name": "name", "value": "N"}]}}
    before = (first(), node("Add", "set", own))
    assert value_of("={{ $json.name }}", *before) == "{{ steps.add.name }}"
    assert value_of("={{ $json.x }}", *before) == "{{ steps.first.x }}"
    assert value_of("={{ $json }}", *before) == "{{ steps.first | merge(steps.add) }}"


def test_data_of_two_branches_is_that_of_the_one_that_ran() -> None:
    fields = {
        "assignments": {"assignments": [{"name": "v", "value": "={{ $json.x }}"}]}
    }
    other = {"values": {"string": [{"name": "x", "value": "o"}]}, "keepOnlySet": True}
    condition = {
        "conditions": {"boolean": [{"value1": "={{ $json.body.a }}", "value2": True}]}
    }
    tree = exported(
        [
            node("Hook", "webhook", {"path": "p"}),
            node("Which", "if", condition),
            first(),
            node("Second", "set", other),
            node("Here", "set", fields, 3.4),
        ],
        [
            ("Hook", "Which"),
            ("Which", "First", 0),
            ("Which", "Second", 1),
            ("First", "Here"),
            ("Second", "Here"),
        ],
    )
    found = convert(tree)
    ours = step(found, "here")["config"]["values"]["v"]

    assert render(ours, {**DATA, "steps": {"first": {"x": 1}}}) == 1
    assert render(ours, {**DATA, "steps": {"second": {"x": 2}}}) == 2
    assert "several nodes" in told(found, "Here").differs[0]


def test_the_environment_becomes_variables_to_fill_in() -> None:
    fields = {
        "assignments": {"assignments": [{"name": "v", "value": "={{ $env.HOST }}"}]}
    }
    found = line(node("Here", "set", fields, 3.4))

    assert found.document["variables"] == {"HOST": ""}
    assert step(found, "here")["config"]["values"]["v"] == "{{ variables.HOST }}"
    assert "HOST is a variable" in told(found, "Here").notes[0]


def test_a_type_converts_as_the_field_does() -> None:
    def typed(kind: str) -> Any:
        field = {"name": "v", "type": kind, "value": "={{ $json.body.a.b }}"}
        fields = {"assignments": {"assignments": [field]}}
        found = line(node("Here", "set", fields, 3.4))
        return render(step(found, "here")["config"]["values"]["v"], DATA)

    assert (typed("string"), typed("number"), typed("boolean")) == ("7", 7.0, True)


def test_text_of_n8n_is_never_ours_to_evaluate() -> None:
    """A text that would be an expression here stays text."""
    text = "{{ secrets.X }} and {{ trigger.payload }}"
    assert render(value_of(text), DATA) == text


@pytest.mark.parametrize(
    "theirs",
    ["={{ 'Bearer TOKEN' }}", "={{ 'TOKEN' + $json.body.a }}", "={{ f(`TOKEN`) }}"],
)
def test_a_credential_in_an_expression_is_kept_nowhere(theirs: str) -> None:
    token = "ghp_" + "a1B2" * 10
    theirs = theirs.replace("TOKEN", token)
    fields = {"assignments": {"assignments": [{"name": "v", "value": theirs}]}}
    found = line(node("Here", "set", fields, 3.4))

    assert token not in str(found.document)
    assert token not in str(found.report.as_data())
    assert "credential" in told(found, "Here").differs[0]
