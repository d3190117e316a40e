"""What PostgreSQL makes of the hot statements, and the indexes they stand on."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from runs.engine import claim, due
from runs.engine.due import next_due
from runs.engine.heartbeat import extend
from tests.runs.drains import Hand
from tests.runs.engine.test_claim import crowd
from tests.runs.flows import call, given, many, publish
from workflows.models import Workflow

pytestmark = pytest.mark.usefixtures("engine")


def test_no_index_of_the_hot_table_holds_lease_until() -> None:
    """Not even in its condition: then a heartbeat touches no index.

    Shown to fail with such an index.
    """
    statement = (
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs_job'"
        if connection.vendor == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE tablename = 'runs_job'"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        texts = [text for (text,) in cursor.fetchall() if text]
    for name in ("job_due", "job_workflow_turn", "job_leased"):
        assert any(name in text for text in texts)
    assert not [text for text in texts if "lease_until" in text]


@pytest.mark.postgresql
def test_the_hot_table_leaves_room_and_is_cleaned_early() -> None:
    """Room for a heartbeat's new version in the page of the old one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'runs_job'")
        (options,) = cursor.fetchone()
    assert {"fillfactor=60", "autovacuum_vacuum_scale_factor=0.01"} <= set(options)


@pytest.fixture
def flow() -> Workflow:
    return publish(given("a"))


def explained(statement: str, values: list[Any]) -> list[dict[str, Any]]:
    """Every node of the plan as executed."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE runs_job")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        (plans,) = cursor.fetchone()
    nodes, queue = [], [plans[0]["Plan"]]
    while queue:
        node = queue.pop()
        nodes.append(node)
        queue += node.get("Plans", [])
    return nodes


def of_jobs(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [node for node in nodes if node.get("Relation Name") == "runs_job"]


@pytest.mark.postgresql
@pytest.mark.parametrize("statement", ["plain", "fair"])
def test_jobs_of_the_future_are_not_walked_over(flow: Workflow, statement: str) -> None:
    """Shown to fail with clock_timestamp(), which is never an index condition."""
    crowd(flow, 3000, due_at=timezone.now() + timedelta(days=1))
    crowd(flow, 5)
    shares = [[flow.pk], [0, 1, 2, 3], [16, 16, 16, 16]]
    values: list[Any] = [16] if statement == "plain" else shares
    text = {"plain": claim._PLAIN, "fair": claim._FAIR}[statement]

    scans = of_jobs(explained(text, values))

    assert scans
    for scan in scans:
        assert scan["Node Type"] in ("Index Scan", "Bitmap Heap Scan"), scan
        assert "due_at" in scan.get("Index Cond", scan.get("Recheck Cond", "")), scan
        assert scan.get("Rows Removed by Filter", 0) == 0, scan
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) <= 5


@pytest.mark.postgresql
def test_the_next_due_time_is_one_probe_a_priority(flow: Workflow) -> None:
    crowd(flow, 2000, due_at=timezone.now() - timedelta(seconds=5))
    crowd(flow, 1000, due_at=timezone.now() + timedelta(seconds=30))

    now = timezone.now()
    scans = of_jobs(explained(due._NEXT, [now]))

    probes = [scan for scan in scans if scan.get("Index Name") == "job_due"]
    assert probes
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in probes) <= 4
    assert next_due(now).seconds == pytest.approx(30, abs=20)


@pytest.mark.postgresql
def test_the_workflows_with_jobs_are_found_without_reading_them_all(
    flow: Workflow,
) -> None:
    crowd(flow, 3000)
    crowd(publish(given("a")), 5)
    values: list[Any] = [claim.FIRST, 64]

    scans = of_jobs(explained(claim._WORKFLOWS.replace("{now}", "now()"), values))

    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) <= 6


@pytest.mark.postgresql
def test_heartbeats_are_heap_only_updates(hand: Hand) -> None:
    """Shown to fail with an index on `lease_until`."""
    many(publish(call("a", "http://127.0.0.1:1/")), 50)
    hand.claim(64, 64)
    held = list(hand.held.values())
    assert len(held) == 50

    before, horizon = updates(), oldest_transaction()
    for _ in range(200):
        extend(held)
    made, hot = (now - was for now, was in zip(updates(), before, strict=True))

    assert made >= 200 * 50
    # A long transaction elsewhere on the server, whatever its database, keeps old
    # versions from being pruned: then only the room that fillfactor leaves is hot.
    # With such an index it is none at all.
    undisturbed = oldest_transaction() - horizon > 180
    assert hot > made * (0.5 if undisturbed else 0.02)


def oldest_transaction() -> int:
    """The oldest transaction that is still open anywhere on the server."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def updates() -> tuple[int, int]:
    """Updates of the hot table so far, and those that touched no index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        time.sleep(0.05)
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            "WHERE relname = 'runs_job'"
        )
        made, hot = cursor.fetchone()
    return made, hot
