"""The only reader of the process environment (django-environ).

What may be set there is declared in `automate.settings_table`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from automate.lib.filestore import storage_setting
from automate.lib.rates import Rate, parse_rate
from automate.settings_table import SETTINGS

BASE_DIR = Path(__file__).resolve().parent.parent
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_env = environ.Env()


def read(name: str) -> Any:
    """The value of a declared setting, of its declared type.

    Raises KeyError for an undeclared name and ImproperlyConfigured when the
    environment holds something of another type.
    """
    setting = _BY_NAME[name]
    if name not in os.environ:
        return setting.default
    reader = {bool: _env.bool, int: _env.int, float: _env.float, list: _env.list}
    value = reader.get(setting.kind, _env.str)(name)
    if setting.kind is list:
        return [item.strip() for item in value if item.strip()]
    return value


def is_set(name: str) -> bool:
    """True when the environment itself names this setting, default or not."""
    return bool(os.environ.get(name))


def forget_empty(*names: str) -> None:
    """Unset what is set to nothing, so that a file may set it."""
    for name in names:
        if not os.environ.get(name, "x").strip():
            del os.environ[name]


def load_file(path: Path) -> None:
    """Add what a `.env` file says and the environment does not."""
    if path.is_file():
        _env.read_env(str(path))


def var_dir() -> Path:
    """The folder of the embedded database and generated keys (not created)."""
    path = Path(read("AUTOMATE_VAR_DIR"))
    return path if path.is_absolute() else BASE_DIR / path


def stream_url(public: str) -> str:
    """AUTOMATE_STREAM_URL, else what follows from the site's public address."""
    given = str(read("AUTOMATE_STREAM_URL")).rstrip("/")
    if given:
        return given
    try:
        parts = urlsplit(public)
        port = parts.port
    except ValueError:
        return public  # a check tells what is wrong with it
    if port is None or not parts.hostname:
        return public
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port + 1}"


def database_url() -> str:
    """DATABASE_URL, else POSTGRES_*, else SQLite under the var folder."""
    if read("DATABASE_URL"):
        return str(read("DATABASE_URL"))
    if read("POSTGRES_HOST"):
        user = quote(read("POSTGRES_USER"), safe="")
        password = quote(read("POSTGRES_PASSWORD"), safe="")
        host, port = read("POSTGRES_HOST"), read("POSTGRES_PORT")
        name = quote(read("POSTGRES_DB"), safe="")
        return f"postgres://{user}:{password}@{host}:{port}/{name}"
    return f"sqlite:///{var_dir() / 'automate.sqlite3'}"


def database(url: str) -> dict[str, Any]:
    """Django's settings for one database URL."""
    return dict(_env.db_url_config(url))


def tuned(database: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with the options that Automate relies on; makes SQLite's `folder`."""
    # Above 0 everywhere: django-q2 closes old connections at each broker call, and
    # reconnecting cost the edge seven eighths of its rate (docs/adr/0001).
    found = {**database, "CONN_MAX_AGE": 3600, "CONN_HEALTH_CHECKS": True}
    if database["ENGINE"].endswith("sqlite3"):
        # For its owner alone: the database holds every payload, the keys lie beside it.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL: NORMAL in WAL loses commits at power loss, and with them events
            # that were answered 202.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                "PRAGMA foreign_keys=ON; PRAGMA cache_size=-16000;"
            ),
        }
        found["TEST"] = {"NAME": str(folder / "test.sqlite3")}
        return found
    options: dict[str, Any] = {
        "connect_timeout": 10,
        # A peer that vanished is noticed within half a minute, not after two hours.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    if read("AUTOMATE_LISTEN"):
        # Parameters bound by the server let it prepare the hot statements once, which
        # saved a third of its CPU per event. A transaction pooler has no session to
        # keep them in: AUTOMATE_LISTEN=0 says that one is there.
        options |= {"server_side_binding": True, "prepare_threshold": 5}
    # Outside a transaction such a cursor lives in the session, and its next rows are
    # asked for in another one: "cursor does not exist", in each form with a choice.
    found["DISABLE_SERVER_SIDE_CURSORS"] = not read("AUTOMATE_LISTEN")
    found["OPTIONS"] = options | database.get("OPTIONS", {})
    return found


def email() -> dict[str, Any]:
    """Django's e-mail settings from EMAIL_URL; SMTP by our own backend."""
    found = dict(_env.email_url_config(read("EMAIL_URL")))
    if found["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend":
        found["EMAIL_BACKEND"] = "automate.lib.mail.Backend"
    return found


def rate(name: str) -> Rate | None:
    """The rate that a setting names; None when it is empty."""
    text = read(name).strip()
    try:
        return parse_rate(text) if text else None
    except ValueError as error:
        msg = f"{name}: {error}"
        raise ImproperlyConfigured(msg) from None


def files(usual: Path) -> dict[str, Any]:
    """Django's storage of files from AUTOMATE_FILES_URL, else in the folder `usual`."""
    try:
        return storage_setting(read("AUTOMATE_FILES_URL"), usual)
    except ValueError as error:
        msg = f"AUTOMATE_FILES_URL: {error}"
        raise ImproperlyConfigured(msg) from None
