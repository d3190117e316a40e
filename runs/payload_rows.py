"""Writing payloads into the database without copies of them in memory.

PostgreSQL's driver copies a value into its statement, and the connection keeps a buffer
of that size: 10.7 MB for a payload of 10.2. By COPY in its binary format
(https://www.postgresql.org/docs/15/sql-copy.html) the bytes go as they are, in pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from runs.models import Payload

_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)  # no flags, no extension
_END = struct.pack("!h", -1)
_COPY = "COPY runs_payload (id, data) FROM STDIN (FORMAT BINARY)"


def insert(rows: Sequence[tuple[UUID, bytes]]) -> None:
    """Insert these new payloads, in the caller's transaction."""
    if not rows:
        return
    if connection.vendor != "postgresql":
        Payload.objects.bulk_create(Payload(pk=key, data=data) for key, data in rows)
        return
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        connection.connection.cursor() as cursor,
        cursor.copy(_COPY) as copy,
    ):
        copy.write(_HEAD)
        for key, data in rows:
            copy.write(struct.pack("!hi16si", 2, 16, key.bytes, len(data)))
            copy.write(memoryview(data))
        copy.write(_END)
