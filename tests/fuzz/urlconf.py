"""The site's addresses; nobody waits ten seconds for a run that no worker takes."""

from runs.api import execute

execute.DEFAULT_WAIT = 0.02  # type: ignore[attr-defined]

from automate.urls import *  # noqa: E402, F403
