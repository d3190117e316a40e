"""One settings file. What a person may change is read in `automate.env`."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from corsheaders.defaults import default_headers

from automate import env, served
from automate.accounts.sign_in import limits
from automate.bootstrap import ensure_keys

BASE_DIR = env.BASE_DIR
env.load_file(BASE_DIR / ".env")
VAR_DIR = env.var_dir()

DEBUG = env.read("DEBUG")
DATABASES = {"default": env.tuned(env.database(env.database_url()), VAR_DIR)}
SQLITE = DATABASES["default"]["ENGINE"].endswith("sqlite3")
ensure_keys(sqlite=SQLITE)

SECRET_KEY = env.read("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = env.read("FIELD_ENCRYPTION_KEYS")
PUBLIC_URL = env.read("AUTOMATE_PUBLIC_URL").rstrip("/")
if not env.is_set("AUTOMATE_PUBLIC_URL"):
    PUBLIC_URL = served.address(VAR_DIR) or PUBLIC_URL
STREAM_URL = env.stream_url(PUBLIC_URL)
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or "localhost"
ALLOWED_HOSTS = [*env.read("ALLOWED_HOSTS"), PUBLIC_HOST]
CSRF_TRUSTED_ORIGINS = env.read("CSRF_TRUSTED_ORIGINS")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the engine -------------------------------------------------------------
WORKERS = max(2, env.read("AUTOMATE_WORKERS"))
THREADS = env.read("AUTOMATE_THREADS") or (64 if SQLITE else 32)
WEB_PROCESSES = env.read("AUTOMATE_WEB")
LEASE = env.read("AUTOMATE_LEASE") or (60.0 if SQLITE else 15.0)
HEARTBEAT = env.read("AUTOMATE_HEARTBEAT")
GRACE = env.read("AUTOMATE_GRACE")
POLL = env.read("AUTOMATE_POLL") or (0.05 if SQLITE else 0.5)
LISTEN = env.read("AUTOMATE_LISTEN") and not SQLITE
DRAIN_MEMORY = env.read("AUTOMATE_DRAIN_MEMORY")
RETENTION_DAYS = env.read("AUTOMATE_RETENTION_DAYS")
MAX_BODY = env.read("AUTOMATE_MAX_BODY")
MAX_RESPONSE = env.read("AUTOMATE_MAX_RESPONSE")
MAX_ITEMS = env.read("AUTOMATE_MAX_ITEMS")
PAYLOAD_STORES = env.read("AUTOMATE_PAYLOAD_STORE")
INLINE_LIMIT = env.read("AUTOMATE_INLINE_LIMIT")
INLINE_OUTPUT_LIMIT = 4 * INLINE_LIMIT
ALLOWED_NETWORKS = [
    ipaddress.ip_network(item) for item in env.read("AUTOMATE_ALLOWED_NETWORKS")
]
# For warnings alone: what the server here permits, for the commands beside it.
SERVED_NETWORKS = served.networks(VAR_DIR)
TRUSTED_PROXIES = [
    ipaddress.ip_network(item) for item in env.read("AUTOMATE_TRUSTED_PROXIES")
]

Q_CLUSTER = {
    "name": "automate",
    "orm": "default",
    "broker_class": "runs.broker.Broker",
    "workers": WORKERS,
    # Ordinary tasks are short. Drains carry a timeout of their own (-1).
    "timeout": 300,
    # From when a task is handed out, and it may wait in the queue behind others.
    "retry": 300 * (WORKERS + 1) + 60,
    "max_attempts": 5,
    "ack_failures": True,
    "poll": 0.5,
    "bulk": 1,
    "queue_limit": WORKERS,
    "save_limit": 250,
    "max_rss": DRAIN_MEMORY * 1024,
    "catch_up": False,
    "log_level": "WARNING",
    "label": "Background tasks",
}

# --- Django -----------------------------------------------------------------
INSTALLED_APPS = [
    "automate",
    "automate.accounts",
    "workflows",
    "runs",
    "webhooks",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "corsheaders",
    "axes",
    "django_otp",
    # After `runs`, whose `qcluster` command takes the place of django-q2's.
    "django_q",
]
MIDDLEWARE = [
    "automate.debug_errors.ErrorsForPrograms",
    "webhooks.middleware.EdgeFirst",
    "automate.policy.ContentSecurityPolicy",
    "automate.proxy.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "automate.accounts.middleware.RateHeaders",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "automate.urls"
CSRF_FAILURE_VIEW = "automate.api.csrf_failure"
WSGI_APPLICATION = "automate.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The first hashes; a password under another is hashed anew when its owner signs in.
PASSWORD_HASHERS = [
    "automate.accounts.hashers.Argon2",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "automate.accounts.hashers.BCrypt",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "admin:login"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "automate.formats"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": env.files(VAR_DIR / "media"),
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = VAR_DIR / "media"
FILES_PUBLIC_URL = env.read("AUTOMATE_FILES_PUBLIC_URL").rstrip("/")
vars().update(env.email())
DEFAULT_FROM_EMAIL = env.read("AUTOMATE_EMAIL_FROM") or f"automate@{PUBLIC_HOST}"
SERVER_EMAIL = DEFAULT_FROM_EMAIL

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "automate.accounts.api.authentication.BearerAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["automate.accounts.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["automate.lib.rest.wire.FaithfulJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["automate.lib.rest.wire.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "automate.lib.rest.wire.AlwaysFirst",
    "EXCEPTION_HANDLER": "automate.api.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": ["automate.accounts.api.throttling.KeyRate"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "automate.openapi.operations.Operation",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Automate",
    "VERSION": "1",
    "SERVERS": [{"url": "/", "description": "This site"}],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # `make check` makes it anyway
}
REGISTRATION = env.read("AUTOMATE_REGISTRATION")
API_RATE = env.rate("AUTOMATE_API_RATE")
API_STRANGER_RATE = env.rate("AUTOMATE_API_STRANGER_RATE")

# Pages of these origins may call the API from a browser, and nothing but the API. They
# say who they are by a key or a token: no cookie is taken along.
CORS_ALLOWED_ORIGINS = env.read("AUTOMATE_CORS_ORIGINS")
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_HEADERS = [
    *default_headers,
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-api-key",
]
CORS_EXPOSE_HEADERS = [
    "etag",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
]
if CORS_ALLOWED_ORIGINS:
    MIDDLEWARE.insert(2, "corsheaders.middleware.CorsMiddleware")

# --- security ---------------------------------------------------------------
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# No script of ours reads either.
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Lax, not Strict: links in mails and chats lead to pages that one is signed in to.
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if HTTPS:
    # Browsers take these names from this host over HTTPS alone, so that no other host
    # of the domain can set them (RFC 6265bis, 4.1.3.2).
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_SSL_REDIRECT = False
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SILENCED_SYSTEM_CHECKS = [
    # HSTS for subdomains: it binds hosts that are not ours, some of which may not
    # speak HTTPS. Their owner may add it at the proxy.
    "security.W005",
    # Redirecting to HTTPS: the proxy's work. Behind it, plain HTTP stays inside, and
    # probes of /livez would be answered with a redirect.
    "security.W008",
    # HSTS preloading: an entry in browsers for the whole domain, years to undo; again
    # the owner's.
    "security.W021",
]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Failed sign-ins: the limits are in automate.accounts.sign_in.limits.
AXES_HANDLER = "automate.accounts.sign_in.failures.Failures"
AXES_FAILURE_LIMIT = limits.OF_ACCOUNT
AXES_COOLOFF_TIME = limits.COOL_OFF
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "automate.accounts.sign_in.failures.account_of"
AXES_CLIENT_IP_CALLABLE = "automate.accounts.sign_in.failures.client_address"
AXES_LOCKOUT_CALLABLE = "automate.accounts.sign_in.refusal.locked_out"
AXES_RESET_ON_SUCCESS = True
# Tries while it is locked do not count, so that they cannot keep it locked.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
OIDC_ISSUER = env.read("AUTOMATE_OIDC_ISSUER")
OIDC_CLIENT_ID = env.read("AUTOMATE_OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.read("AUTOMATE_OIDC_CLIENT_SECRET")
OIDC_NAME = env.read("AUTOMATE_OIDC_NAME")
OIDC_DOMAINS = [domain.lower() for domain in env.read("AUTOMATE_OIDC_DOMAINS")]
REQUIRE_SECOND_FACTOR = env.read("AUTOMATE_REQUIRE_SECOND_FACTOR")
DATA_UPLOAD_MAX_MEMORY_SIZE = 25 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        **{
            name: {"level": env.read("AUTOMATE_LOG_LEVEL")}
            for name in ("automate", "workflows", "runs", "webhooks")
        },
        # It warns of every 4xx; what the edge turns away is counted, not logged.
        "django.request": {"level": "ERROR"},
        # It warns of every failure; ours tells of those that lock.
        "axes": {"level": "ERROR"},
    },
}
