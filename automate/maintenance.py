"""What a purge deletes of the project's own, besides runs and events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from automate.accounts.models import FailedSignIn, SignIn
from automate.accounts.sign_in.limits import COOL_OFF
from runs.maintenance import purges


@purges("failed_sign_ins")
def old_failed_sign_ins(now: datetime) -> Iterator[QuerySet[Any]]:
    """Those that no longer count; the next sign-in of anybody takes them too."""
    yield FailedSignIn.objects.filter(attempt_time__lt=now - COOL_OFF)


@purges("sign_ins")
def old_sign_ins(now: datetime) -> Iterator[QuerySet[Any]]:
    """Those at the API whose tokens are good for nothing any more."""
    yield SignIn.objects.filter(Q(expires_at__lt=now) | Q(ended_at__lt=now))
