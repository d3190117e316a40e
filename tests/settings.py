"""The project's settings for tests: fixed keys, a temporary var folder, fast hashes.

The database is TEST_DATABASE_URL, else SQLite. Nothing of the developer's shell or
`.env` gets in, and `var/` is never touched.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from automate import env
from automate.settings_table import SETTINGS

for _setting in SETTINGS:
    os.environ.pop(_setting.name, None)
env.load_file = lambda path: None

_var_dir = tempfile.mkdtemp(prefix="automate-tests-")
atexit.register(shutil.rmtree, _var_dir, ignore_errors=True)
os.environ |= {
    # Processes that tests start read these too, with the project's own settings.
    "DJANGO_SETTINGS_MODULE": "automate.settings",
    "AUTOMATE_VAR_DIR": _var_dir,
    "SECRET_KEY": "tests-" + "0123456789abcdef" * 4,
    "FIELD_ENCRYPTION_KEYS": "tests-" + "fedcba9876543210" * 4,
}
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]

from automate.settings import *  # noqa: E402, F403
from automate.settings import MIDDLEWARE, STATIC_ROOT, STORAGES  # noqa: E402

STATIC_ROOT.mkdir()
# Every answer of the API is as it is described.
MIDDLEWARE = ["tests.contract.conforming.Conforming", *MIDDLEWARE]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Drains in threads measure the whole test process, which grows with each test.
DRAIN_MEMORY = 64 * 1024
# Pages render without `collectstatic`, which tests do not run.
WHITENOISE_AUTOREFRESH = True
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
