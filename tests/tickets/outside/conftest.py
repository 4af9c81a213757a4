"""A Jira beside each test, connected both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from core.clock import now
from events import outbox
from events.cdevents.webhooks.deliveries import due_deliveries, process_delivery
from events.cdevents.webhooks.secrets import secret_of
from events.connections import calls
from events.connections.services import save_connection
from events.models import ChannelHealth, Connection, Delivery, EventSource
from tests.fakes.jira import BOT, Jira
from tests.tickets.conftest import claimed, make_ticket, make_worker, project, ticket  # noqa: F401 (fixtures)
from tickets.models import JiraProject

STATUSES = """\
open = To Do
in_progress = In Progress
in_review = In Review
resolved = Done
completed = Done
approved = In Progress
stamp.qa = In Review
stamp.prod = Done
request.deployed = Done
"""


def connect(jira: Jira, tenant: Any, root: User, project: Any, acts_as: User, **changes: Any) -> JiraProject:  # noqa: F811
    """A connection with a webhook, and the project SHOP there that goes along with `project` here."""
    source = EventSource.objects.create(tenant=tenant, kind="jira", name="acme")
    connection = Connection(
        tenant=tenant, kind="jira", name="acme", url=jira.url, source=source,
        user=BOT["emailAddress"] if jira.cloud else "",
    )  # fmt: skip
    save_connection(connection=connection, by=root, secret=jira.token)
    client = Client()
    jira.secret = secret_of(source)

    def post(payload: dict[str, Any], body: bytes, headers: dict[str, str]) -> None:
        answer = client.post(
            f"/webhooks/jira/{source.key}", body, content_type="application/json", headers=headers
        )  # fmt: skip
        assert answer.status_code in {200, 202}, answer.content

    jira.outgoing = []
    jira.post_to_app = lambda payload, body, headers: jira.outgoing.append((payload, body, headers))
    jira.deliver_hooks = lambda: [post(*jira.outgoing.pop(0)) for _ in list(jira.outgoing)]
    return JiraProject.objects.create(
        connection=connection, key="SHOP", project=project, acts_as=acts_as, **{"statuses": STATUSES} | changes
    )


@pytest.fixture
def jira(settings, monkeypatch) -> Iterator[Jira]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(calls, "CALL_SECONDS", 1.0)
    with Jira() as jira:
        yield jira


@pytest.fixture
def shop(jira, tenant, root, project, other_devops) -> JiraProject:  # noqa: F811
    """SHOP there goes along with test/project here, in the name of other_devops."""
    return connect(jira, tenant, root, project, other_devops)


@pytest.fixture
def hear(jira) -> Callable[[], list[str]]:
    """What Jira's webhooks told is worked on; what was done to tickets."""

    def work() -> list[str]:
        before = set(Delivery.objects.values_list("pk", flat=True))
        jira.deliver_hooks()
        for number in due_deliveries():
            process_delivery(delivery_id=number)
        outbox.route_facts()
        outbox.deliver_channel("outside")
        assert not Delivery.objects.filter(channel="outside").exclude(state="done").exists()
        found = Delivery.objects.filter(channel="outside").exclude(pk__in=before).order_by("id")
        return [word for each in found for word in each.receipt.get("issue", [])]

    return work


@pytest.fixture
def tell(shop) -> Callable[[], Delivery]:
    """Whatever waits for Jira, now; the newest delivery."""

    def work() -> Delivery:
        outbox.route_facts()
        name = f"jira:{shop.connection_id}"
        Delivery.objects.filter(channel=name, state="queued").update(next_at=now())
        ChannelHealth.objects.update(rests_until=None)
        outbox.deliver_channel(name)
        return Delivery.objects.filter(channel=name).latest("pk")

    return work
