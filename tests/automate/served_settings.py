"""The project's settings with views that fail, for a real web process."""

from automate.settings import *  # noqa: F403

ROOT_URLCONF = "tests.automate.errors_urlconf"
# As in tests/settings.py: passwords that a test makes are known here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
