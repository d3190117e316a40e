from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.workflows.definition.kinds import KINDS, definition, step
from workflows.definition import extract_literals, validate
from workflows.expressions import render

# Put together here so that no scanner takes this file for a leak.
GITHUB = "ghp_" + "a1B2" * 9
SHAPES = {
    "github": GITHUB,
    "github fine-grained": "github_pat_" + "A1b2_" * 16,
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "slack": "xoxb-" + "123456789012-abcdefABCDEF",
    "slack webhook": "https://hooks.slack.com" + "/services/T0AB/B0CD/aBcDeFgH",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "dozjgNryP4J3jVmNHl0w5N",
    "gitlab": "glpat-" + "abcdefghij0123456789",
    "sendgrid": "SG." + "a" * 22 + "." + "b" * 43,
    "standard webhooks": "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
}


def call(**config: Any) -> dict[str, Any]:
    config.setdefault("url", "https://x.test")
    return definition([{"id": "notify", "type": "http_request", "config": config}])


def extracted(**config: Any) -> tuple[dict[str, Any], dict[str, str]]:
    found, secrets, _ = extract_literals(call(**config))
    return found["nodes"][0]["config"], secrets


@pytest.mark.parametrize(
    ("header", "value", "left", "name", "secret"),
    [
        ("Authorization", "Bearer abc", "Bearer ", "NOTIFY_AUTHORIZATION", "abc"),
        ("authorization", "Basic dTpw", "Basic ", "NOTIFY_AUTHORIZATION", "dTpw"),
        ("Authorization", "token abc", "token ", "NOTIFY_AUTHORIZATION", "abc"),
        ("Authorization", "abc", "", "NOTIFY_AUTHORIZATION", "abc"),
        ("Cookie", "sid=1; b=2", "", "NOTIFY_COOKIE", "sid=1; b=2"),
        ("X-Gitlab-Token", "abc", "", "NOTIFY_X_GITLAB_TOKEN", "abc"),
        ("X-Api-Key", "abc", "", "NOTIFY_X_API_KEY", "abc"),
        ("apikey", "abc", "", "NOTIFY_APIKEY", "abc"),
    ],
)
def test_a_credential_header_becomes_a_secret(
    header: str, value: str, left: str, name: str, secret: str
) -> None:
    config, secrets = extracted(headers={header: value})
    assert config["headers"] == {header: f"{left}{{{{ secrets.{name} }}}}"}
    assert secrets == {name: secret}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", "Bearer {{ secrets.MINE }}"),
        ("Authorization", "{{ trigger.headers.authorization }}"),
        ("Authorization", "Bearer "),
        ("Content-Type", "application/json"),
        ("X-Tokens", "5"),
    ],
)
def test_a_template_and_an_ordinary_header_stay(header: str, value: str) -> None:
    config, secrets = extracted(headers={header: value})
    assert config["headers"] == {header: value}
    assert secrets == {}


@pytest.mark.parametrize("token", SHAPES.values(), ids=SHAPES)
def test_a_well_known_shape_is_found_anywhere_in_a_config(token: str) -> None:
    config, secrets = extracted(
        url=f"https://x.test/?t={token}&u=1", body={"deep": [f"use {token}, please"]}
    )
    # Equal values share one secret.
    assert secrets == {"NOTIFY_URL": token}
    assert config["url"] == "https://x.test/?t={{ secrets.NOTIFY_URL }}&u=1"
    assert config["body"] == {"deep": ["use {{ secrets.NOTIFY_URL }}, please"]}


@pytest.mark.parametrize(
    "text",
    [
        "ghp_short",
        "task_live_0123456789abcdef",
        "eyJust.a word",
        "SG.x.y",
        "AKIAlowercase1234567",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert extracted(body=text) == ({"url": "https://x.test", "body": text}, {})


def test_a_shape_beside_an_expression_is_found_and_the_expression_kept() -> None:
    text = f"{{{{ run.id }}}} {GITHUB} {{{{ trigger.id }}}}"
    config, secrets = extracted(body=text)
    assert config["body"] == ("{{ run.id }} {{ secrets.NOTIFY_BODY }} {{ trigger.id }}")
    assert secrets == {"NOTIFY_BODY": GITHUB}


@pytest.mark.parametrize(
    ("url", "expected", "secret"),
    [
        ("https://u:p@x.test/a?b", "https://{{ secrets.%s }}@x.test/a?b", "u:p"),
        ("https://key@x.test", "https://{{ secrets.%s }}@x.test", "key"),
        ("https://x.test/@me", "https://x.test/@me", None),
        ("https://{{ secrets.U }}@x.test", "https://{{ secrets.U }}@x.test", None),
        ("https://x.test/?mail=a@b.test", "https://x.test/?mail=a@b.test", None),
    ],
)
def test_the_login_in_a_url_becomes_a_secret(
    url: str, expected: str, secret: str | None
) -> None:
    config, secrets = extracted(url=url)
    name = "NOTIFY_URL_LOGIN"
    assert config["url"] == (expected % name if secret else expected)
    assert secrets == ({name: secret} if secret else {})


def test_a_signing_secret_of_any_form_becomes_a_secret() -> None:
    config, secrets = extracted(
        signing={"scheme": "standard_webhooks", "secret": "plain words"}
    )
    assert config["signing"]["secret"] == "{{ secrets.NOTIFY_SIGNING_SECRET }}"
    assert config["signing"]["scheme"] == "standard_webhooks"
    assert secrets == {"NOTIFY_SIGNING_SECRET": "plain words"}


def test_names_avoid_those_taken_and_those_referred_to() -> None:
    value = call(
        headers={"Authorization": "one", "X-Token": "two"},
        body="{{ secrets.NOTIFY_AUTHORIZATION }}",
    )
    _, secrets, _ = extract_literals(value, taken={"NOTIFY_X_TOKEN"})
    assert secrets == {"NOTIFY_AUTHORIZATION_2": "one", "NOTIFY_X_TOKEN_2": "two"}


def test_each_find_is_told_with_its_place_and_without_its_value() -> None:
    _, _, messages = extract_literals(call(headers={"Authorization": "Bearer abc123"}))
    assert [problem.path for problem in messages] == [
        "nodes[0].config.headers.Authorization"
    ]
    assert "NOTIFY_AUTHORIZATION" in messages[0].message
    assert "abc123" not in messages[0].message


def test_other_parts_are_searched_and_validation_tells_where_it_cannot_be() -> None:
    value = definition([step("a", {"x": GITHUB})], variables={"y": GITHUB})
    found, secrets, messages = extract_literals(value)
    assert secrets == {"A_VALUES_X": GITHUB}
    assert len(messages) == 2
    assert GITHUB not in repr(found)
    assert {problem.path for problem in validate(found, KINDS)} == {
        "nodes[0].config.values.x",
        "variables.y",
    }


def test_the_result_is_sound_renders_to_the_original_and_is_stable() -> None:
    value = call(
        url="https://u:p@x.test/",
        headers={"Authorization": "Bearer abc", "X-Token": GITHUB},
        body={"again": GITHUB},
    )
    before = deepcopy(value)
    found, secrets, _ = extract_literals(value)
    assert value == before
    assert validate(found, KINDS) == []
    assert render(found, {"secrets": secrets}) == value
    again, more, messages = extract_literals(found)
    assert (again, more, messages) == (found, {}, [])
