"""A webhook starts the workflow: who may send, what counts, what is ignored.

The stored config, every key optional:

    scheme              one of `workflows.triggers.schemes.SCHEMES`; absent: none
    <scheme's name>     the scheme's options, as in {"hmac": {"header": "X-Sig"}}; they
                        may be written flat beside `scheme` and are moved here
    path                an address besides the key, without a leading slash
    methods             default ["POST"] (`method` is read too)
    events              names or patterns ("pull_request*", case matters) of which one
                        must match the event's name; absent: all
    required_headers    names of headers that must be there
    idempotency         {"by": "delivery"}: Idempotency-Key, webhook-id or the scheme's
                        id header (the default); {"by": "header", "header": NAME};
                        {"by": "template", "template": "{{ trigger.payload.id }}"};
                        {"by": "body", "window": seconds, 300 by default};
                        {"by": "none"}. `by` may be left out beside its own key, and a
                        text stands for {"by": text}, or for the template that it is
    condition           an expression over `trigger` and `variables`; when it is not
                        true the event is filtered
    max_body            bytes, at most 25 MiB; absent: AUTOMATE_MAX_BODY
    response_mode       "accept" (the default): answer at once; "wait": hold the request
                        until a `respond` step answers it or the run ends
    rate_limit          "100/m": events that it takes; absent: any number
    response_timeout    seconds that "wait" holds it at most: 10 by default, at most 30
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from automate.lib.durations import parse_duration
from workflows.definition.steps import NO_SCHEME
from workflows.expressions import Template, TemplateError, parse, parse_condition
from workflows.triggers import written
from workflows.triggers.base import TriggerKind, register
from workflows.triggers.schemes import SCHEMES, Scheme, named, scheme_of
from workflows.triggers.webhook_schema import CONFIG_SCHEMA

DEFAULT_WINDOW = 300
DEFAULT_WAIT = 10.0  # seconds
ROOTS = frozenset({"trigger", "variables"})


@register
class Webhook(TriggerKind):
    kind = "webhook"
    label = "Webhook"
    description = "Another system posts an event to the trigger's address."
    config_schema = CONFIG_SCHEMA
    addressed = True

    def normalise(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Moves flat options below the scheme's name and spells out shorthands."""
        result = dict(config)
        if result.get("scheme") in (None, ""):
            result["scheme"] = "none"
        result["scheme"] = named(result["scheme"])
        if isinstance(result.get("path"), str):
            result["path"] = result["path"].lstrip("/")
        if result.get("path") in (None, ""):
            result.pop("path", None)
        if "method" in result and "methods" not in result:
            method = result.pop("method")
            result["methods"] = method if isinstance(method, list) else [method]
        if isinstance(result.get("methods"), list):
            result["methods"] = [
                item.upper() if isinstance(item, str) else item
                for item in result["methods"]
            ]
        if isinstance(result.get("events"), str):
            result["events"] = [result["events"]]
        if "idempotency" in result:
            result["idempotency"] = _idempotency(result["idempotency"])
        if isinstance(result.get("response_timeout"), str):
            result["response_timeout"] = _seconds(result["response_timeout"])
        return _options_in_place(result)

    def written_schema(self) -> Mapping[str, Any]:
        return written.webhook(self.config_schema)

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        chosen = scheme_of(config)
        for scheme in SCHEMES.values():
            if scheme.name in config and scheme is not chosen:
                message = f'is for the scheme "{scheme.name}", not "{chosen.name}"'
                yield scheme.name, message
        yield from _check_expression(
            "condition", config.get("condition"), parse_condition
        )
        if "response_timeout" in config and config.get("response_mode") != "wait":
            yield "response_timeout", 'is only for {"response_mode": "wait"}'
        idempotency = config.get("idempotency")
        if idempotency:
            yield from _check_idempotency(idempotency)

    def about_unknown(self, config: Mapping[str, Any], key: str) -> str:
        """Whose option it is, or where the options of the chosen scheme stand."""
        owners = [
            scheme.name
            for scheme in SCHEMES.values()
            if key in scheme.options_schema.get("properties", {})
        ]
        name = config.get("scheme")
        chosen = SCHEMES.get(name) if isinstance(name, str) else None
        if chosen is None or not owners:
            return ""
        if chosen.name in owners:
            return f'options stand beside "scheme" or under "{chosen.name}", each once'
        return f'is an option of {", ".join(owners)}; "scheme" here is "{chosen.name}"'

    def warnings(self, config: Mapping[str, Any]) -> Iterable[str]:
        if scheme_of(config).name == "none":
            yield NO_SCHEME

    def needs_secret(self, config: Mapping[str, Any]) -> bool:
        return scheme_of(config).secret_required

    def new_secret(self, config: Mapping[str, Any]) -> str:
        scheme = scheme_of(config)
        if not scheme.secret_required:
            raise LookupError(f'The scheme "{scheme.name}" has no secret.')
        if scheme.new_secret is None:
            raise LookupError(f"{scheme.label} makes the secret: {scheme.shown_at}.")
        return scheme.new_secret()

    def check_secret(self, config: Mapping[str, Any], secret: str) -> str:
        return scheme_of(config).check_secret(secret)


def longest_wait(config: Mapping[str, Any]) -> float:
    """Seconds that a sender may be kept waiting for the answer; 0: not at all."""
    if config.get("response_mode") != "wait":
        return 0.0
    return float(config.get("response_timeout") or DEFAULT_WAIT)


def _options_in_place(config: dict[str, Any]) -> dict[str, Any]:
    name = config["scheme"]
    scheme = SCHEMES.get(name) if isinstance(name, str) else None
    if scheme is None:
        return config
    options = scheme.options_schema.get("properties", {})
    flat = [
        key for key in options if key in config and not _is_block(scheme, config, key)
    ]
    if not flat:
        return config
    nested = config.get(scheme.name, {})
    # What is given in both places stays where it is, for the schema to refuse.
    if isinstance(nested, dict) and not nested.keys() & set(flat):
        config[scheme.name] = {**nested, **{name: config.pop(name) for name in flat}}
    return config


def _is_block(scheme: Scheme, config: Mapping[str, Any], key: str) -> bool:
    """Whether all options are meant, under another name of the scheme.

    `header` is an option, and another name of `token`: left there for the schema to
    refuse, because options stand under the scheme's own name.
    """
    return key in scheme.aliases and isinstance(config[key], dict)


def _idempotency(value: Any) -> Any:
    if isinstance(value, str):
        return {"by": "template", "template": value} if "{{" in value else {"by": value}
    if not isinstance(value, dict):
        return value
    result = dict(value)
    for key, by in (("header", "header"), ("template", "template"), ("window", "body")):
        if key in result:
            result.setdefault("by", by)
    if isinstance(result.get("window"), str):
        seconds = _seconds(result["window"])
        result["window"] = int(seconds) if isinstance(seconds, float) else seconds
    return result


def _seconds(text: str) -> float | str:
    """Of "5m"; the text itself where it is none, for the schema to refuse."""
    try:
        return parse_duration(text).total_seconds()
    except (ValueError, OverflowError):
        return text


def _check_idempotency(value: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    by = value["by"]
    wanted = {"header": "header", "template": "template", "body": "window"}
    for owner, key in wanted.items():
        if key in value and owner != by:
            yield f"idempotency.{key}", f'is only for {{"by": "{owner}"}}'
        elif owner == by and key not in value and owner != "body":
            yield f"idempotency.{key}", "is required"
    yield from _check_expression("idempotency.template", value.get("template"), parse)


def _check_expression(
    where: str, source: object, read: Callable[[str], Template]
) -> Iterable[tuple[str, str]]:
    if not isinstance(source, str):
        return
    try:
        template = read(source)
    except TemplateError as error:
        yield where, error.message
        return
    if not template.is_template:
        yield where, "must hold an expression: {{ ... }}"
    for root in sorted({str(path[0]) for path in template.references if path} - ROOTS):
        yield where, f'cannot use "{root}": only trigger and variables exist here'
