"""What may be done with a secret: only what redaction finds again in history."""

from __future__ import annotations

import json

import pytest

from automate.lib.redaction import Redactor
from tests.workflows.expressions.helpers import value_of
from workflows.expressions import TemplateError, parse

SECRETS = {"KEY": 'Ab1!"x/ö\\ y&Z-09', "USER": "somebody"}

ALLOWED = [
    "secrets.KEY",
    "secrets['KEY']",
    "'Bearer ' ~ secrets.KEY",
    "'Bearer ' + secrets.KEY",
    "secrets.KEY | b64encode",
    "(secrets.USER ~ ':' ~ secrets.KEY) | b64encode",
    "'Basic ' ~ ((secrets.USER ~ ':' ~ secrets.KEY) | b64encode)",
    "secrets.KEY | urlencode",
    "{'key': secrets.KEY, 'n': 1} | urlencode",
    "{'a': [secrets.KEY]}",
    "{'a': [secrets.KEY]} | json",
    "[secrets.KEY] + [secrets.USER]",
    "[secrets.KEY] ~ 'x'",
    "secrets.KEY | trim",
    "secrets.KEY | json",
    "secrets.NONE | default(secrets.KEY)",
    "secrets.KEY if secrets.USER is defined else 'x'",
    "secrets.KEY if index == 3 else secrets.USER",
    "secrets.KEY or 'x'",
    "not secrets.KEY",
    "secrets.NONE is undefined",
]

REFUSED = [
    "secrets.KEY | upper",
    "secrets.KEY | reverse",
    "secrets.KEY | sha256",
    "secrets.KEY | length",
    "secrets.KEY | first",
    "secrets.KEY | replace('A', 'B')",
    "secrets.KEY | truncate(5, '')",
    "secrets.KEY | trim('A')",
    "secrets.KEY | split('-')",
    "[secrets.KEY] | first | reverse",
    "{'a': secrets.KEY}.a | upper",
    "{'a': secrets.KEY}.a",
    "secrets.KEY[0:3]",
    "secrets.KEY[1]",
    "(secrets.KEY ~ '')[0:3]",
    "secrets.KEY < 'B'",
    "'A' in secrets.KEY",
    "trigger.payload == secrets.KEY",
    "secrets.KEY is eq 'x'",
    "'x' if secrets.KEY == 'x' else 'y'",
    "secrets.KEY * 2",
    "-secrets.KEY",
    "'abc' | replace('b', secrets.KEY)",
    "'abc' | truncate(length=secrets.KEY)",
    "trigger[secrets.KEY]",
    "(trigger.nowhere | default(secrets.KEY)) | upper",
    "(secrets.KEY or 'x') | upper",
    "(secrets.KEY if index else 'x') | reverse",
    "secrets.KEY | b64encode | reverse",
    "secrets | json | reverse",
    "secrets | values | first | upper",
]

# Encodings on top of each other: the redactor knows the value in one of them.
STACKED = [
    "secrets.KEY | b64encode | b64encode",
    "secrets.KEY | json | b64encode",
    "({'a': secrets.KEY} ~ '') | b64encode",
    "[secrets.KEY] | json | b64encode",
    "secrets.KEY | urlencode | b64encode",
]


@pytest.mark.parametrize("expression", ALLOWED)
def test_what_is_allowed_is_hidden_in_history(expression: str) -> None:
    redactor = Redactor(SECRETS.values())
    value = value_of(expression, secrets=SECRETS, index=3)
    for shown in (
        redactor.data({"x": value})["x"],
        redactor.text(json.dumps({"x": value})),
        redactor.text(f"failed at {value}"),
    ):
        text = shown if isinstance(shown, str) else json.dumps(shown)
        for part in ("Ab1", "x/", "Z-09", "somebody", "QWIx", "c29tZ"):
            assert part not in text


@pytest.mark.parametrize("expression", [*REFUSED, *STACKED])
def test_whatever_else_would_be_made_of_a_secret_is_refused(expression: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(f"{{{{ {expression} }}}}")
    assert "history could not hide what becomes of it" in caught.value.message


@pytest.mark.parametrize("expression", REFUSED)
def test_also_at_run_where_an_old_version_may_hold_it(expression: str) -> None:
    with pytest.raises(TemplateError, match="history could not hide"):
        value_of(expression, secrets=SECRETS)


def test_the_message_says_what_is_allowed() -> None:
    with pytest.raises(TemplateError) as caught:
        parse("Key {{ secrets.KEY | upper }}")
    assert caught.value.message == (
        'a secret cannot be used through "upper": history could not hide what becomes '
        "of it. Join it with ~, or use it with default, b64encode, json, trim, "
        "urlencode; encode it once"
    )


def test_text_around_a_secret_and_other_values_are_free() -> None:
    assert value_of("secrets.USER ~ (index | string | reverse)", **free()) == (
        "somebody21"
    )
    assert value_of("'secrets.KEY' | upper", **free()) == "SECRETS.KEY"


def free() -> dict[str, object]:
    return {"secrets": SECRETS, "index": 12}
