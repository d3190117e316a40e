"""Whether a transaction whose answer was lost was applied: what its rows tell."""

from __future__ import annotations

from runs.engine.draft import Draft
from runs.models import Job, Run


def was_applied(draft: Draft) -> bool | None:
    """True or False where this run's rows are proof, None where they are not."""
    held = draft.held
    rows = Job.objects.filter(pk=held.job_id)
    job = rows.values("lease_token", "seq", "expiries").first()
    if job is None:
        if draft.ending is None:
            return None
        ended = Run.objects.filter(pk=held.run_id, status=draft.ending.status)
        return True if ended.exists() else None
    ours = job["lease_token"] == held.token
    if draft.fresh_lease:
        # Before this transaction the job was nobody's.
        if ours or (draft.released and job["seq"] == held.seq + 1):
            return True
        return False if job["seq"] == held.seq else None
    if ours:
        return bool(job["seq"] == held.seq + 1)
    # A reaper leaves the same marks as a release, and one more expiry.
    released = draft.released and job["seq"] == held.seq + 1 and not job["expiries"]
    return True if released and job["lease_token"] is None else None
