"""The only settings file. Everything that a deployment may change is read here from environment variables.

docs/settings.md lists the variables. The defaults are safe for one machine that serves only itself
(loopback).
"""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import django
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable. Errors: ImproperlyConfigured for any other word."""
    word = os.environ.get(name, "1" if default else "0").strip().lower()
    if word in {"1", "yes", "true", "on"}:
        return True
    if word in {"0", "no", "false", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {word!r}")


def words(name: str, default: str = "") -> list[str]:
    """Return the values of a comma-separated variable."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def number(name: str, default: float) -> float:
    """Return a variable as a number. Errors: ImproperlyConfigured if it is not one."""
    try:
        return float(os.environ.get(name) or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number") from error


def secret(name: str) -> str:
    """Return the secret in a variable, or in the file that the variable `name`_FILE names.

    Errors: ImproperlyConfigured if that file cannot be read.
    """
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error


def kept_secret(path: Path) -> str:
    """Return the secret in the file `path`.

    The first call creates it, so that a new clone starts without setup.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(50))
        except FileExistsError:  # another process created it at the same time
            pass
        return path.read_text().strip()


LACUNA_DATA_DIR = DATA_DIR = Path(os.environ.get("LACUNA_DATA_DIR", BASE_DIR / "data")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)

DEBUG = flag("LACUNA_DEBUG", default=False)
SECRET_KEY = os.environ.get("LACUNA_SECRET_KEY") or kept_secret(DATA_DIR / "secret-key")
ALLOWED_HOSTS = words("LACUNA_HOSTS", "localhost,127.0.0.1,[::1]")
# Set it behind a proxy that does TLS: then cookie names begin with __Host- and HSTS is sent.
HTTPS = flag("LACUNA_HTTPS", default=False)
CSRF_TRUSTED_ORIGINS = words("LACUNA_ORIGINS")

# Whether this is the demonstration. Its bar, its sign-in page, its style sheet, its URL and what it does by
# itself exist nowhere else.
LACUNA_DEMO = flag("LACUNA_DEMO", default=False)


def site_address() -> str:
    """Return the root URL of the site for links in mail that no request causes.

    By default it has the first host name of LACUNA_HOSTS; on loopback `serve` sets it, with its port.
    """
    host = ALLOWED_HOSTS[0] if ALLOWED_HOSTS else "localhost"
    given = os.environ.get("LACUNA_ADDRESS") or f"{'https' if HTTPS else 'http'}://{host.lstrip('.*')}/"
    return f"{given.rstrip('/')}/"


LACUNA_ADDRESS = site_address()

INSTALLED_APPS = [
    "clinic",
    "patients",
    "erasure",
    "allauth",
    "allauth.account",
    "django_htmx",
    *(["django_tasks"] if django.VERSION < (6, 0) else []),
    "django_tasks_db",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "clinic.http.no_store.NoStoreMiddleware",
    "clinic.http.resource_policy.ResourcePolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.common.CommonMiddleware",  # refuses other host names, for static files too
    "whitenoise.middleware.WhiteNoiseMiddleware",  # after all middleware that sets headers on every response
    "django.contrib.sessions.middleware.SessionMiddleware",
    "clinic.access.session_limits.SessionLimitsMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "clinic.audit.middleware.AuditContextMiddleware",
    "clinic.access.sign_in_required.SignInRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "clinic.access.middleware.PolicyMiddleware",
    "patients.cases.no_open_case.NoOpenCaseMiddleware",
    "clinic.unavailable.ServiceUnavailableMiddleware",
]

ROOT_URLCONF = "clinic.urls"
ASGI_APPLICATION = "clinic.asgi.application"
# ASGI applications that answer requests instead of Django, by path prefix (clinic/http/router.py).
ASGI_ROUTES = {
    "/bed/live/": "erasure.live.app.app",
    "/live/": "erasure.live.app.app",
    "/pictures/": "patients.keepsakes.pictures.pictures",
    "/playback/": "patients.keepsakes.playback.playback",
    "/upload/": "patients.keepsakes.upload_app.upload_app",
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["clinic.templatetags.form_tokens"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "clinic.access.navigation.navigation",
                "clinic.configuration.context.clinic",
                "clinic.alerts.context.alerts",
                "clinic.seasons.context.seasons",
                "patients.consent.context.consent",
                "patients.messages.context.messages",
                *(["erasure.demo.context.demonstration"] if LACUNA_DEMO else []),
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Data -------------------------------------------------------------------------------------------------
DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("LACUNA_DATABASE", f"sqlite:///{DATA_DIR / 'lacuna.sqlite3'}")
    )
}
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if ON_SQLITE:
    # With Django's defaults four writers met 'database is locked' 1315 times; with these, never (ERASURE.md).
    # secure_delete overwrites deleted rows. Erasure does not depend on it: the destroyed key is the proof.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
            "PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=400;"
            # These two have an effect only on macOS: F_FULLFSYNC (clinic/durable.py).
            "PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON"
        ),
    }
else:
    # A connection that the server closed is replaced when it is taken from the pool, not used once more.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        # How long a server may be silent that is off the network: seconds, for the last one milliseconds.
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        **DATABASES["default"].get("OPTIONS", {}),  # what the URL says, such as sslmode
        # Under ASGI each request thread would open its own connection; the pool limits their number
        # (LIVE.md). While the server is away a request waits `timeout` seconds before the 503 page. With the
        # default `reconnect_timeout` of five minutes the pool would try less and less often, and so come back
        # late.
        "pool": {"min_size": 1, "max_size": 12, "timeout": 5, "reconnect_timeout": 2},
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("LACUNA_REDIS", "")
if REDIS_URL:
    TASKS = {"default": {"BACKEND": "erasure.task_queue.redis_queue.RedisBackend"}}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "lacuna",
        }
    }
else:
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    # Throttles must be shared by all processes, so the local-memory cache is not possible. Django's cache in
    # a table is not either: it deletes counters to make room (decision 11).
    CACHES = {"default": {"BACKEND": "clinic.throttle_cache.ThrottleCache", "LOCATION": "clinic_cache"}}

# --- The vault: ciphertext through STORAGES, keys in a separate file that is never backed up --------------
LACUNA_VAULT_DIR = DATA_DIR / "vault"
LACUNA_KEYS_DIR = Path(os.environ.get("LACUNA_KEYS_DIR", DATA_DIR / "keys"))
LACUNA_ROOT_KEY = os.environ.get("LACUNA_ROOT_KEY", "")
LACUNA_ROOT_KEY_FILE = Path(os.environ.get("LACUNA_ROOT_KEY_FILE", DATA_DIR / "root-key"))
# The previous root key, which is still needed until the next roll of the root key.
LACUNA_ROOT_KEY_FILE_BEFORE = os.environ.get("LACUNA_ROOT_KEY_FILE_BEFORE", "")
# Where data keys are stored: "slots", a file for one machine, or "database", which needs a PKCS#11 token.
LACUNA_KEYS = os.environ.get("LACUNA_KEYS", "slots")
# Path of a PKCS#11 token's library. The keys that encrypt data keys are created, used and destroyed in the
# token.
LACUNA_TOKEN_MODULE = os.environ.get("LACUNA_TOKEN_MODULE", "")
LACUNA_TOKEN_LABEL = os.environ.get("LACUNA_TOKEN_LABEL", "lacuna")
LACUNA_TOKEN_PIN = os.environ.get("LACUNA_TOKEN_PIN", "")
LACUNA_TOKEN_PIN_FILE = os.environ.get("LACUNA_TOKEN_PIN_FILE", "")
# Redis on another host means that it wakes workers on several machines. S3 and a remote PostgreSQL imply
# nothing: they are also used with one machine.
LACUNA_SEVERAL_MACHINES = flag(
    "LACUNA_SEVERAL_MACHINES",
    default=bool(REDIS_URL) and urlsplit(REDIS_URL).hostname not in {None, "localhost", "127.0.0.1", "::1"},
)
LACUNA_KEY_MIRRORS = [Path(path) for path in words("LACUNA_KEY_MIRRORS")]
S3_BUCKET = os.environ.get("LACUNA_S3_BUCKET", "")
STORAGES: dict[str, dict[str, object]] = {
    "staticfiles": {"BACKEND": "clinic.http.static_files.StaticFiles"},
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "vault": {"BACKEND": "patients.vault.storage.VaultStorage"},
}
if S3_BUCKET:
    STORAGES["vault"] = {
        "BACKEND": "patients.vault.s3.S3Vault",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": os.environ.get("LACUNA_S3_ENDPOINT") or None,
        },
    }
# The key that signs checkpoints of the audit log and certificates. `verify_audit` prints its public key.
LACUNA_SIGNING_KEY_FILE = Path(os.environ.get("LACUNA_SIGNING_KEY_FILE", DATA_DIR / "signing-key"))
LACUNA_WITNESS_DIR = Path(os.environ.get("LACUNA_WITNESS_DIR", DATA_DIR / "witness"))
# Outside mail addresses, comma-separated, to which the newest checkpoint is mailed.
LACUNA_WITNESS_MAIL = words("LACUNA_WITNESS_MAIL")
LACUNA_LOG_ORIGIN = os.environ.get("LACUNA_LOG_ORIGIN", "lacuna.example/audit")

# Keepsakes are not uploaded through Django (uploads have their own ASGI route), so bodies are small forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS: list[str] = []
# What this machine takes in one file. The clinic decides in the browser how large films may be.
LACUNA_UPLOAD_MAX_BYTES = int(number("LACUNA_UPLOAD_MAX_BYTES", 5_300_000_000))
LACUNA_MEDIA_MAX_SECONDS = int(number("LACUNA_MEDIA_MAX_SECONDS", 2 * 3600))
LACUNA_PDF_MAX_PAGES = int(number("LACUNA_PDF_MAX_PAGES", 30))
LACUNA_CASE_MAX_BYTES = int(number("LACUNA_CASE_MAX_BYTES", 64 * 1024**3))
LACUNA_CASE_MAX_KEEPSAKES = int(number("LACUNA_CASE_MAX_KEEPSAKES", 2000))
# A patient may tick everything they brought; Django's usual limit is 1,000.
DATA_UPLOAD_MAX_NUMBER_FIELDS = LACUNA_CASE_MAX_KEEPSAKES + 100

# --- The runner -------------------------------------------------------------------------------------------
# What a clinic decides (cooling-off, pace, presence checks, calls, its telephone) is in the database and is
# changed in the browser: clinic/configuration.
LACUNA_LEASE_SECONDS = number("LACUNA_LEASE_SECONDS", 60)
LACUNA_SLICE_SECONDS = number("LACUNA_SLICE_SECONDS", 20)
# How long a certificate waits until the processes that may have seen the night are replaced.
LACUNA_RENEWAL_SECONDS = number("LACUNA_RENEWAL_SECONDS", 30)

# --- People -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "clinic.User"
# auth.W004 wants a unique e-mail field. Ours is unique regardless of case, by a constraint on Lower("email").
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
AUTHENTICATION_BACKENDS = ["clinic.people.backend.PassphraseBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "clinic.people.validators.CharacterValidator"},
    {"NAME": "clinic.people.validators.ClinicNameValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "clinic.people.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts come from invitations, which prove the address
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# Limited per account too, because the whole staff of a clinic may have the same IP address (SECURITY.md A3).
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": "10/5m/key,300/5m/ip",
    "reset_password": "60/m/ip,5/15m/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = int(number("LACUNA_PROXIES", 0))
SESSION_ENGINE = "clinic.access.session_limits"
SESSION_COOKIE_AGE = 12 * 3600  # a session's absolute end, in seconds
LACUNA_SESSION_IDLE_SECONDS = 2 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "clinic.access.denials.csrf_failure"

# --- Response headers and mail ----------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "microphone", "geolocation", "payment", "usb", "display-capture")
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 86400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"

# Without a mail server, mail is stored in an outbox, which staff can read in the demonstration.
OUTBOX = "clinic.outbox.backend.OutboxBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MAIL_BACKEND = os.environ.get("LACUNA_MAIL_BACKEND") or (
    SMTP if os.environ.get("LACUNA_MAIL_HOST") else OUTBOX
)
MAIL_SECURITY = os.environ.get("LACUNA_MAIL_SECURITY", "").strip().lower()
if MAIL_SECURITY not in {"", "starttls", "tls"}:
    raise ImproperlyConfigured("LACUNA_MAIL_SECURITY must be starttls, tls, or empty")
MAIL_SERVER = {
    "host": os.environ.get("LACUNA_MAIL_HOST", "localhost"),
    "port": int(number("LACUNA_MAIL_PORT", {"": 25, "starttls": 587, "tls": 465}[MAIL_SECURITY])),
    "username": os.environ.get("LACUNA_MAIL_USER", ""),
    "password": secret("LACUNA_MAIL_PASSWORD"),
    "use_tls": MAIL_SECURITY == "starttls",
    "use_ssl": MAIL_SECURITY == "tls",
    # Seconds for connecting and for each reply. It is short because a person waits for the form's response.
    "timeout": 5,
}
if django.VERSION >= (6, 1):
    # A backend raises an error for unknown options, and the outbox has no options.
    to_server = MAIL_BACKEND.endswith(".smtp.EmailBackend") or "LACUNA_MAIL_HOST" in os.environ
    MAILERS = {"default": {"BACKEND": MAIL_BACKEND, "OPTIONS": MAIL_SERVER if to_server else {}}}
else:
    EMAIL_BACKEND = MAIL_BACKEND
    EMAIL_HOST, EMAIL_PORT = MAIL_SERVER["host"], MAIL_SERVER["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER["username"], MAIL_SERVER["password"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL_SERVER["use_tls"], MAIL_SERVER["use_ssl"]
    EMAIL_TIMEOUT = MAIL_SERVER["timeout"]
DEFAULT_FROM_EMAIL = os.environ.get("LACUNA_MAIL_FROM", "Lacuna <front-desk@lacuna.example>")

# --- Languages, time, static files ------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("vi", _("Vietnamese"))]
LOCALE_PATHS = [
    BASE_DIR / "clinic" / "locale",
    BASE_DIR / "patients" / "locale",
    BASE_DIR / "erasure" / "locale",
]
USE_I18N = USE_TZ = True
FORMAT_MODULE_PATH = ["clinic.formats"]
TIME_ZONE = os.environ.get("LACUNA_TIME_ZONE", "America/New_York")
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", *([BASE_DIR / "erasure" / "demo" / "static"] if LACUNA_DEMO else [])]
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {
        "one_line": {"()": "clinic.people.redaction.OneLineForRefusals"},
        "without_tokens": {"()": "clinic.people.redaction.WithoutTokens"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["one_line", "without_tokens"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # Only lines to stderr: error mails and tracebacks with locals would contain patients' data from
        # memory.
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        # Its warnings contain parts of request bodies, which are patients' data.
        "python_multipart": {"handlers": [], "level": "CRITICAL", "propagate": False},
        "lacuna": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}
ADMINS: list[tuple[str, str]] = []
