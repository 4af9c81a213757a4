"""Settings of the local stack that script/up starts: plain HTTP on this machine, pages for developers."""

from config.settings.base import *  # noqa: F403

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
DEMO = True
DEMO_PEOPLE = "accounts.demo.seed_people"
DEMO_SEEDS = ["promotions.demo.seed_services"]
