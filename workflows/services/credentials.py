"""Secrets and connections that a definition names, and literals that become secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Q

from automate.accounts.audit import record
from automate.accounts.models import ApiKey, Team, User
from workflows.actions.base import all_actions
from workflows.definition import Problem, extract_literals, validate
from workflows.definition.bodies import Located, node_ids, own_config, walk_nodes
from workflows.definition.problems import in_order, place
from workflows.expressions import TemplateError, templates
from workflows.models import Connection, Secret
from workflows.services.documents import Document

# As `extract_literals` writes a reference.
_WRITTEN = re.compile(r"\{\{ secrets\.(\w+) \}\}")

Named = tuple[str, str]  # place, name


def usable_by(team: Team | None) -> Q:
    """Secrets and connections of this team, and shared ones."""
    return Q(team=None) if team is None else Q(team=team) | Q(team=None)


def missing_names(
    definition: Mapping[str, Any],
    team: Team | None,
    new_secrets: Collection[str] = (),
) -> list[Problem]:
    """Names of secrets and connections that this team does not have.

    What another team has is told like what nobody has. `new_secrets` would be made.
    """
    problems = []
    for model, noun, used in (
        (Secret, "secret", list(_secrets_of(definition))),
        (Connection, "connection", list(_connections_of(definition))),
    ):
        names = {name for _, name in used}
        rows = model._default_manager.filter(usable_by(team), name__in=names)
        known = set(rows.values_list("name", flat=True))
        known |= set(new_secrets) if model is Secret else set()
        problems += [
            Problem(where, f'there is no {noun} "{name}" for this workflow; create it')
            for where, name in used
            if name not in known
        ]
    return problems


def _sound_nodes(definition: Mapping[str, Any]) -> Iterator[Located]:
    """A draft may hold nodes that validation refuses: they are told there."""
    for item in walk_nodes(definition):
        if isinstance(item.node["id"], str) and isinstance(item.node["config"], dict):
            yield item


def _secrets_of(definition: Mapping[str, Any]) -> Iterator[Named]:
    ids = node_ids(definition)
    for item in _sound_nodes(definition):
        base = place(item.path, "config")
        for path, template in templates(own_config(item.node), ids):
            if isinstance(template, TemplateError):
                continue
            joint = "" if path.startswith("[") or not path else "."
            for reference in sorted(template.references):
                if reference[0] == "secrets" and len(reference) > 1:
                    yield f"{base}{joint}{path}", reference[1]


def _connections_of(definition: Mapping[str, Any]) -> Iterator[Named]:
    for item in _sound_nodes(definition):
        name = item.node["config"].get("connection")
        if isinstance(name, str):
            yield place(item.path, "config", "connection"), name


def store_literals(
    definition: Mapping[str, Any], team: Team | None, by: User | ApiKey | None
) -> tuple[dict[str, Any], list[Problem]]:
    """The definition with literal credentials kept as secrets, and what was done.

    A value that a secret of the team under the same name (or that name and a number)
    holds already is not stored again, so that an import repeated changes nothing.
    """
    result, found, messages = extract_literals(definition)
    if not found:
        return result, messages
    own = {row.name: row for row in Secret.objects.filter(team=team)}
    taken = set(Secret.objects.filter(usable_by(team)).values_list("name", flat=True))
    renamed: dict[str, str] = {}
    for name, value in found.items():
        final = _stored_as(name, value, own) or _free(name, taken)
        taken.add(final)
        if final not in own:
            own[final] = Secret.objects.create(team=team, name=final, value=value)
            record("secret.create", own[final], by=by)
        if final != name:
            renamed[name] = final
    return _rename(result, renamed), [
        Problem(m.path, _rename_text(m.message, renamed)) for m in messages
    ]


def settle(
    document: Document, team: Team | None, by: User | ApiKey | None
) -> tuple[Document, list[Problem], list[Problem]]:
    """The document with its literals stored, what was done, and what is wrong then.

    Wrong are a literal where secrets cannot be used, and names that this team does
    not have. All places are those of the document.
    """
    definition, messages = store_literals(document.definition, team, by)
    problems = missing_names(definition, team)
    if messages:
        specs = [{"start": list(spec.start)} for spec in document.triggers]
        problems += validate(definition, all_actions(), specs)

    def moved(found: list[Problem]) -> list[Problem]:
        original = document.normalised.original
        return in_order(replace(p, path=original(p.path)) for p in found)

    return replace(document, definition=definition), moved(messages), moved(problems)


def _stored_as(name: str, value: str, own: Mapping[str, Secret]) -> str | None:
    for candidate, secret in own.items():
        rest = candidate.removeprefix(name)
        same = candidate == name or (rest != candidate and rest[1:].isdigit())
        if same and secret.value == value:
            return candidate
    return None


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _rename(value: Any, renamed: Mapping[str, str]) -> Any:
    """The tree with the references that `extract_literals` wrote under new names.

    It avoids names that the author refers to, so only its own texts change.
    """
    if isinstance(value, str):
        return _WRITTEN.sub(
            lambda found: f"{{{{ secrets.{renamed.get(found[1], found[1])} }}}}", value
        )
    if isinstance(value, dict):
        return {key: _rename(item, renamed) for key, item in value.items()}
    if isinstance(value, list):
        return [_rename(item, renamed) for item in value]
    return value


def _rename_text(message: str, renamed: Mapping[str, str]) -> str:
    for old, new in renamed.items():
        if message.endswith(f" {old}"):
            return f"{message.removesuffix(old)}{new}"
    return message
