"""What a person may do through the API: the scopes that their permissions cover.

The one table between the admin's permissions, which roles give, and scopes. A key may
be given the scopes that its maker has; a person who signed in has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from automate.accounts.models.api_key import Scope

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from automate.accounts.models import User

# Whoever has all of these has the scope; `admin` is for superusers.
NEEDED: Mapping[Scope, tuple[str, ...]] = MappingProxyType(
    {
        Scope.WORKFLOWS_READ: ("workflows.view_workflow",),
        Scope.WORKFLOWS_WRITE: (
            "workflows.add_workflow",
            "workflows.change_workflow",
            "workflows.publish_workflow",
            "workflows.change_trigger",
        ),
        Scope.RUNS_READ: ("runs.view_run",),
        Scope.RUNS_EXECUTE: ("runs.add_run", "runs.cancel_run"),
        Scope.RUNS_REDRIVE: ("runs.redrive_run",),
        Scope.PAYLOADS_READ: ("runs.read_payloads",),
        Scope.SECRETS_WRITE: (
            "workflows.add_secret",
            "workflows.change_secret",
            "workflows.delete_secret",
            "workflows.add_connection",
            "workflows.change_connection",
            "workflows.delete_connection",
        ),
        Scope.METRICS_READ: ("runs.view_worker",),
    }
)


def may_use(user: User | AnonymousUser, scope: str) -> bool:
    """Whether this person's permissions cover the scope."""
    if user.is_active and user.is_superuser:
        return True
    needed = NEEDED.get(Scope(scope))
    return needed is not None and user.has_perms(needed)


def scopes_of(user: User | AnonymousUser) -> list[Scope]:
    """The scopes that this person has, and may give to a key."""
    return [scope for scope in Scope if may_use(user, scope)]
