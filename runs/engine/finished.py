"""Ends of runs that `run_finished` triggers want to know of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runs.engine import sql
from runs.engine.closing import Closing

# One statement, which writes nothing where no trigger asks for ends at all.
_NOTE = """
INSERT INTO runs_finishedrun (run_id, created_at)
SELECT id, {now} FROM runs_run WHERE id {chosen} AND EXISTS (
    SELECT 1 FROM workflows_trigger WHERE kind = 'run_finished' AND is_active
)"""


def ended(closings: Sequence[Closing], now: datetime) -> None:  # noqa: ARG001 - a follower's signature
    """Note these ends, if any trigger asks for ends at all.

    `runs.services.followers` makes runs of the notes.
    """
    chosen, values = sql.among([item.run_id for item in closings])
    sql.run(_NOTE.format(now=sql.now(), chosen=chosen), values)
