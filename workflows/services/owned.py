"""What secrets and connections have in common: where a stored value may go.

Whoever sends a stored value to another host knows it: it has to be given again then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

from automate.accounts.models import ApiKey, Team, User
from automate.lib.net.url import host_covered
from workflows.definition import Problem
from workflows.services.drafts import Actor
from workflows.services.editing import team_for
from workflows.services.errors import DocumentError, WorkflowServiceError

GIVE_AGAIN = "Give it again: it would go to {}, where it could not go before."
SHARED = "It serves every team: only administrators change it."


class NotYours(WorkflowServiceError):
    """It serves every team, and so it is not a member's to change."""

    code = "FORBIDDEN"


def may_change(row: Any, by: Actor) -> None:
    """Raises NotYours for what is shared, unless a superuser asks."""
    if row.team_id is None and not _is_superuser(by):
        raise NotYours(SHARED)


def owner_for(by: Actor, named: str) -> Team | None:
    """As `team_for`; what every team may use is for superusers to make."""
    team = team_for(by, named)
    if team is None and not _is_superuser(by):
        text = "you are in no team: only administrators make what serves every team"
        raise DocumentError([Problem("team", text)])
    return team


def _is_superuser(by: Actor) -> bool:
    user = by.user if isinstance(by, ApiKey) else by
    return not isinstance(user, User) or user.is_superuser


def added_hosts(before: Collection[str], after: Collection[str]) -> list[str]:
    """The entries that allow a host which was not allowed; here empty means any."""
    if not before:
        return []
    if not after:
        return ["any host"]
    return sorted(entry for entry in after if not host_covered(entry, before))


def host_of(url: str) -> str:
    """The host of a base URL; empty without one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def origin_changed(before: str, after: str) -> bool:
    """Whether a base URL leads to another host, or to the same one in the clear."""
    downgraded = before.startswith("https:") and after.startswith("http:")
    return host_of(before) != host_of(after) or downgraded


def bad_host(host: str) -> str:
    """What is wrong with an entry of allowed hosts, or an empty text."""
    plain = host.removeprefix("*.")
    if plain and not set(plain) & set("/:@*?# ") and not plain.startswith("."):
        return ""
    return (
        f'"{host}" is not a host name: write api.example.com, without https:// and '
        "without a path."
    )


def hosts(given: Iterable[str]) -> tuple[list[str], list[Problem]]:
    """Allowed hosts in lower case, each once, and what is wrong with them."""
    cleaned = list(dict.fromkeys(text.strip().lower() for text in given))
    found = [
        Problem(f"allowed_hosts[{number}]", wrong)
        for number, host in enumerate(cleaned)
        if (wrong := bad_host(host))
    ]
    return cleaned, found
