"""What the hub asks, and in which order."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from runs.stream import hub as hubs
from runs.stream.hub import Hub
from runs.stream.look import look
from runs.stream.rights import KEY, Grant, Recheck
from tests.makers import make_run


@pytest.mark.django_db(transaction=True)
def test_who_comes_after_a_rest_is_told_at_the_first_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rights of those who left were due meanwhile: there is nobody to ask for."""
    run = make_run(status="running")
    key = str(uuid4())
    grant = Grant(uuid4(), KEY, key, "run", run.pk, run.workflow_id)
    asked: list[str] = []

    class Told(Recheck):
        def step(self) -> bool:
            asked.append("rights")
            return super().step()

    def looked(*of: Any) -> Any:
        asked.append("runs")
        return look(*of)

    async def watch(hub: Hub) -> None:
        with hub.seat(grant) as seat:
            while not seat.topic.looks:
                await asyncio.sleep(0.01)
        assert hub._asker is not None
        await hub._asker

    async def story() -> None:
        hub = Hub()
        await watch(hub)
        asked.clear()
        await asyncio.sleep(0.3)
        await watch(hub)

    monkeypatch.setattr(hubs, "look", looked)
    monkeypatch.setattr(hubs, "Recheck", Told)
    monkeypatch.setattr(hubs, "RECHECK_AFTER", 0.2)
    monkeypatch.setattr(hubs, "TICK", 0.05)

    asyncio.run(story())

    assert asked[0] == "runs"
