"""Set, which is called Edit Fields since its version 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workflows.integrations.n8n.data import Over, Path, Plain
from workflows.integrations.n8n.expr import literal
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.nodes.base import Job, Made, Unsupported, converts
from workflows.integrations.n8n.nodes.paths import lodash_path
from workflows.integrations.n8n.source import listed, mapping, number, text

Field = tuple[str, str, Any]  # name, type, value
_DEFAULTS = {"number": 0, "boolean": True, "array": "", "object": "{}"}


@converts("set")
def set_node(job: Job) -> Made:
    dotted = job.options.get("dotNotation") is not False
    others = _others(job)
    paths: list[Path] = []
    if job.node.version >= 3 and job.plain("mode", "manual") == "raw":
        values = _raw(job)
        paths += [(key,) for key in values] if isinstance(values, dict) else []
    else:
        values = {}
        for name, kind, value in _fields(job):
            path = _path(job.values.text(name), dotted=dotted)
            _put(job, values, path, _typed(job, kind, value))
            paths.append(path)
    if text(job.parameters.get("duplicateCount")) not in ("", "0"):
        job.note("the item is not repeated")
    config = {"values": values}
    if others == "all":
        return Made("set", config, Over(job.node.name, job.root, frozenset(paths)))
    if others:
        config = {"values": _with_others(job, values, others)}
    return Made("set", config, Plain(job.root))


def _fields(job: Job) -> Iterator[Field]:
    """The fields in the shapes of all versions."""
    given = job.parameters
    if "assignments" in given:
        for item in listed(mapping(given["assignments"]).get("assignments")):
            field = mapping(item)
            yield text(field.get("name")), text(field.get("type")), field.get("value")
        return
    if "fields" in given:
        for item in listed(mapping(given["fields"]).get("values")):
            field = mapping(item)
            kind = text(field.get("type")).removesuffix("Value") or "string"
            value = field.get(f"{kind}Value", field.get(kind, _DEFAULTS.get(kind, "")))
            yield text(field.get("name")), kind, value
        return
    for kind, items in mapping(given.get("values")).items():
        for item in listed(items):
            field = mapping(item)
            default = {"number": 0, "boolean": False}.get(kind, "")
            yield text(field.get("name")), f"old {kind}", field.get("value", default)


def _others(job: Job) -> str:
    """Which fields of what arrived are kept: `all`, "" for none, or a sort of both."""
    given, version = job.parameters, job.node.version
    if version < 3:
        return "" if given.get("keepOnlySet") is True else "all"
    default = "all" if version < 3.3 else ""
    if given.get("includeOtherFields") is True:
        chosen = text(given.get("include")) or "all"
    elif given.get("includeOtherFields") is False:
        return ""
    else:
        chosen = text(given.get("include")) or default
    return {"none": ""}.get(chosen, chosen)


def _with_others(job: Job, values: Any, which: str) -> str:
    """Some fields of what arrived, and those that are set: one expression."""
    name = {"selected": "includeFields", "except": "excludeFields"}.get(which)
    names = [part.strip() for part in text(job.parameters.get(name or "")).split(",")]
    if name is None or not any(names):
        raise Unsupported(f'it keeps other fields by "{which[:40]}"')
    if values:
        raise Unsupported("it sets fields and keeps some others by name")
    kept = ", ".join(literal(part).source for part in names if part)
    chosen = "pick" if which == "selected" else "omit"
    source = f"{{{{ {job.input().operand} | {chosen}([{kept}]) }}}}"
    return job.values.scope.checked(source)


def _raw(job: Job) -> Any:
    try:
        values = job.values.json_text(job.parameters.get("jsonOutput", "{}"))
    except NotRead as error:
        raise Unsupported(f"the JSON of the fields: {error}") from None
    if not isinstance(values, dict | str):
        raise Unsupported("the JSON of the fields is no object")
    return values


def _path(name: str, *, dotted: bool) -> Path:
    """`a.b[0]` as its keys, as lodash reads it; the whole name without dotted names."""
    if not name:
        raise Unsupported("a field has no name")
    if "{{" in name:
        raise Unsupported("a field's name is computed")
    return lodash_path(name) if dotted else (name,)


def _put(job: Job, values: dict[str, Any], path: Path, value: Any) -> None:
    if any(isinstance(key, int) for key in path) or len(path) > 20:
        raise Unsupported("it sets an entry of a list")
    at = values
    for key in path[:-1]:
        inner = at.setdefault(str(key), {})
        if not isinstance(inner, dict):
            job.note(f'"{key}" is set twice: as a value and as an object')
            inner = at[str(key)] = {}
        at = inner
    at[str(path[-1])] = value


def _typed(job: Job, kind: str, value: Any) -> Any:
    """The value in the type that the field has: n8n converts it."""
    if kind in ("array", "object") and isinstance(value, str):
        if not value.strip().removeprefix("="):
            return [] if kind == "array" else {}
        try:
            return job.values.json_text(value)
        except NotRead:
            return job.values.value(value)
    if isinstance(value, str) and not value.startswith("=") and "{{" not in value:
        if kind in ("number", "old number"):
            found = number(value, float("nan"))
            if found == found:
                return int(found) if found == int(found) else found
        if kind in ("boolean", "old boolean") and value.lower() in ("true", "false"):
            return value.lower() == "true"
    if kind in ("string", "old string") and isinstance(value, bool | int | float):
        return job.values.text(value)
    converted = job.values.value(value)
    alone = isinstance(converted, str) and re.fullmatch(r"\{\{.*\}\}", converted, re.S)
    if (
        alone
        and kind in ("number", "boolean", "string")
        and "not converted:" not in converted
    ):
        return _converted(job, kind, value, converted)
    return converted


def _converted(job: Job, kind: str, value: Any, converted: str) -> str:
    """An expression through the filter that makes the type of the field."""
    try:
        found = job.values.expression(value)
    except NotRead:
        return converted
    wanted = {"number": "number", "boolean": "bool", "string": "text"}[kind]
    if found.kind == wanted:
        return converted
    name = {"number": "float", "boolean": "bool", "string": "string"}[kind]
    return job.values.scope.checked(f"{{{{ {found.operand} | {name} }}}}")
