"""Channels to other systems: which facts go to which topic, and how the brokers are reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from django.conf import settings

from config.documents import facts_left
from events.channels import matches
from events.types import FACTS_OF_DELIVERY

# Not told: what only the system itself has use for.
OURS = {*FACTS_OF_DELIVERY, "dead_letter.discarded", "dead_letter.replayed", "link.received", "received.forgotten"}


def streams_of(fact: str) -> list[str]:
    return [
        name
        for name, patterns in settings.KAFKA_STREAMS.items()
        if matches(fact, patterns["facts"]) and not matches(fact, patterns.get("but_not", ()))
    ]


def test_every_fact_goes_to_one_stream_and_no_pattern_waits_for_facts_that_nothing_leaves():
    left = facts_left()
    wrong = {fact: streams_of(fact) for fact in left if len(streams_of(fact)) != (fact not in OURS)}
    assert not {fact: found for fact, found in wrong.items() if not fact.startswith(("connection.", "webhook."))}
    for name, patterns in settings.KAFKA_STREAMS.items():
        for pattern in patterns["facts"]:
            assert any(matches(fact, [pattern]) for fact in left), f"{name}: nothing is called {pattern}"


def test_import_maps_have_a_topic_with_all_their_facts():
    for fact in ("stamp.opened", "stamp.released", "stamp.taken_back", "application.opened", "application.published"):
        assert streams_of(fact) == ["import-maps"]


def test_log_in_and_encryption_come_from_the_environment():
    given = {
        "KAFKA_BOOTSTRAP": "one:9093,two:9093", "KAFKA_SECURITY": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_USERNAME": "stagepass", "KAFKA_PASSWORD": "secret", "KAFKA_CA_FILE": "/ca.pem",
        "KAFKA_CERT_FILE": "/cert.pem", "KAFKA_KEY_FILE": "/key.pem",
    }  # fmt: skip
    script = (
        "import json; from config.settings import outside as o; from confluent_kafka import Producer\n"
        "print(json.dumps([o.KAFKA, sorted(o.kafka_channels())]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | given, capture_output=True, text=True, timeout=60, check=True
    )
    kafka, channels = json.loads(done.stdout)
    assert kafka == {
        "bootstrap.servers": "one:9093,two:9093", "security.protocol": "SASL_SSL", "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "stagepass", "sasl.password": "secret", "ssl.ca.location": "/ca.pem",
        "ssl.certificate.location": "/cert.pem", "ssl.key.location": "/key.pem",
    }  # fmt: skip
    assert channels == ["kafka-events", "kafka-import-maps", "kafka-requests", "kafka-tickets"]
