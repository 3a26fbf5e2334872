"""Django's settings: one mode, production. Values come from configuration.py, and there is no switch for DEBUG."""

import socket
import sys
from datetime import timedelta
from pathlib import Path

from django.utils.csp import CSP

from casemate import configuration, features, policy

_configuration = configuration.load()
_environment = _configuration.environment
_package = Path(__file__).resolve().parent

DEBUG = False
SECRET_KEY = _configuration.secret_key
ALLOWED_HOSTS = [_environment.site_name]
SITE_NAME = _environment.site_name
DATABASE_ACCOUNT = _environment.database_account

KEYRING_KEKS = _configuration.keks
AUDIT_KEYS = _configuration.audit_keys
AUDIT_SCHEMA = _configuration.audit_schema
LIMITER_SOCKET = _environment.limiter_socket
LIMITER_PASSWORD = _configuration.limiter_password

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "axes",
    "casemate.tenancy",
    "casemate.keyring",
    "casemate.audit",
    "casemate.accounts",
    "casemate.organizations",
    "casemate.vault",
    "casemate.security",
    "django.contrib.auth",  # after ours, whose changepassword takes the place of its own
]
MIDDLEWARE = [
    # The first ones lay headers on every answer, so that an error made further in has them too.
    "casemate.headers.PolicyHeaders",
    "casemate.transport.OverTlsAlone",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "casemate.errors.MethodNotAllowedPage",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "casemate.accounts.strangers.CountStrangers",
    "casemate.limiter.LimitPages",
    "casemate.accounts.gate.SignInGate",
    "casemate.organizations.access.OrganizationAccess",
]
ROOT_URLCONF = "casemate.urls"
WSGI_APPLICATION = "casemate.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_package / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "casemate.organizations.navigation.context",
            ]
        },
    }
]

DATABASES = {"default": _configuration.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "casemate.accounts.backends.PasswordBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "casemate.accounts.passwords.PaddedPasswordValidator"},
]
LOGIN_URL = "sign-in"

# Lock-out; accounts/lockout.py says what is counted and why.
AXES_HANDLER = "casemate.accounts.lockout.Attempts"
AXES_CLIENT_IP_CALLABLE = "casemate.accounts.lockout.attempt_address"
AXES_USERNAME_CALLABLE = "casemate.accounts.lockout.attempt_person"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_FAILURE_LIMIT = 5  # for one person from one address
LOCKOUT_LIMIT_FOR_ALL = 20  # for all persons from one address
AXES_COOLOFF_TIME = timedelta(hours=1)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # an hour is an hour, however often someone tries meanwhile
AXES_RESET_ON_SUCCESS = False  # axes would take the right password for a sign-in
AXES_DISABLE_ACCESS_LOG = True  # the audit log is the one that tells
AXES_ENABLE_ADMIN = AXES_VERBOSE = False

SESSION_ENGINE = "casemate.accounts.sessions"
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_IDLE = timedelta(minutes=5 if _environment.profile == "strict" else 30)
SESSION_ABSOLUTE = timedelta(hours=12)
# How long ago the second factor may have been given for what shows a secret or changes who may.
STEP_UP_AGE = timedelta(minutes=5 if _environment.profile == "strict" else 10)
SESSION_COOKIE_AGE = int(SESSION_IDLE.total_seconds())

CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = None
CSRF_FAILURE_VIEW = "casemate.errors.csrf_failure"

# nginx alone speaks to the socket and overwrites this header, always with https.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# Not `no-referrer`: a form would then be sent with `Origin: null`, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP: policy.Policy = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.NONCE],
    "style-src": [CSP.SELF],
    "connect-src": [CSP.SELF],  # forms that keep what was typed, and the clipboard
    "img-src": [CSP.SELF, "data:"],  # Pico draws its marks as data: pictures
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": [CSP.NONE],
    "upgrade-insecure-requests": True,
    # Who was kept from what: both names, since browsers know the one or the other.
    "report-uri": [policy.REPORTS],
    "report-to": [policy.ENDPOINT],
}
# What declared.yml tightens, and what it has on trial: sent beside it, and stopping nothing.
CSP_OF_THE_RELEASE: policy.Policy = SECURE_CSP
CSP_REPORT_ONLY, CSP_QUIET = _environment.csp_report_only, timedelta(days=_environment.csp_quiet_days)
try:
    SECURE_CSP = policy.tightened(CSP_OF_THE_RELEASE, _environment.csp_enforced)
except ValueError as fault:
    raise configuration.Misconfigured(f"CASEMATE_CSP_ENFORCED: {fault}. Take it out of declared.yml.") from None
SECURE_CSP_REPORT_ONLY = policy.on_trial(SECURE_CSP, CSP_REPORT_ONLY)
PERMISSIONS_POLICY = features.header(features.parse(_environment.allowed_features))
SILENCED_SYSTEM_CHECKS = [
    "axes.W002",  # its middleware makes its own answer out of the request's form; ours is accounts/views.py's
    "security.W004",  # HSTS is nginx's alone: two layers would disagree
    "security.W008",  # nginx answers plain HTTP with 308, and transport.py what comes past it
    "security.W021",  # preloading is a stage of nginx's HSTS
    "mail.W001",  # no mail is sent yet, and trying to must fail
]

# No form carries files and none is long: nginx's limits stand before these.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
DATA_UPLOAD_MAX_NUMBER_FILES = 0

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [_package / "static"]
# A release holds its static files beside its venv, so code and files are always of one version.
STATIC_ROOT = _environment.static_root or Path(sys.prefix).parent / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

# Nothing sends mail or queues work: Django's defaults would do both inside the request.
MAILERS: dict[str, object] = {}
TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "casemate.log.OneLine"}, "event": {"()": "casemate.audit.journal.Line"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "audit": {
            "class": "casemate.audit.journal.Journal",
            "address": str(_environment.audit_journal),
            "socktype": socket.SOCK_DGRAM,
            "formatter": "event",
        },
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # Django's own logger would add a handler that mails errors.
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # Its lines name people and addresses in a form of its own; casemate.sign_in writes the one that counts.
        "axes": {"level": "ERROR"},
        "casemate.audit.outside": {"handlers": ["audit"], "level": "INFO", "propagate": False},
    },
}
