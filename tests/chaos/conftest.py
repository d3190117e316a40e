"""Clusters in real processes on the test's database, and a receiver for their steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.chaos.cluster import Cluster
from tests.chaos.receiver import Receiver

Start = Callable[..., Cluster]


# What stays with `make test`: a process killed, and a stop.
QUICK = {
    "test_a_killed_process_is_recovered_from[pusher]",
    "test_sigterm_under_load_loses_and_repeats_nothing[to_parent]",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real clusters take many seconds a test, so they are slow, but for two."""
    for item in items:
        if "tests/chaos/" in item.nodeid and item.name not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def start(
    tmp_path: Path, transactional_db: None, settings: Settings
) -> Iterator[Start]:
    """Starts clusters, whole when this returns; none outlives the test."""
    settings.LISTEN = False  # this process sends no wake-ups: the poll must do
    started: list[Cluster] = []

    def start(*, whole: bool = True, **changes: Any) -> Cluster:
        cluster = Cluster(tmp_path / f"cluster-{len(started)}.log", **changes)
        started.append(cluster)
        if whole:
            cluster.wait_until_whole()
        return cluster

    yield start
    for cluster in started:
        cluster.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Takes every request, and answers at once until told otherwise."""
    receiver = Receiver()
    with receiver:
        yield receiver
