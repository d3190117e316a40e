"""A stored connection as actions see it."""

from __future__ import annotations

from workflows.actions.base import ConnectionData
from workflows.models import Connection


def data_of(row: Connection) -> ConnectionData:
    """A connection as an action sees it, credentials in the clear, without its rate.

    Raises TypeError for what was stored past the forms.
    """
    return ConnectionData(
        id=row.pk,
        name=row.name,
        kind=row.kind,
        base_url=row.base_url,
        allowed_hosts=frozenset(row.allowed_hosts),
        credentials=row.credentials,
        options=row.options,
        authorities=row.authorities,
        proxy=row.proxy,
        token=row.token if isinstance(row.token, dict) else None,
    )
