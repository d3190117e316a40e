"""manage.py purge."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from runs.models import Run
from tests.makers import make_run

pytestmark = pytest.mark.django_db


def purge(*arguments: str) -> str:
    out = StringIO()
    call_command("purge", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def old_run() -> Run:
    """A run of long ago."""
    long_ago = timezone.now() - timedelta(days=400)
    return make_run(status="failed", finished_at=long_ago)


def test_people_read_what_went() -> None:
    assert "runs: 1 deleted" in purge()
    assert not Run.objects.exists()


def test_a_dry_run_says_what_would_go() -> None:
    assert "runs: 1 would be deleted" in purge("--dry-run")
    assert Run.objects.exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_programs_get_json(dry_run: bool) -> None:
    report = json.loads(purge("--json", *["--dry-run"] * dry_run))

    assert report["dry_run"] is dry_run
    assert report["deleted"] == {
        "runs": 1,
        "idempotency_keys": 0,
        "workers": 0,
        "sessions": 0,
        "firings": 0,
        "rate_windows": 0,
        "rate_buckets": 0,
        "orphaned_payloads": 0,
        "inbound_events": 0,
        "failed_sign_ins": 0,
        "sign_ins": 0,
    }
    assert Run.objects.exists() is dry_run
