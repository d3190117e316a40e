"""What drains do between their turns on behalf of the services."""

from __future__ import annotations

from runs.engine.chores import Chore
from runs.services import campaigning
from runs.services.followers import start_followers
from runs.services.schedules import Schedules


def all_chores() -> tuple[Chore, ...]:
    """The chores of one drain; each drain has its own."""
    return (Schedules().fire, start_followers, campaigning.advance)
