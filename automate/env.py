"""The only reader of the process environment (django-environ).

Every setting that a person may change is declared here once, with its type, its
default and one sentence; `docs/settings.md` and `.env.example` are made from
`SETTINGS` by `manage.py settings_docs`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured

from automate.lib.filestore import storage_setting
from automate.lib.rates import Rate, parse_rate

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, type, default and what it is for."""

    name: str
    kind: type
    default: Any
    help: str
    section: str = "General"


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "DATABASE_URL",
        str,
        "",
        "postgres://user:password@host:5432/name. Empty: built from POSTGRES_* "
        "when POSTGRES_HOST is set, else SQLite under var/.",
        "Database",
    ),
    Setting("POSTGRES_HOST", str, "", "Host of PostgreSQL.", "Database"),
    Setting("POSTGRES_PORT", int, 5432, "Port of PostgreSQL.", "Database"),
    Setting("POSTGRES_DB", str, "automate", "Database name.", "Database"),
    Setting("POSTGRES_USER", str, "automate", "User name.", "Database"),
    Setting("POSTGRES_PASSWORD", str, "", "Password.", "Database"),
    Setting(
        "AUTOMATE_VAR_DIR",
        str,
        "var",
        "Folder of the embedded database, generated keys and seat locks.",
        "Database",
    ),
    Setting("DEBUG", bool, False, "Django's debug pages. Never in production."),
    Setting(
        "SECRET_KEY",
        str,
        "",
        "Signs sessions and task packages. On SQLite a random one is written to "
        "var/secrets.env at the first start; on PostgreSQL it must be set.",
        "Keys",
    ),
    Setting(
        "FIELD_ENCRYPTION_KEYS",
        list,
        [],
        "Comma-separated key ring of the encrypted columns: the first writes, all "
        "read. Made like SECRET_KEY. Losing it loses payloads and secrets.",
        "Keys",
    ),
    Setting(
        "ALLOWED_HOSTS",
        list,
        ["localhost", "127.0.0.1", "[::1]"],
        "Host names that this site answers to.",
    ),
    Setting(
        "CSRF_TRUSTED_ORIGINS",
        list,
        [],
        "Origins (https://automate.example.com) whose forms are trusted.",
    ),
    Setting(
        "EMAIL_URL",
        str,
        "consolemail://",
        "The mail server: smtp://user:password@host:25, smtp+tls:// (STARTTLS, port "
        "587) or smtp+ssl:// (465). The default prints mail.",
        "E-mail",
    ),
    Setting(
        "AUTOMATE_EMAIL_FROM",
        str,
        "",
        "Sender of mail that names none: Automate <automate@example.com>. Empty: "
        "automate at the host of AUTOMATE_PUBLIC_URL.",
        "E-mail",
    ),
    Setting(
        "AUTOMATE_FILES_URL",
        str,
        "",
        "Where store_file steps write: file:///folder or "
        "s3://bucket/prefix?endpoint=https://host:port&region=name. Empty: media/ in "
        "AUTOMATE_VAR_DIR.",
        "Files",
    ),
    Setting(
        "AUTOMATE_FILES_PUBLIC_URL",
        str,
        "",
        "The address under which these files are served, if they are: then the step's "
        "output has a url.",
        "Files",
    ),
    Setting(
        "AUTOMATE_PUBLIC_URL",
        str,
        "http://127.0.0.1:8000",
        "The address that webhook and admin links are shown with.",
    ),
    Setting(
        "AUTOMATE_REQUIRE_SECOND_FACTOR",
        bool,
        False,
        "Whoever opens the admin must have an authenticator app: people without one "
        "set it up before they see anything else.",
    ),
    Setting(
        "AUTOMATE_TRUSTED_PROXIES",
        list,
        [],
        "Networks (10.0.0.0/8) whose X-Forwarded-For and -Proto are believed.",
        "Edge",
    ),
    Setting(
        "AUTOMATE_ALLOWED_NETWORKS",
        list,
        [],
        "Networks that steps may call although they are loopback, private or "
        "otherwise not public: 127.0.0.0/8,10.1.0.0/16.",
        "Edge",
    ),
    Setting(
        "AUTOMATE_MAX_BODY",
        int,
        1024 * 1024,
        "Largest webhook body, in bytes, unless its trigger says more (25 MiB).",
        "Edge",
    ),
    Setting(
        "AUTOMATE_MAX_RESPONSE",
        int,
        1024 * 1024,
        "Largest response body, in bytes, that an HTTP step reads.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_MAX_ITEMS",
        int,
        10_000,
        "Most items that one for_each step may loop over.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_PAYLOAD_STORE",
        list,
        ["database"],
        "Where bodies and outputs go that are too large for their row: database, "
        "files (var/payloads), files:///shared/folder, or "
        "s3://bucket/prefix?endpoint=https://host:port&region=name. Comma-separated "
        "when it changed: the first is written to, all are read.",
        "Payloads",
    ),
    Setting(
        "AUTOMATE_INLINE_LIMIT",
        int,
        64 * 1024,
        "Largest body, in bytes, that stays in its row. Outputs may have four times "
        "as many.",
        "Payloads",
    ),
    Setting("AUTOMATE_WORKERS", int, 4, "Worker processes of a cluster.", "Engine"),
    Setting(
        "AUTOMATE_THREADS",
        int,
        0,
        "Steps at once in a drain. 0: 32, on SQLite, which has one drain, 64.",
        "Engine",
    ),
    Setting("AUTOMATE_WEB", int, 2, "Web processes of `manage.py up`.", "Engine"),
    Setting(
        "AUTOMATE_LEASE",
        float,
        0.0,
        "Seconds that a drain owns a run without a heartbeat. 0: 15, on SQLite 60.",
        "Engine",
    ),
    Setting("AUTOMATE_HEARTBEAT", float, 5.0, "Seconds between heartbeats.", "Engine"),
    Setting(
        "AUTOMATE_GRACE",
        float,
        20.0,
        "Seconds that steps in flight get to finish when a worker is stopped.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_POLL",
        float,
        0.0,
        "Seconds between looks at the queue without a wake-up. 0: 0.5, on SQLite 0.05.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_LISTEN",
        bool,
        True,
        "Drains LISTEN on PostgreSQL. Off behind a transaction pooler.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_DRAIN_MEMORY",
        int,
        512,
        "MiB after which a drain hands back its work and its process is replaced.",
        "Engine",
    ),
    Setting(
        "AUTOMATE_RETENTION_DAYS",
        int,
        30,
        "Days that finished runs are kept, unless their workflow says otherwise.",
    ),
    Setting(
        "AUTOMATE_API_RATE",
        str,
        "",
        "Requests that each API key may make unless it has a limit of its own: 10/s, "
        "100/m, 1000/h. Empty: no limit.",
        "API",
    ),
    Setting(
        "AUTOMATE_API_STRANGER_RATE",
        str,
        "100/m",
        "Requests without a valid key that an address is answered with 401; more get "
        "429. Empty: no limit.",
        "API",
    ),
    Setting("AUTOMATE_LOG_LEVEL", str, "INFO", "Level of our own log lines."),
)

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
