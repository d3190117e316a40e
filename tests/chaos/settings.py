"""The project's settings for clusters under test: django-q2 names its processes."""

from __future__ import annotations

from typing import Any, cast

from automate.settings import *  # noqa: F403
from automate.settings import LOGGING

cast(dict[str, Any], LOGGING["loggers"])["django-q"] = {"level": "INFO"}
