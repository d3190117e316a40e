"""Single steps and triggers of a document, with the spellings that people use."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from automate.lib.durations import parse_duration
from workflows.definition.problems import Problem, listed, place, suggest

ALIASES = {"webhook": "http_request"}

KIND_KEYS = ("kind", "trigger_type", "type")
CONFIG_KEYS = ("config", "configuration")
_NODE_KEYS = frozenset({"id", "type", "name", "is_active", "secret", *CONFIG_KEYS})
_TRIGGER_KEYS = frozenset(
    {"secret", "start", "is_active", "node_id", *KIND_KEYS, *CONFIG_KEYS}
)

NO_SCHEME = (
    "has no signature scheme: whoever knows its address can start the workflow; "
    'set "scheme", for instance to "standard_webhooks"'
)


def node_from(item: dict[str, Any]) -> dict[str, Any]:
    """A step in canonical form: `type` without alias, `config` present, seconds."""
    node = dict(item)
    if "configuration" in node and "config" not in node:
        node["config"] = node.pop("configuration")
    if node.get("config") is None:
        node["config"] = {}
    kind = node.get("type")
    if isinstance(kind, str):
        node["type"] = ALIASES.get(kind, kind)
    config = node["config"]
    if node.get("type") == "http_request" and isinstance(config, dict):
        method = config.get("method")
        if isinstance(method, str) and method.isascii() and "{{" not in method:
            node["config"] = {**config, "method": method.upper()}
    if "timeout" in node:
        node["timeout"] = _seconds(node["timeout"])
    if isinstance(node.get("retry"), dict):
        node["retry"] = _retry(node["retry"])
    return node


def _retry(given: dict[str, Any]) -> dict[str, Any]:
    retry = dict(given)
    for key in ("initial", "max"):
        if key in retry:
            retry[key] = _seconds(retry[key])
    if isinstance(retry.get("waits"), list):
        retry["waits"] = [_seconds(wait) for wait in retry["waits"]]
    return retry


def _seconds(value: Any) -> Any:
    """`"5m"` as 300; what is no duration stays, for the schema to refuse."""
    if not isinstance(value, str):
        return value
    try:
        seconds = parse_duration(value).total_seconds()
    except (ValueError, OverflowError):
        return value
    return int(seconds) if seconds.is_integer() else seconds


def trigger_from(
    path: str, item: dict[str, Any], kinds: Collection[str], *, node: bool
) -> tuple[dict[str, Any] | None, list[Problem], list[Problem]]:
    """A trigger in canonical form (None without a kind), problems, warnings."""
    problems: list[Problem] = []
    known = _NODE_KEYS if node else _TRIGGER_KEYS
    for key in item.keys() - known:
        hint = suggest(key, known)
        message = f"unknown key (known here: {listed(known)}){hint}"
        problems.append(Problem(place(path, key), message))
    kind_key = "type" if node else next((k for k in KIND_KEYS if k in item), "kind")
    problems += _said_twice(path, item, CONFIG_KEYS)
    if not node:
        problems += _said_twice(path, item, KIND_KEYS)
    kind = item.get(kind_key)
    if not isinstance(kind, str) or kind not in kinds:
        hint = suggest(kind, kinds)
        message = f"must be one of the trigger kinds {listed(kinds)}{hint}"
        return None, [*problems, Problem(place(path, kind_key), message)], []
    trigger: dict[str, Any] = {"kind": kind, "config": {}, "start": []}
    config_key = next((key for key in CONFIG_KEYS if key in item), "config")
    config = item.get(config_key)
    if config is not None and not isinstance(config, dict):
        problems.append(Problem(place(path, config_key), "must be an object"))
        config = None
    where = place(path, config_key)
    warnings: list[Problem] = []
    if kind == "webhook":
        trigger["config"] = _webhook(where, config or {}, problems)
        if not trigger["config"].get("scheme"):
            warnings.append(Problem(path, NO_SCHEME))
    else:
        trigger["config"] = dict(config or {})
    _optional(path, item, trigger, problems, node=node)
    _secret(path, where, item, trigger, problems)
    return trigger, problems, warnings


def _said_twice(
    path: str, item: dict[str, Any], keys: Collection[str]
) -> list[Problem]:
    """Words for one thing of which a trigger may have one."""
    given = [key for key in keys if key in item]
    return [
        Problem(place(path, key), f'is another word for "{given[0]}"; give one of them')
        for key in given[1:]
    ]


def _optional(
    path: str,
    item: dict[str, Any],
    trigger: dict[str, Any],
    problems: list[Problem],
    *,
    node: bool,
) -> None:
    id_key = "id" if node else "node_id"
    if item.get(id_key) is not None:
        if isinstance(item[id_key], str) and 0 < len(item[id_key]) <= 100:
            trigger["node_id"] = item[id_key]
        else:
            message = "must be text of 1 to 100 characters"
            problems.append(Problem(place(path, id_key), message))
    name = item.get("name", "")
    if node and not (isinstance(name, str) and len(name) <= 200):
        problems.append(
            Problem(place(path, "name"), "must be text of at most 200 characters")
        )
    if "is_active" in item:
        if isinstance(item["is_active"], bool):
            trigger["is_active"] = item["is_active"]
        else:
            problems.append(Problem(place(path, "is_active"), "must be true or false"))


def _secret(
    path: str,
    where: str,
    item: dict[str, Any],
    trigger: dict[str, Any],
    problems: list[Problem],
) -> None:
    """The signing secret, wherever it was written, out of the readable config."""
    places = [(place(path, "secret"), item.get("secret"))]
    if "secret" in trigger["config"]:
        places.append((place(where, "secret"), trigger["config"].pop("secret")))
    for at, value in places:
        if value is None:
            continue
        if not isinstance(value, str) or not value:
            problems.append(Problem(at, "must be text"))
        elif "secret" in trigger:
            problems.append(Problem(at, "is given twice", rule=True))
        else:
            trigger["secret"] = value


def _webhook(
    where: str, given: dict[str, Any], problems: list[Problem]
) -> dict[str, Any]:
    """`path` without leading slashes, `method` as the only one of `methods`."""
    config = dict(given)
    if isinstance(config.get("path"), str):
        config["path"] = config["path"].lstrip("/")
        if not config["path"]:
            problems.append(Problem(place(where, "path"), "must not be empty"))
    if "method" in config:
        if "methods" in config:
            message = 'cannot be used together with "methods"'
            problems.append(Problem(place(where, "method"), message))
        method = config.pop("method")
        config.setdefault("methods", method if isinstance(method, list) else [method])
    if isinstance(config.get("methods"), list):
        config["methods"] = [
            method.upper() if isinstance(method, str) else method
            for method in config["methods"]
        ]
    return config
