"""Three ways to ask who may know of a fact: the page's query, one fact for one person, and the stream's memory."""

from __future__ import annotations

import pytest
from django.db import transaction

from accounts.models import User
from accounts.roles import Capability
from events.live.streams import Line
from events.live.visitors import Visitor
from events.models import DomainEvent
from events.selectors import may_know
from events.services import publish
from events.types import Audience, Subject


@pytest.fixture
def people(devops, cpi, cpi_admin, viewer, worker, outsider, root) -> list[User]:
    return list(User.objects.all())


def test_they_all_say_the_same(people, devops, tenant, other_tenant):
    audiences = [
        Audience(),
        Audience(users=(devops.pk,)),
        *(Audience(capability) for capability in Capability),
        Audience(Capability.VIEW_PROMOTIONS, (devops.pk,)),
    ]
    for audience in audiences:
        for place in (tenant, other_tenant, None):
            with transaction.atomic():
                publish(
                    type="thing.made", subject=Subject("thing", "1", "Thing"), tenant=place, by=None, data={},
                    audience=audience,
                )  # fmt: skip
    seen = 0
    for fact in DomainEvent.objects.select_related("tenant"):
        line = Line(fact.sequence, fact.audience_capability, fact.tenant_id, frozenset(fact.audience_users), b"")
        for person in people:
            fresh = User.objects.get(pk=person.pk)
            visible = DomainEvent.objects.visible_to(fresh).filter(pk=fact.pk).exists()
            seen += visible
            assert may_know(fresh, fact) == visible, (person, fact)
            assert line.is_for(Visitor.of(fresh)) == visible, (person, fact)
    assert 0 < seen < DomainEvent.objects.count() * len(people)
