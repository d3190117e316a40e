"""Secrets: made, changed and deleted by people and programs; values only go in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from automate.accounts.audit import record
from automate.accounts.models import Team
from workflows.definition import Problem
from workflows.models import Secret
from workflows.models.secret import NAME
from workflows.services.drafts import Actor
from workflows.services.errors import DocumentError
from workflows.services.owned import GIVE_AGAIN, added_hosts, hosts, may_change
from workflows.services.transactions import unit_of_work


def create_secret(
    name: str,
    value: str,
    *,
    team: Team | None,
    allowed_hosts: Sequence[str] = (),
    by: Actor,
) -> Secret:
    """A new secret of this team. Raises DocumentError."""
    allowed, problems = hosts(allowed_hosts)
    try:
        NAME(name)
    except ValidationError as error:
        problems.append(Problem("name", error.messages[0]))
    if not value:
        problems.append(Problem("value", "Give the value."))
    if problems:
        raise DocumentError(problems)
    row = Secret(name=name, value=value, team=team, allowed_hosts=allowed)
    with unit_of_work():
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            text = f'There is a secret "{name}" already.'
            raise DocumentError([Problem("name", text)]) from None
        changes = {"name": name, "allowed_hosts": allowed}
        record("secret.create", row, by=by, changes=changes)
    return row


def change_secret(
    secret: Secret,
    *,
    value: str | None = None,
    allowed_hosts: Sequence[str] | None = None,
    by: Actor,
) -> Secret:
    """Another value, other hosts. Raises DocumentError and NotYours.

    A stored value stays where it may go: for further hosts it must be given again.
    """
    may_change(secret, by)
    with unit_of_work():
        row = Secret.objects.select_for_update(no_key=True).get(pk=secret.pk)
        changes: dict[str, Any] = {}
        if allowed_hosts is not None:
            allowed, problems = hosts(allowed_hosts)
            added = added_hosts(row.allowed_hosts, allowed)
            if added and value is None:
                text = GIVE_AGAIN.format(", ".join(added))
                problems.append(Problem("value", text))
            if problems:
                raise DocumentError(problems)
            if allowed != row.allowed_hosts:
                changes["allowed_hosts"] = [row.allowed_hosts, allowed]
                row.allowed_hosts = allowed
        if value is not None:
            if not value:
                raise DocumentError([Problem("value", "Give the value.")])
            row.value, row.rotated_at = value, timezone.now()
            changes["value"] = "replaced"
        if changes:
            row.save()
            record("secret.change", row, by=by, changes=changes)
    return row


def delete_secret(secret: Secret, by: Actor) -> None:
    """Steps that name it fail from now on. Raises NotYours."""
    may_change(secret, by)
    with unit_of_work():
        record("secret.delete", secret, by=by)
        Secret.objects.filter(pk=secret.pk).delete()
