"""Settings of the local stack that script/up starts: plain HTTP on this machine, pages for developers."""

from config import env
from config.settings.base import *  # noqa: F403
from config.settings.base import STATE_DIR, STORAGES

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
DEMO = True
# Straight from the source folders: a changed file shows at once, and nothing has to be collected.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = STATE_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
DEMO_PEOPLE = "accounts.demo.seed_people"
DEMO_SEEDS = [
    "promotions.demo.seed_services",
    "promotions.demo.seed_requests",
    "tickets.demo.seed_tickets",
    "events.demo.seed_events",
    "iep.demo.seed_shop",
    "events.demo.seed_slack",
    "tickets.demo_jira.seed_jira",
]
DEMO_JIRA = env.text("STAGEPASS_DEMO_JIRA")
# So that every example of the events guide works as it is written.
TRACKER_ANONYMOUS_TENANT = "tenant-finance"
TRACKER_ANONYMOUS_RIGHTS = ["read", "write"]
MCP_ANONYMOUS_ACCOUNT = "pierre.durand@cab-i.com"
# Receivers on this machine may be tried.
WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
