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
