"""What an HTTP Request of n8n's sends: query, headers and body, in all its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows.integrations.n8n.data import Path
from workflows.integrations.n8n.js_tree import NotRead
from workflows.integrations.n8n.nodes.base import Job, Unsupported
from workflows.integrations.n8n.nodes.paths import lodash_path
from workflows.integrations.n8n.source import listed, mapping, text

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORM = "application/x-www-form-urlencoded"
_OLD_KNOWN = frozenset(
    {"bodyContentType", "fullResponse", "ignoreResponseCode", "followRedirect"}
    | {"followAllRedirects", "timeout", "bodyContentCustomMimeType", "useStream"}
    | {"batchSize", "batchInterval", "useQueryString", "splitIntoItems", "proxy"}
)
_NEW_KNOWN = frozenset(
    {"redirect", "response", "timeout", "lowercaseHeaders", "batching", "pagination"}
    | {"queryParameterArrays", "sendCredentialsOnCrossOriginRedirect", "proxy"}
    | {"allowUnauthorizedCerts"}
)
_WITH_BODY = frozenset({"PATCH", "POST", "PUT", "DELETE"})  # before version 3


def old_parts(job: Job, method: str) -> dict[str, Any]:
    """The body, query and headers of versions 1 and 2."""
    given = job.parameters
    if given.get("sendBinaryData") is True:
        raise Unsupported("it sends binary data of an item: there are none here")
    config: dict[str, Any] = {}
    kind = text(job.options.get("bodyContentType")) or "json"
    as_json = given.get("jsonParameters") is True
    for ours, theirs in (("headers", "header"), ("query", "query"), ("body", "body")):
        if ours == "body" and "{{" not in method and method not in _WITH_BODY:
            continue
        if not as_json:
            ui = mapping(given.get(f"{theirs}ParametersUi"))
            items = listed(ui.get("parameter"))
            found: Any = _pairs(job, items, repeated=ours == "query")
        elif ours == "body" and kind == "raw":
            found = job.values.text(given.get("bodyParametersJson", ""))
        else:
            found = _json(job, given.get(f"{theirs}ParametersJson"), ours)
        if found not in ({}, None, ""):
            config[ours] = found
    if "query" in config:
        repeat = job.options.get("useQueryString") is True
        config["query"] = _query(config["query"], "repeat" if repeat else "brackets")
    if "headers" in config:
        config["headers"] = _headers(job, config["headers"])
    config |= _old_body(job, config, kind) if "body" in config else {}
    job.unknown_options(_OLD_KNOWN, job.options)
    return config


def _old_body(job: Job, config: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The form in which the body of versions 1 and 2 is sent."""
    more: dict[str, Any] = {}
    if kind == "multipart-form-data":
        raise Unsupported("it sends a multipart form")
    if kind == "form-urlencoded":
        more["body_format"] = "form"
    elif kind == "raw" and isinstance(config["body"], str):
        more["body_format"] = "text"
    mime = text(job.options.get("bodyContentCustomMimeType"))
    if mime:
        more["headers"] = {**_headers_of(config), "Content-Type": mime}
    return more


def new_parts(job: Job) -> dict[str, Any]:
    """The body, query and headers of version 3 and later."""
    config: dict[str, Any] = {}
    repeated = job.node.version >= 4.3
    if job.parameters.get("sendHeaders") is True:
        found = _specified(
            job, "specifyHeaders", "headerParameters", "jsonHeaders", repeated=repeated
        )
        config["headers"] = _headers(job, found)
    if job.parameters.get("sendQuery") is True:
        found = _specified(
            job, "specifyQuery", "queryParameters", "jsonQuery", repeated=repeated
        )
        arrays = text(job.options.get("queryParameterArrays"))
        config["query"] = _query(found, arrays or "brackets")
        if arrays in ("brackets", "indices") and "{{" in str(found):
            job.note("a list that an expression gives repeats the name, unnumbered")
    if job.parameters.get("sendBody") is True:
        config |= _new_body(job, config)
    job.unknown_options(_NEW_KNOWN, job.options)
    return {key: value for key, value in config.items() if value not in ({}, None)}


def _query(given: Any, arrays: str) -> Any:
    """Lists and objects as names of their own, in the form that n8n gives them."""
    if not isinstance(given, dict):
        return given
    found: dict[str, Any] = {}
    for name, value in given.items():
        found |= _flat(name, value, arrays)
    return found


def _flat(name: str, value: Any, arrays: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(value, dict):
        for key, item in value.items():
            found |= _flat(f"{name}[{key}]", item, arrays)
        return found
    if not isinstance(value, list):
        return {name: value}
    nested = any(isinstance(item, dict | list) for item in value)
    if nested or arrays == "indices":
        for position, item in enumerate(value):
            found |= _flat(f"{name}[{position}]", item, arrays)
        return found
    return {name if arrays == "repeat" else f"{name}[]": value}


def _specified(job: Job, how: str, pairs: str, as_json: str, *, repeated: bool) -> Any:
    if text(job.parameters.get(how)) == "json":
        return _json(job, job.parameters.get(as_json), as_json)
    ui = mapping(job.parameters.get(pairs))
    return _pairs(job, listed(ui.get("parameters")), repeated=repeated)


def _new_body(job: Job, config: Mapping[str, Any]) -> dict[str, Any]:
    kind = text(job.parameters.get("contentType")) or "json"
    how = text(job.parameters.get("specifyBody")) or "keypair"
    ui = listed(mapping(job.parameters.get("bodyParameters")).get("parameters"))
    match kind:
        case "json" if how == "json":
            return {"body": _json_body(job, job.parameters.get("jsonBody"))}
        case "json" if job.node.version >= 4:
            return {"body": _tree(job, ui)}
        case "json":
            return {"body": _pairs(job, ui)}
        case "form-urlencoded" if how == "string":
            typed = {**_headers_of(config), "Content-Type": _FORM}
            return {
                "body": job.values.text(job.parameters.get("body")),
                "headers": typed,
            }
        case "form-urlencoded":
            repeated = job.node.version >= 4.3
            return {"body": _pairs(job, ui, repeated=repeated), "body_format": "form"}
        case "raw":
            body: dict[str, Any] = {"body": job.values.text(job.parameters.get("body"))}
            mime = text(job.parameters.get("rawContentType"))
            if mime and not mime.startswith("="):
                body["headers"] = {**_headers_of(config), "Content-Type": mime}
            return {**body, "body_format": "text"}
        case "multipart-form-data":
            raise Unsupported("it sends a multipart form")
        case "binaryData":
            raise Unsupported("it sends binary data of an item: there are none here")
    raise Unsupported(f'a body of the kind "{kind[:40]}"')


def _headers_of(config: Mapping[str, Any]) -> dict[str, Any]:
    found = config.get("headers")
    return dict(found) if isinstance(found, dict) else {}


def _json_body(job: Job, given: Any) -> Any:
    try:
        return job.values.json_text(given)
    except NotRead:
        job.note(
            "the body is not JSON before its expressions are evaluated: sent as text"
        )
        return job.values.text(given)


def _json(job: Job, given: Any, name: str) -> Any:
    """An object that n8n keeps as JSON text."""
    if given in (None, ""):
        return {}
    try:
        found = job.values.json_text(given)
    except NotRead as error:
        raise Unsupported(f"{name}: {error}") from None
    return found


def _pairs(job: Job, items: list[Any], *, repeated: bool = False) -> dict[str, Any]:
    """Names with values; with `repeated` a name that is there again makes a list."""
    found: dict[str, Any] = {}
    for name, value in _named(items):
        if name.startswith("=") or "{{" in name:
            name = job.values.text(name)
        made = job.values.value(value)
        if repeated and name in found:
            before = found[name] if isinstance(found[name], list) else [found[name]]
            made = [*before, made]
        found[name] = made
    return found


def _tree(job: Job, items: list[Any]) -> dict[str, Any]:
    """Since version 4 a dot in a name of a JSON body leads into an object."""
    found: dict[str, Any] = {}
    for name, value in _named(items):
        path: Path = lodash_path(name)
        if name.startswith("=") or "{{" in name:
            path = (job.values.text(name),)
        if any(isinstance(key, int) for key in path):
            raise Unsupported(f'it sets an entry of a list: "{name[:60]}"')
        at = found
        for key in path[:-1]:
            if not isinstance(at.get(str(key)), dict):
                at[str(key)] = {}
            at = at[str(key)]
        at[str(path[-1])] = job.values.value(value)
    return found


def _named(items: list[Any]) -> Iterator[tuple[str, Any]]:
    for item in items:
        name = text(mapping(item).get("name"))
        if name:
            yield name, mapping(item).get("value", "")


def _headers(job: Job, given: Any) -> Any:
    """Header names that can be sent, values that are scalars."""
    if not isinstance(given, dict):
        return given
    found: dict[str, Any] = {}
    for name, value in given.items():
        if not _HEADER.fullmatch(name):
            job.note(f'the header "{name[:60]}" has no name that can be sent: left out')
        elif isinstance(value, list):
            job.note(f"the header {name} is there several times: the last one is sent")
            found[name] = value[-1] if not isinstance(value[-1], dict | list) else ""
        elif isinstance(value, dict):
            job.note(f"the header {name} is an object: left out")
        else:
            found[name] = value
    return found
