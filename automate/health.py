"""Is this process alive, and can it serve? For load balancers and orchestrators."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)
RETRY_AFTER = 5  # seconds


@lru_cache(maxsize=1)
def _last_migrations() -> frozenset[tuple[str, str]]:
    """Each app's last migration as this code knows it: (app, name)."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def missing_migrations() -> list[str]:
    """`app.name` of each last migration that the database lacks, with one query.

    Raises django.db.Error when the database cannot be reached.
    """
    # No look at the list of tables first, as MigrationRecorder.applied_migrations
    # takes: this is asked every few seconds.
    applied = set(
        MigrationRecorder.Migration.objects.using(connection.alias).values_list(
            "app", "name"
        )
    )
    return sorted(f"{app}.{name}" for app, name in _last_migrations() - applied)


@csrf_exempt
@never_cache
@require_safe
def livez(_request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all; never asks the database."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when the database answers and is migrated, else 503 with Retry-After.

    Says no more than that: what is wrong is in the log and in `manage.py doctor`.
    """
    try:
        missing = missing_migrations()
    except Error as error:
        logger.warning("not ready: the database does not answer: %s", error)
        return _unavailable()
    if missing:
        logger.warning("not ready: run `manage.py migrate` for %s", ", ".join(missing))
        return _unavailable()
    return JsonResponse({"status": "ok"})


def _unavailable() -> JsonResponse:
    return JsonResponse(
        {"status": "unavailable"}, status=503, headers={"Retry-After": RETRY_AFTER}
    )
