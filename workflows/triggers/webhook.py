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
from automate.lib.rates import RATE_PATTERN
from workflows.definition.steps import NO_SCHEME
from workflows.expressions import Template, TemplateError, parse, parse_condition
from workflows.triggers import written
from workflows.triggers.base import TriggerKind, register
from workflows.triggers.schemes import HEADER_NAME, SCHEMES, Scheme, named, scheme_of

MAX_BODY = 25 * 1024 * 1024
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
IDEMPOTENCY = ("body", "delivery", "header", "none", "template")
DEFAULT_WINDOW = 300
DEFAULT_WAIT = 10.0  # seconds
LONGEST_WAIT = 30
PATH = r"^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$(?!\n)"
ROOTS = frozenset({"trigger", "variables"})

_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
_HEADER = {
    "type": "string",
    "pattern": HEADER_NAME,
    "maxLength": 100,
    "x-message": "must be the name of an HTTP header",
}
_TEMPLATE = {"type": "string", "minLength": 1, "maxLength": 4096}

_IDEMPOTENCY = {
    "title": "Idempotency",
    "type": "object",
    "additionalProperties": False,
    "required": ["by"],
    "properties": {
        "by": {"title": "By", "enum": list(IDEMPOTENCY)},
        "header": {**_HEADER, "title": "Header"},
        "template": {**_TEMPLATE, "title": "Template"},
        "window": {
            "title": "Window in seconds",
            "type": "integer",
            "minimum": 1,
            "maximum": 30 * 86_400,
        },
    },
}


def _with_options(scheme: Scheme) -> dict[str, Any]:
    return {"title": f"Options of {scheme.label}", **scheme.options_schema}


CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "scheme": {"title": "Signature scheme", "enum": list(SCHEMES)},
        "path": {
            "title": "Path",
            "type": "string",
            "maxLength": 200,
            "pattern": PATH,
            "x-message": "must be letters, digits, . _ ~ and -, with single / between",
        },
        "methods": {
            "title": "Methods",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(METHODS)},
        },
        "events": {
            "title": "Events",
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": _TEXT,
        },
        "required_headers": {
            "title": "Required headers",
            "type": "array",
            "maxItems": 50,
            "items": _HEADER,
        },
        "idempotency": _IDEMPOTENCY,
        "condition": {**_TEMPLATE, "title": "Condition"},
        "max_body": {
            "title": "Largest body in bytes",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_BODY,
        },
        "response_mode": {
            "title": "Answer",
            "enum": ["accept", "wait"],
        },
        "response_timeout": {
            "title": "Wait for the answer at most, in seconds",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": LONGEST_WAIT,
        },
        "rate_limit": {
            "title": "Rate limit",
            "type": "string",
            "pattern": RATE_PATTERN,
            "x-message": "must be a number and a unit of time: 10/s, 100/m or 1000/h",
        },
        **{
            scheme.name: _with_options(scheme)
            for scheme in SCHEMES.values()
            if scheme.defaults
        },
    },
}


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
    scheme = SCHEMES.get(config["scheme"]) if _is_name(config["scheme"]) else None
    names = scheme.options_schema.get("properties", {}) if scheme else {}
    flat = [name for name in names if name in config]
    if scheme is None or not flat:
        return config
    nested = config.get(scheme.name, {})
    # What is given in both places stays where it is, for the schema to refuse.
    if isinstance(nested, dict) and not nested.keys() & set(flat):
        config[scheme.name] = {**nested, **{name: config.pop(name) for name in flat}}
    return config


def _is_name(value: object) -> bool:
    return isinstance(value, str)


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
