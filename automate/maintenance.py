"""What a purge deletes of the project's own, besides runs and events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from automate.accounts.models import FailedSignIn
from automate.accounts.sign_in.limits import COOL_OFF
from runs.maintenance import purges


@purges("failed_sign_ins")
def old_failed_sign_ins(now: datetime) -> Iterator[QuerySet[Any]]:
    """Those that no longer count; the next sign-in of anybody takes them too."""
    yield FailedSignIn.objects.filter(attempt_time__lt=now - COOL_OFF)
