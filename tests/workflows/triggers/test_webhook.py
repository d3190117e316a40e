"""The webhook's config: one stored form for every spelling; what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from workflows.triggers.base import all_kinds, get, problems_of
from workflows.triggers.schemes import (
    SCHEMES,
    event_header,
    id_header,
    options_of,
    scheme_of,
)
from workflows.triggers.webhook import longest_wait
from workflows.triggers.webhook_schema import MAX_BODY

WEBHOOK = get("webhook")


def stored(**config: Any) -> dict[str, Any]:
    return WEBHOOK.normalise(config)


def problems(**config: Any) -> dict[str, str]:
    found = problems_of(WEBHOOK, WEBHOOK.normalise(config))
    return {problem.path: problem.message for problem in found}


def test_every_config_schema_is_json_schema() -> None:
    of_schemas = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    for kind in all_kinds().values():
        assert of_schemas.is_valid(dict(kind.config_schema)), kind
    for scheme in SCHEMES.values():
        assert of_schemas.is_valid(dict(scheme.options_schema)), scheme


def test_the_defaults_of_a_scheme_fit_its_options_schema() -> None:
    for scheme in SCHEMES.values():
        given = {key: value for key, value in scheme.defaults.items() if value != ""}
        assert Draft202012Validator(dict(scheme.options_schema)).is_valid(given)


@pytest.mark.parametrize("config", [{}, {"scheme": None}, {"scheme": ""}])
def test_without_a_scheme_it_is_none_with_a_warning(config: dict[str, Any]) -> None:
    normal = WEBHOOK.normalise(config)
    assert normal == {"scheme": "none"}
    assert problems_of(WEBHOOK, normal) == []
    [warning] = WEBHOOK.warnings(normal)
    assert "no signature scheme" in warning


def test_a_scheme_that_proves_the_sender_has_no_warning() -> None:
    assert list(WEBHOOK.warnings(stored(scheme="github"))) == []


def test_flat_and_nested_options_are_stored_alike() -> None:
    options = {"header": "X-Sig", "prefix": "sha1=", "hash": "sha1", "encoding": "hex"}
    flat = stored(scheme="hmac", **options)
    nested = stored(scheme="hmac", hmac=options)
    assert flat == nested == {"scheme": "hmac", "hmac": options}
    assert problems_of(WEBHOOK, flat) == []


def test_flat_and_nested_options_may_be_mixed_but_not_doubled() -> None:
    mixed = stored(scheme="hmac", hmac={"header": "X-Sig"}, prefix="v0=")
    assert mixed["hmac"] == {"header": "X-Sig", "prefix": "v0="}
    assert "config.header" in problems(
        scheme="hmac", hmac={"header": "X-Sig"}, header="X-Other"
    )


def test_a_token_in_a_header_may_be_called_by_that() -> None:
    token = {"scheme": "token", "token": {"header": "X-Key"}}
    assert stored(scheme="header", header="X-Key") == token
    assert stored(scheme="token", header="X-Key") == token
    assert stored(scheme="header", token={"header": "X-Key"}) == token
    assert problems(scheme="header", header="X-Key") == {}


def test_the_options_of_a_scheme_stand_under_its_own_name_alone() -> None:
    """`header` is an option too, so what stands under it can be no options."""
    found = problems(scheme="header", header={"header": "X-Key"})
    where = 'options stand beside "scheme" or under "token", each once'
    assert found == {"config.header": where}
    assert problems(scheme="token", token={"header": "X-A"}, header="X-B") == found


def test_options_of_another_scheme_are_refused() -> None:
    found = problems(scheme="github", hmac={"header": "X-Sig"})
    assert found == {"config.hmac": 'is for the scheme "hmac", not "github"'}


def test_an_option_says_whose_it_is() -> None:
    whose = "is an option of hmac, token; "
    found = problems(scheme="github", header="X-Sig")
    assert found == {"config.header": f'{whose}"scheme" here is "github"'}
    found = problems(header="X-Sig")
    assert found == {"config.header": f'{whose}"scheme" here is "none"'}
    assert problems(heeder="X-Sig")["config.heeder"].startswith("unknown key (known")
    assert problems(scheme="pgp", header="X")["config.header"].startswith("unknown key")


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"scheme": "hmac", "hash": "md5"}, "config.hmac.hash"),
        ({"scheme": "hmac", "encoding": "base32"}, "config.hmac.encoding"),
        ({"scheme": "hmac", "header": "a b"}, "config.hmac.header"),
        ({"scheme": "hmac", "tolerance": 0}, "config.hmac.tolerance"),
        ({"scheme": "hmac", "hmac": "x"}, "config.hmac"),
        ({"scheme": "hmac", "hmac": {"colour": 1}}, "config.hmac.colour"),
        ({"scheme": "pgp"}, "config.scheme"),
        ({"scheme": 3}, "config.scheme"),
        ({"scheme": "github", "header": "X"}, "config.header"),
        ({"path": "a b"}, "config.path"),
        ({"path": "a//b"}, "config.path"),
        ({"path": "a/"}, "config.path"),
        ({"path": "a\n"}, "config.path"),
        ({"path": "../x?y"}, "config.path"),
        ({"path": "x" * 201}, "config.path"),
        ({"methods": []}, "config.methods"),
        ({"methods": ["BREW"]}, "config.methods[0]"),
        ({"method": "POST", "methods": ["POST"]}, "config.method"),
        ({"events": []}, "config.events"),
        ({"events": [3]}, "config.events[0]"),
        ({"required_headers": {"X-A": "b"}}, "config.required_headers"),
        ({"required_headers": ["a:b"]}, "config.required_headers[0]"),
        ({"max_body": MAX_BODY + 1}, "config.max_body"),
        ({"max_body": 0}, "config.max_body"),
        ({"condition": "{{ trigger."}, "config.condition"),
        ({"condition": "{{ secrets.KEY }}"}, "config.condition"),
        ({"condition": "{{ steps.a.b }} == 1"}, "config.condition"),
        ({"idempotency": "sometimes"}, "config.idempotency.by"),
        ({"idempotency": {}}, "config.idempotency.by"),
        ({"idempotency": {"by": "header"}}, "config.idempotency.header"),
        ({"idempotency": {"by": "template"}}, "config.idempotency.template"),
        ({"idempotency": "{{ run.id }}"}, "config.idempotency.template"),
        (
            {"idempotency": {"by": "template", "template": "constant"}},
            "config.idempotency.template",
        ),
        (
            {"idempotency": {"by": "delivery", "header": "X"}},
            "config.idempotency.header",
        ),
        ({"idempotency": {"window": "soon"}}, "config.idempotency.window"),
        ({"idempotency": {"window": 31 * 86400}}, "config.idempotency.window"),
        ({"secrte": "x"}, "config.secrte"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(config: dict[str, Any], path: str) -> None:
    assert list(problems(**config)) == [path]


@pytest.mark.parametrize("text", ["5/s", "100/m", "1000/h", " 10 / m "])
def test_a_rate_limit_is_a_number_and_a_unit_of_time(text: str) -> None:
    assert problems(rate_limit=text) == {}


@pytest.mark.parametrize("given", [5, "", "5", "0/s", "5/d", "5/s\n", ["5/s"], None])
def test_what_is_no_rate_is_told_with_what_would_be_right(given: Any) -> None:
    assert problems(rate_limit=given) == {
        "config.rate_limit": "must be a number and a unit of time: 10/s, 100/m or "
        "1000/h"
    }


@pytest.mark.parametrize(("given", "seconds"), [(5, 5), ("20s", 20.0), (0.5, 0.5)])
def test_a_sender_may_be_kept_waiting(given: Any, seconds: float) -> None:
    config = stored(response_mode="wait", response_timeout=given)
    assert problems_of(WEBHOOK, config) == []
    assert longest_wait(config) == seconds


def test_a_sender_waits_ten_seconds_unless_told_otherwise() -> None:
    assert problems(response_mode="wait") == {}
    assert longest_wait(stored(response_mode="wait")) == 10
    assert longest_wait(stored(response_mode="accept")) == 0
    assert longest_wait(stored()) == 0


@pytest.mark.parametrize("given", [0, -1, 31, "soon", "1m", True, None])
def test_a_time_to_wait_that_is_none_is_told(given: Any) -> None:
    config = {"response_mode": "wait", "response_timeout": given}
    assert list(problems(**config)) == ["config.response_timeout"]


def test_a_time_to_wait_is_only_for_who_waits() -> None:
    for mode in ({}, {"response_mode": "accept"}):
        message = problems(response_timeout=5, **mode)["config.response_timeout"]
        assert message == 'is only for {"response_mode": "wait"}'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("body", {"by": "body"}),
        ("none", {"by": "none"}),
        (
            "{{ trigger.payload.id }}",
            {"by": "template", "template": "{{ trigger.payload.id }}"},
        ),
        ({"header": "X-Id"}, {"by": "header", "header": "X-Id"}),
        ({"window": "5m"}, {"by": "body", "window": 300}),
        ({"by": "delivery"}, {"by": "delivery"}),
    ],
)
def test_idempotency_is_stored_in_one_form(given: Any, expected: Any) -> None:
    normal = stored(idempotency=given)
    assert normal["idempotency"] == expected
    assert problems_of(WEBHOOK, normal) == []


def test_paths_methods_and_events_are_stored_in_one_form() -> None:
    normal = stored(path="//a/b", method="post", events="push")
    assert normal["path"] == "a/b"
    assert (normal["methods"], normal["events"]) == (["POST"], ["push"])
    assert "path" not in stored(path="/")


@pytest.mark.parametrize(
    "condition",
    [
        "{{ trigger.payload.a }}",
        "{{trigger.payload.a}} == 200",
        "trigger.payload.a > 1",
    ],
)
def test_conditions_over_the_trigger_are_accepted(condition: str) -> None:
    assert problems(condition=condition) == {}


def test_options_come_with_their_defaults() -> None:
    options = options_of({"scheme": "hmac", "hmac": {"hash": "sha1"}})
    assert (options["hash"], options["header"]) == ("sha1", "X-Signature")
    assert options["tolerance"] == 300
    assert options_of({"scheme": "standard_webhooks"}) == {"tolerance": 300}
    assert scheme_of({}).name == "none"


def test_the_delivery_and_event_headers_are_the_providers_unless_hmac_says() -> None:
    assert id_header({"scheme": "github"}) == "X-GitHub-Delivery"
    assert event_header({"scheme": "github"}) == "X-GitHub-Event"
    assert id_header({"scheme": "standard_webhooks"}) == "webhook-id"
    hmac = {"scheme": "hmac", "hmac": {"id_header": "X-Id", "event_header": "X-Ev"}}
    assert (id_header(hmac), event_header(hmac)) == ("X-Id", "X-Ev")
    assert id_header({"scheme": "hmac"}) == ""


def test_generated_secrets_fit_their_scheme_and_differ() -> None:
    for scheme in SCHEMES.values():
        config = {"scheme": scheme.name}
        if not scheme.secret_required:
            with pytest.raises(LookupError):
                WEBHOOK.new_secret(config)
            continue
        if scheme.new_secret is None:
            with pytest.raises(LookupError, match=scheme.shown_at[:20]):
                WEBHOOK.new_secret(config)
            continue
        first, second = WEBHOOK.new_secret(config), WEBHOOK.new_secret(config)
        assert first != second
        assert len(first) >= 32
        assert WEBHOOK.check_secret(config, first) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*WEBHOOK.config_schema["properties"], "method", "header", "x"])


@given(st.dictionaries(KEYS, JSON | st.sampled_from(list(SCHEMES)), max_size=5))
def test_no_config_breaks_the_reading_and_reading_twice_changes_nothing(
    config: dict[str, Any],
) -> None:
    before = json.dumps(config)
    once = WEBHOOK.normalise(config)
    assert json.dumps(config) == before
    if not problems_of(WEBHOOK, once):
        assert WEBHOOK.normalise(once) == once
