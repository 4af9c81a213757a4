"""A ticket's import map is a link of its chain, with the stage it is in and the request that brought it to production."""

from __future__ import annotations

import pytest

from core.errors import NotFound
from events.chain.following import follow_log
from events.chain.kinds import NodeKind
from events.chain.queries import chain_of, find_nodes
from iep.models import Application
from iep.services import promote_stamp
from iep.services.change import load

pytestmark = pytest.mark.django_db


@pytest.fixture
def ways(tenant):
    """The ways of a ticket's chain as somebody sees them."""

    def look(user, key="TKT-001") -> set[tuple[str, str, str]]:
        follow_log()
        chain = chain_of(user, tenant, find_nodes(user, tenant, NodeKind.TICKET, key))
        names = {node.id: f"{node.kind} {node.state}".strip() for node in chain.nodes}
        return {(names[cause], kind, names[effect]) for cause, kind, effect in chain.ways}

    return look


def test_a_map_belongs_to_its_ticket_and_says_its_stage(save, devops, cpi, ways):
    stamp = save("TKT-001", {"src/cart.js": b"new"}).stamp
    assert ("ticket open", "names", "import_map dev") in ways(cpi)
    promote_stamp(stamp=stamp, by=devops)
    assert ("ticket open", "names", "import_map qa") in ways(cpi)


def test_the_request_that_asked_for_it_is_next(shop, save, devops, cpi, ways):
    Application.objects.filter(pk=shop.pk).update(sign_off=True)
    stamp = save("TKT-001", {"src/cart.js": b"new"}).stamp
    promote_stamp(stamp=stamp, by=devops)
    promote_stamp(stamp=load(stamp), by=devops, message="The new cart, as agreed with the shop team.")
    assert ("import_map qa", "asked", "request pending") in ways(cpi)


def test_others_see_no_chain(save, devops, outsider, ways):
    save("TKT-001", {"src/cart.js": b"new"})
    with pytest.raises(NotFound):
        ways(outsider)
