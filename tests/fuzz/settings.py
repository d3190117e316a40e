"""The project's settings for a real web process that is asked without end."""

from automate.settings import *  # noqa: F403

ROOT_URLCONF = "tests.fuzz.urlconf"
