"""Settings that hold everywhere; what differs from place to place comes from the environment (config/env.py)."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF

from config import env
from config.settings.admin import UNFOLD  # noqa: F401
from config.settings.chain import CHAIN_SOURCES, DEPLOYMENT_CHECKS  # noqa: F401
from config.settings.import_maps import (  # noqa: F401
    IEP_POLICIES,
    IEP_POLICY_SECONDS,
    IEP_SIGN_OFFS,
    IEP_STALE_AFTER,
    PREVIEW_HOST,
    SANITY_COMMANDS,
)
from config.settings.logs import LOGGING  # noqa: F401
from config.settings.outside import *  # noqa: F403
from config.settings.outside import outside_channels
from config.settings.pages import *  # noqa: F403
from config.settings.recorded import *  # noqa: F403
from config.settings.rest import API_CHANGES_PER_MINUTE, REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401
from config.settings.work import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parents[2]
STATE_DIR = Path(env.text("STAGEPASS_STATE")).absolute()
SITE_URL = env.text("STAGEPASS_URL").rstrip("/")
GRPC_ADDRESS = env.text("STAGEPASS_GRPC")

SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
DEBUG = False
DEMO = False
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS")
if PREVIEW_HOST:
    ALLOWED_HOSTS += ["." + PREVIEW_HOST.partition(":")[0]]

INSTALLED_APPS = [
    "core.apps.CoreConfig",
    "accounts.apps.AccountsConfig",
    "events.apps.EventsConfig",
    "tickets.apps.TicketsConfig",
    "iep.apps.IepConfig",
    "promotions.apps.PromotionsConfig",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "core.apps.StagepassAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "guardian",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.atlassian",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "django_htmx",
    "template_partials",
    "csp",
]

MIDDLEWARE = [
    "core.middleware.RequestContextMiddleware",
    "core.middleware.PermissionsPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "accounts.middleware.SingleSignOnMiddleware",
    "core.console.ConsoleMiddleware",
]

# For programs that send a token (core/slim.py); what only pages need is left out.
SLIM_MIDDLEWARE = [
    "core.middleware.PermissionsPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.middleware.NoContentMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

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
                "csp.context_processors.nonce",
            ],
        },
    }
]

DATABASES: dict[str, Any] = {
    "default": {
        **env.reader.db_url_config(env.text("DATABASE_URL")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "connect_timeout": 5,
        # For the statements of core/sql.py; those of the ORM are never prepared.
        "prepare_threshold": 5,
        "options": "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000",
    }
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES: dict[str, Any] = {"default": env.reader.cache_url_config(env.text("CACHE_URL"))}
if CACHES["default"]["BACKEND"].endswith("RedisCache"):  # one that hangs must not hang the callers
    CACHES["default"]["OPTIONS"] = {
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        **CACHES["default"].get("OPTIONS", {}),
    }

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
ANONYMOUS_USER_NAME = None
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "accounts.adapter.InvitedOnlyAdapter"
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SingleSignOnAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
# The code of the half minute before and after is taken too: clocks of phones differ.
MFA_TOTP_TOLERANCE = 1
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"] if env.switch("MFA") else []
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if env.text("SSO_GITHUB_CLIENT_ID"):
    SOCIALACCOUNT_PROVIDERS["github"] = {
        "APPS": [{"client_id": env.text("SSO_GITHUB_CLIENT_ID"), "secret": env.text("SSO_GITHUB_SECRET")}],
        "SCOPE": ["user:email"],
    }
if env.text("SSO_ATLASSIAN_CLIENT_ID"):
    SOCIALACCOUNT_PROVIDERS["atlassian"] = {
        "APPS": [{"client_id": env.text("SSO_ATLASSIAN_CLIENT_ID"), "secret": env.text("SSO_ATLASSIAN_SECRET")}],
    }
if env.text("SSO_OIDC_SERVER"):
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "APPS": [
            {
                "provider_id": "sso",
                "name": env.text("SSO_OIDC_NAME"),
                "client_id": env.text("SSO_OIDC_CLIENT_ID"),
                "secret": env.text("SSO_OIDC_SECRET"),
                "settings": {"server_url": env.text("SSO_OIDC_SERVER")},
            }
        ],
        "OAUTH_PKCE_ENABLED": True,
    }

# Words, times, files
LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    # Files of applications by their digest: a folder, or whatever storage Django has a backend for.
    "blobs": {
        "BACKEND": env.text("BLOBS_BACKEND"),
        "OPTIONS": json.loads(env.text("BLOBS_OPTIONS") or "null") or {"location": STATE_DIR / "blobs"},
    },
}

# Mail
vars().update(env.reader.email_url_config(env.text("EMAIL_URL")))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM")
EMAIL_TIMEOUT = 15
OPS_EMAILS = env.items("OPS_EMAILS")

# The browser's side
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = False
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE, SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

CSRF_FAILURE_VIEW = "core.views.csrf_failure"


# What /readyz asks.
READINESS_CHECKS = {
    "database": "core.health.check_database",
    "broker": "core.health.check_broker",
    "beat": "core.health.check_beat",
    "outbox": "events.health.check_outbox",
    "audit": "promotions.audit.health.check_audit",
}

# What /metrics reads besides the requests of its process.
METRICS = ["events.metrics.outbox_gauges", "promotions.metrics.promotion_gauges"]
METRICS_TOKEN = env.text("METRICS_TOKEN")

# What manage.py document writes.
DOCUMENTS = {
    "docs/states.md": "config.documents.states",
    "docs/facts.md": "config.documents.facts",
    "docs/roles.md": "config.documents.roles",
    "docs/configuration.md": "config.documents.configuration",
    "docs/asyncapi.json": "config.asyncapi.document",
}

# The chapters of manage.py story.
STORY = [
    "promotions.story.promote_and_roll_back",
    "tickets.story.follow_a_plan",
    "tickets.story.work_over_mcp",
    "iep.story.save_release_and_take_back",
    "promotions.channels_story.tell_everyone",
    "events.story.trace_an_incident",
]

# Who hears of facts; see events/outbox.py for what an entry may say.
SUBSCRIBERS: dict[str, dict[str, Any]] = {
    "audit": {
        "facts": ("promotion.*", "deployment.*"),
        "but_not": (
            "promotion.reminded",
            "promotion.escalated",
            "promotion.review_reminded",
            "promotion.review_escalated",
        ),
        "handler": "promotions.audit.handler.record_fact",
        "after": "promotions.audit.handler.fact_recorded",
        "ordered": True,
        "attempts": None,
        "longest_wait": 30,
    },
    "import maps": {
        "facts": ("promotion.rejected", "promotion.withdrawn", "promotion.expired", "deployment.failed"),
        "handler": "promotions.sign_off.forget_request",
    },
    "releases as deployments": {
        "facts": ("stamp.released", "stamp.taken_back"),
        "handler": "iep.subscribers.record_deployment",
    },
    "tickets": {
        "facts": ("deployment.succeeded",),
        "handler": "tickets.subscribers.follow_deployment",
    },
    "outside": {
        "facts": ("event.received",),
        "handler": "tickets.subscribers.follow_received_event",
    },
    "email": {
        "facts": ("*",),
        "notifier": "events.notifiers.email.EmailNotifier",
        # Each with a connection of its own to the mail server.
        "at_once": 4,
        # About a day: 50 minutes of doubling waits, then one attempt each hour.
        "attempts": 36,
        "longest_wait": 3600,
    },
}
SUBSCRIBERS |= outside_channels()
# Every kind of notice people can get, app by app; see events/notifiers/base.py.
NOTICES = [
    "promotions.notifiers.notices.NOTICES",
    "tickets.notifiers.notices.NOTICES",
    "iep.notifiers.notices.NOTICES",
    "events.notifiers.operations.NOTICES",
    "events.notifiers.digest.NOTICES",
]

# The kinds of things that a person can mute, each with a page that has the button.
MUTABLE_SUBJECTS = ("promotion", "ticket")

# Open event streams: their address, and how many of one process and of one person there.
LIVE_STREAM_URL = "/live"
LIVE_STREAMS = int(env.text("LIVE_STREAMS"))
LIVE_STREAMS_PER_PERSON = int(env.text("LIVE_STREAMS_PER_PERSON"))
LIVE_RECHECK_SECONDS = float(env.text("LIVE_RECHECK_SECONDS"))

# Promotions
PROMOTION_LIFETIME = dt.timedelta(days=float(env.text("PROMOTION_LIFETIME_DAYS")))
# The wait before each reminder to the approvers; after the last one it escalates to the CPI admins.
PROMOTION_REMINDERS = [dt.timedelta(hours=float(hours)) for hours in env.items("PROMOTION_REMINDER_HOURS")]
# How soon someone else reviews a request whose glass was broken, and the waits between the reminders after that.
BREAK_GLASS_REVIEW = dt.timedelta(hours=float(env.text("BREAK_GLASS_REVIEW_HOURS")))
BREAK_GLASS_REMINDERS = [dt.timedelta(hours=float(hours)) for hours in env.items("BREAK_GLASS_REMINDER_HOURS")]
AUDIT_REPOSITORY = STATE_DIR / "audit.git"
AUDIT_REMOTE = env.text("GIT_REMOTE")
AUDIT_AUTHOR_DOMAIN = env.text("GIT_AUTHOR_DOMAIN")
AUDIT_SIGNING_KEY = env.text("GIT_SIGNING_KEY")
POLICIES: dict[str, dict[str, Any]] = {
    "stated checks": {"BACKEND": "promotions.policies.stated_checks.StatedChecks"},
    "stamped checks": {"BACKEND": "promotions.policies.stamped_checks.StampedChecks"},
    "staging version": {"BACKEND": "promotions.policies.staging_version.StagingRunsVersion"},
    "freezes": {"BACKEND": "promotions.policies.freezes.NoFreeze"},
}
DEPLOYERS: dict[str, dict[str, Any]] = {
    "none": {"BACKEND": "promotions.deployers.null.NullDeployer"},
    "local": {
        "BACKEND": "promotions.deployers.local.LocalDeployer",
        "OPTIONS": {"directory": STATE_DIR / "deployments"},
    },
    "awx": {
        "BACKEND": "promotions.deployers.awx.AwxDeployer",
        "OPTIONS": {
            "url": env.text("AWX_URL"),
            "api_path": env.text("AWX_API_PATH"),
            "token": env.text("AWX_TOKEN"),
            "ca_file": env.text("AWX_CA_FILE"),
        },
    },
    "import maps": {"BACKEND": "promotions.deployers.import_maps.ImportMapDeployer"},
    "ansible": {
        "BACKEND": "promotions.deployers.ansible.AnsibleDeployer",
        "OPTIONS": {"directory": STATE_DIR / "deployments"},
    },
}
AWX_WEBHOOK_SECRETS = env.items("AWX_WEBHOOK_SECRETS")

# MCP: the account that lends its rights to callers without a token, in the demo only. On purpose no variable sets it.
MCP_ANONYMOUS_ACCOUNT = ""
