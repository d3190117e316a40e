"""Every setting that a person may change: declared once, read by `automate.env`.

Each has its type, its default and one sentence; `docs/settings.md` and
`.env.example` are made from `SETTINGS` by `manage.py settings_docs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
    Setting(
        "DEBUG",
        bool,
        False,
        "Django's debug pages for people; programs get the API's errors. "
        "Never in production.",
    ),
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
        "The address that webhook and admin links are shown with. Unset, it is the one "
        "that `manage.py up` last served at on this host.",
    ),
    Setting(
        "AUTOMATE_STREAM_URL",
        str,
        "",
        "The address of the stream listener, for browsers and programs. Empty: the "
        "host of AUTOMATE_PUBLIC_URL and its port + 1; AUTOMATE_PUBLIC_URL itself when "
        "that names no port, because a proxy is in front.",
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
    Setting(
        "AUTOMATE_REGISTRATION",
        bool,
        False,
        "Whoever can reach the API may make an account, as a Developer in a team of "
        "their own. They see and change what belongs to no team, too.",
        "API",
    ),
    Setting(
        "AUTOMATE_CORS_ORIGINS",
        list,
        [],
        "Origins (https://app.example.com) whose pages may call the API in a browser, "
        "with a key or a token. Empty: none.",
        "API",
    ),
    Setting(
        "AUTOMATE_OIDC_ISSUER",
        str,
        "",
        "The identity provider (OpenID Connect) by which people may sign in to the "
        "admin: https://login.example.com/realms/ours. Empty: none.",
        "Sign-in",
    ),
    Setting(
        "AUTOMATE_OIDC_CLIENT_ID",
        str,
        "",
        "What the provider calls this site.",
        "Sign-in",
    ),
    Setting(
        "AUTOMATE_OIDC_CLIENT_SECRET",
        str,
        "",
        "The site's secret there. Empty: a public client; PKCE is used in any case.",
        "Sign-in",
    ),
    Setting(
        "AUTOMATE_OIDC_NAME",
        str,
        "single sign-on",
        "What the login page calls the provider.",
        "Sign-in",
    ),
    Setting(
        "AUTOMATE_OIDC_DOMAINS",
        list,
        [],
        "Domains of e-mail addresses (example.com) whose people get an account when "
        "they first come from the provider, as Viewers of no team. Empty: only who "
        "has one already.",
        "Sign-in",
    ),
    Setting("AUTOMATE_LOG_LEVEL", str, "INFO", "Level of our own log lines."),
)
