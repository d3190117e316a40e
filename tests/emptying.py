"""Empties the database after a test with transactions of its own, quickly.

Django's `flush` also makes all content types and permissions anew, which costs a fifth
of a second of CPU a test; here they stay, and with them the groups of the roles.
"""

from __future__ import annotations

from functools import cache

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

from automate.accounts.roles import ROLES

KEPT = frozenset({"django_content_type", "auth_permission"})
_ROLES = ", ".join(f"'{name}'" for name in ROLES)
# The rows that stay of a table, as a condition that those to be deleted meet.
PARTLY = {
    "auth_group": f"name NOT IN ({_ROLES})",
    "auth_group_permissions": (
        f"group_id IN (SELECT id FROM auth_group WHERE name NOT IN ({_ROLES}))"
    ),
}


def empty(case: TransactionTestCase) -> None:
    """TransactionTestCase._fixture_teardown."""
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        connection = connections[alias]
        connection.ops.execute_sql_flush(statements(connection))


def statements(connection: BaseDatabaseWrapper) -> list[str]:
    """What empties all tables; it waits for whoever still writes.

    A few rows are deleted sooner than TRUNCATE makes the files of all tables and
    indexes anew. Sequences go on.
    """
    quote = connection.ops.quote_name
    names = _tables(connection.vendor, str(connection.settings_dict["NAME"]))
    deletes = [
        f"DELETE FROM {quote(name)} WHERE {PARTLY.get(name, 'true')}"
        for name in sorted(names, key=_order)
    ]
    if connection.vendor != "postgresql":
        return deletes
    listed = ", ".join(map(quote, sorted(names)))
    return [f"LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE", *deletes]


def _order(name: str) -> tuple[bool, bool, str]:
    """What is chosen by a group's name goes before the group."""
    return (name == "auth_group", name != "auth_group_permissions", name)


@cache
def _tables(_vendor: str, _name: str) -> tuple[str, ...]:
    from django.db import connection

    names = connection.introspection.django_table_names(
        only_existing=True, include_views=False
    )
    return tuple(name for name in names if name not in KEPT)
