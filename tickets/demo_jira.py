"""The demo's Jira, where one is played: connected both ways, its project SHOP goes along with the shop's tickets."""

from __future__ import annotations

import json
import urllib.request

from django.conf import settings

from accounts.models import Tenant, User
from events.cdevents.webhooks.secrets import secret_of
from events.endpoints.secrets import seal
from events.models import Connection, EventSource
from tickets.models import JiraProject
from tickets.services import ensure_project

NAME, ACCOUNT, TOKEN = "played", "bot@acme.example", "jira-token"
STATUSES = """\
open = To Do
in_progress = In Progress
reopened = In Progress
in_review = In Review
resolved = Done
completed = Done
stamp.qa = In Review
stamp.prod = Done
"""


def seed_jira() -> None:
    """A connection with its webhook, and which project goes along with which; what exists stays as it is."""
    if not settings.DEMO_JIRA:
        return
    tenant = Tenant.objects.get(slug="tenant-finance")
    devops = User.objects.get(email="pierre.durand@cab-i.com")
    source, _ = EventSource.objects.get_or_create(tenant=tenant, kind="jira", name=NAME)
    connection, _ = Connection.objects.update_or_create(
        tenant=tenant, kind="jira", name=NAME,
        defaults={"url": settings.DEMO_JIRA, "user": ACCOUNT, "secret": seal(TOKEN), "source": source},
    )  # fmt: skip
    project = ensure_project(key="finance/shop", by=devops, tenant=tenant)
    JiraProject.objects.get_or_create(
        connection=connection, key="SHOP", defaults={"project": project, "acts_as": devops, "statuses": STATUSES}
    )
    _tell_it(f"{settings.SITE_URL}/webhooks/jira/{source.key}", secret_of(source))


def _tell_it(address: str, secret: str) -> None:
    """Where it sends its webhooks, as an administrator of Jira would enter it."""
    body = json.dumps({"url": address, "secret": secret}).encode()
    request = urllib.request.Request(f"{settings.DEMO_JIRA}/_hook", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (the address is our own)
        pass
