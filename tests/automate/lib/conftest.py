"""How hypothesis behaves in these tests."""

from __future__ import annotations

from hypothesis import settings

# Time is bounded where it is the rule under test; elsewhere a busy machine would
# fail a test at random.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
