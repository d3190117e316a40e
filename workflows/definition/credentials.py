"""Literal credentials in a definition, turned into references to secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from workflows.definition.bodies import body_of, walk_nodes
from workflows.definition.problems import Problem, place

_HEADER = re.compile(
    r"(?:proxy-)?authorization|cookie|(?:.*-)?token|x-api-key|api-?key|.*-api-key"
    r"|x-auth-key|.*-secret",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:Bearer|Basic|Token|ApiKey|Digest)\s+", re.IGNORECASE)
_USERINFO = re.compile(r"^(\s*[a-z][a-z0-9+.-]*://)([^/?#@\s]+)@", re.IGNORECASE)
# Each vendor's published prefix: GitHub, GitLab, Stripe, Slack, AWS, SendGrid,
# Standard Webhooks; a JWT is two base64url JSON objects (RFC 7519) and a signature.
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{16,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|https://hooks\.slack(?:-gov)?\.com/[A-Za-z0-9_/-]{16,}"
    r"|AKIA[A-Z0-9]{16}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    r"|whsec_[A-Za-z0-9+/=_-]{16,}"
    r"|eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"
    r")"
)
_EXPRESSION = re.compile(r"(\{\{.*?\}\})", re.DOTALL)
_REFERENCE = re.compile(r"secrets\.([A-Za-z_][A-Za-z0-9_]*)")


def extract_literals(
    definition: Mapping[str, Any], taken: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """The definition with references, the values by secret name, and what was done.

    Looks at configs, in loops too, at variables and output of a canonical definition.
    New names avoid `taken` and those that the definition refers to; equal values share
    one name. Values that are templates already stay as they are.
    """
    found = _Found(set(taken) | set(_REFERENCE.findall(repr(definition))))
    result = dict(deepcopy(dict(definition)))
    for item in list(walk_nodes(result)):
        node: Any = item.node
        if "config" in node:
            label = node.get("id") if isinstance(node.get("id"), str) else "step"
            path = place(item.path, "config")
            node["config"] = found.config(node, path, str(label))
    for key in ("variables", "output"):
        if key in result:
            result[key] = found.tree(result[key], key, (key,))
    return result, found.secrets, found.messages


class _Found:
    """The secrets found so far."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self.secrets: dict[str, str] = {}
        self.messages: list[Problem] = []

    def config(self, node: Mapping[str, Any], path: str, label: str) -> Any:
        """A step's config; the steps of a loop's body have their own turn."""
        config, body = node["config"], body_of(node)
        if body is None:
            return self.tree(config, path, (label,))
        return {
            key: item
            if key in ("nodes", "connections")
            else self._member(key, item, place(path, key), (label,))
            for key, item in body.items()
        }

    def tree(self, value: Any, path: str, names: tuple[str, ...]) -> Any:
        if isinstance(value, str):
            return self._text(value, path, names)
        if isinstance(value, dict):
            return {
                key: self._member(key, item, place(path, key), names)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                self.tree(item, place(path, position), names)
                for position, item in enumerate(value)
            ]
        return value

    def _member(self, key: str, item: Any, path: str, names: tuple[str, ...]) -> Any:
        inner = (*names, key)
        if isinstance(item, str) and item.strip() and "{{" not in item:
            parent = names[-1].lower()
            if parent == "headers" and _HEADER.fullmatch(key.strip()):
                return self._header(item, path, (*names[:-1], key))
            if parent == "signing" and key == "secret":
                return self._name(item, path, inner)
        return self.tree(item, path, inner)

    def _header(self, value: str, path: str, names: tuple[str, ...]) -> str:
        scheme = _SCHEME.match(value)
        prefix = scheme.group() if scheme else ""
        secret = value[len(prefix) :]
        return prefix + self._name(secret, path, names) if secret.strip() else value

    def _text(self, value: str, path: str, names: tuple[str, ...]) -> str:
        user = _USERINFO.match(value)
        if user and "{{" not in user[2] and user[2].strip(":"):
            reference = self._name(user[2], path, (*names, "login"))
            value = f"{user[1]}{reference}@{value[user.end() :]}"
        if not _SHAPES.search(value):
            return value
        parts = _EXPRESSION.split(value)
        for position in range(0, len(parts), 2):
            parts[position] = _SHAPES.sub(
                lambda match: self._name(match[0], path, names), parts[position]
            )
        return "".join(parts)

    def _name(self, secret: str, path: str, names: tuple[str, ...]) -> str:
        """The reference that stands for a value, under a name made of the place."""
        name = next((n for n, value in self.secrets.items() if value == secret), None)
        if name is None:
            name = _free("_".join(names), self.taken)
            self.taken.add(name)
            self.secrets[name] = secret
        self.messages.append(
            Problem(path, f"held a credential: it is now the secret {name}")
        )
        return f"{{{{ secrets.{name} }}}}"


def _free(text: str, taken: Collection[str]) -> str:
    base = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")[:80] or "SECRET"
    if base[0].isdigit():
        base = f"S_{base}"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name
