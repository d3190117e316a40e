"""Who calls."""

from __future__ import annotations

from tests.api_people import api, stranger, team, user

__all__ = ["api", "stranger", "team", "user"]
