"""What the chain is told by, and what is asked before a deployment."""

from __future__ import annotations

# Who reads facts for the chain, by the kind of thing a fact is about; see docs/chain.md.
CHAIN_SOURCES = {
    "ticket": "tickets.chain.read_facts",
    "stamp": "iep.chain.read_facts",
    "promotion": "promotions.chain.read_facts",
    "event": "events.chain.record_source.read_facts",
    "event_batch": "events.chain.record_source.read_facts",
    "cdevent": "events.chain.received_source.read_events",
    "cdevent_link": "events.chain.received_source.read_links",
}
# What is asked whether a service may be deployed to an environment now; see events/chain/clearance.py.
DEPLOYMENT_CHECKS = [
    "events.chain.clearance.check_locks",
    "events.chain.clearance.check_freezes",
    "events.chain.clearance.check_incidents",
    "promotions.clearance.check_approval",
]
