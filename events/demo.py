"""The demo's events: some weeks of deployments, an incident, a drift, and the event of the guide's examples."""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from accounts.models import Tenant, User
from core.clock import now
from events.models import CatalogEntry, Event, SlackAccount
from events.tracker import catalog
from events.tracker.bulk import record_events
from events.tracker.records import record_event
from events.tracker.vocabulary import CatalogType, Environment, Priority, Status, Type

GUIDE_EVENT = "507f1f77bcf86cd799439011"
SERVICES = [("payment-api", "payments-team"), ("ledger", "accounting-team"), ("user-service", "platform-team")]
CATALOG = [
    {"name": "payment-api", "type": CatalogType.project, "owner": "payments-team", "version": "2.0.0",
     "dependencies_out": ["ledger", "user-service"],
     "used_deliverables": [{"name": "http-kit", "type": "library", "versionUsed": "3.1.0"}]},
    {"name": "ledger", "type": CatalogType.project, "owner": "accounting-team", "version": "1.8.1",
     "dependencies_in": ["payment-api"],
     "used_deliverables": [{"name": "http-kit", "type": "library", "versionUsed": "3.2.0"}]},
    {"name": "user-service", "type": CatalogType.project, "owner": "platform-team", "version": "2.1.0"},
    {"name": "http-kit", "type": CatalogType.library, "owner": "platform-team", "version": "3.2.0"},
]  # fmt: skip


def seed_events() -> None:
    """Record what is missing; running it again records nothing twice."""
    tenant = Tenant.objects.get(slug="tenant-finance")
    if not CatalogEntry.objects.filter(tenant=tenant).exists():
        for content in CATALOG:
            catalog.put_entry(tenant=tenant, content=content, by=None)
        versions = {"latest_version": "3.2.0", "available_versions": ["3.1.0", "3.2.0"]}
        catalog.put_versions(entry=CatalogEntry.objects.get(tenant=tenant, name="http-kit"), content=versions, by=None)
    if not Event.objects.filter(tenant=tenant).exists():
        record_events(tenant=tenant, contents=_weeks(), by=None)
    if not Event.objects.filter(tenant=tenant, slack_id=GUIDE_EVENT).exists():
        begun = now() - dt.timedelta(days=1)
        earlier = {"title": "Deploy user-service v2.1.0 to pre-production", "environment": Environment.preproduction}
        record_event(tenant=tenant, content=_of_the_guide() | earlier | {"started_at": begun}, by=None)
        record_event(tenant=tenant, content=_of_the_guide(), by=None)


def _of_the_guide() -> dict[str, object]:
    """What the guide's examples get, update and delete by their example id; after the deletion another has the id."""
    return {
        "title": "Deploy user-service v2.1.0 to production",
        "message": "Deployed via GitHub Actions",
        "type": Type.deployment,
        "priority": Priority.P2,
        "service": "user-service",
        "status": Status.success,
        "environment": Environment.production,
        "owner": "platform-team",
        "pull_request_link": "https://github.com/org/repo/pull/123",
        "ticket": "PROJ-456",
        "slack_id": GUIDE_EVENT,
    }


def _weeks() -> list[dict[str, object]]:
    today = now().replace(hour=9, minute=0, second=0, microsecond=0)
    events = []
    for number in range(24):
        service, owner = SERVICES[number % 3]
        begun = today - dt.timedelta(days=number, minutes=17 * number)
        failed = number % 8 == 5
        events.append(
            {
                "title": f"Deploy {service} 1.{24 - number}.0",
                "type": Type.deployment,
                "service": service,
                "owner": owner,
                "source": "demo",
                "status": Status.failure if failed else Status.success,
                "environment": Environment.production if number % 2 else Environment.UAT,
                "priority": Priority.P3,
                "started_at": begun,
                "ended_at": begun + dt.timedelta(minutes=4 + number % 5),
                "ticket": f"PAY-{140 - number}",
            }
        )
    return [*events, *_troubles(today)]


def _troubles(today: dt.datetime) -> list[dict[str, object]]:
    return [
        {
            "title": "Database connection pool exhausted",
            "type": Type.incident,
            "service": "payment-api",
            "status": Status.close,
            "environment": Environment.production,
            "priority": Priority.P1,
            "impact": 3,
            "owner": "ops-team",
            "started_at": today - dt.timedelta(days=5, hours=-2),
            "ended_at": today - dt.timedelta(days=5, hours=-3),
        },
        {
            "title": "Manual change of a security group",
            "type": Type.drift,
            "service": "infrastructure",
            "status": Status.open,
            "environment": Environment.production,
            "priority": Priority.P3,
            "owner": "platform-team",
            "started_at": today - dt.timedelta(days=2),
        },
    ]


# People of the played Slack who have linked themselves; the others show how that is done.
SLACK_PEOPLE = {"U0PIERRE": "pierre.durand@cab-i.com", "U0JEAN": "jean.dupont@cab-i.com"}


def seed_slack() -> None:
    """Link two accounts, where a Slack is played."""
    if not settings.SLACK_TOKEN or not settings.SLACK_API.startswith("http://127.0.0.1"):
        return
    for slack_user, email in SLACK_PEOPLE.items():
        user = User.objects.get(email=email)
        SlackAccount.objects.get_or_create(user=user, defaults={"team": "T0STAGEPASS", "slack_user": slack_user})
