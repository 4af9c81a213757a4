"""What requests say to the chain: deployments that count, and those that are counted elsewhere."""

from __future__ import annotations

import pytest

from events.chain.kinds import NodeKind
from events.models import DomainEvent
from promotions.chain import read_facts
from promotions.services import approve_request
from tests.promotions.deploying import ended, launched, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def succeeded(pending, target, cpi) -> DomainEvent:
    approve_request(promotion=pending, by=cpi)
    record(pending)
    assert ended(launched(pending.deployments.get())).state == "succeeded"
    return DomainEvent.objects.get(type="deployment.succeeded")


def ends(fact: DomainEvent) -> list:
    things = [thing for told in read_facts([fact]) for thing in told.things]
    return [thing.claims.get("ended_at") for thing in things if thing.kind == NodeKind.DEPLOYMENT]


def test_a_deployment_ends_when_its_fact_says_so(succeeded):
    assert ends(succeeded) == [succeeded.occurred_at]


def test_a_release_of_import_maps_counts_with_its_application_only(succeeded):
    succeeded.data["deployer"] = "import maps"
    assert ends(succeeded) == [None]
