"""Facts in Kafka: the names of the specification, order per subject, and nothing lost by outages, restarts or refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer
from django.db import transaction

from accounts.roles import Capability
from config.stack.kafka import MockCluster
from core.clock import now
from events import channels as channel_table
from events import outbox
from events.models import ChannelHealth, Delivery, DomainEvent
from events.notifiers import kafka
from events.notifiers.envelope import event_name
from events.services import publish
from events.types import Audience, Subject

TOPIC_AUTHORIZATION_FAILED = 29


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    cluster = MockCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def topic(cluster, settings, monkeypatch) -> Iterator[str]:
    """A topic of the test's own that facts of things go to, and a second one for facts of rows."""
    name = f"t-{uuid.uuid4().hex}"
    monkeypatch.setattr(kafka, "TIMEOUT", 2.0)
    settings.KAFKA = {"bootstrap.servers": cluster.address, "message.timeout.ms": 1500}
    entry = {"notifier": "events.notifiers.kafka.KafkaNotifier", "ordered": True, "attempts": None}
    settings.SUBSCRIBERS = {
        "kafka": {"facts": ("thing.*", "promotion.*", "deployment.*"), **entry, "options": {"topic": name, "form": "plain"}},
        "other": {"facts": ("row.*",), **entry, "options": {"topic": f"{name}-other", "form": "cloudevents"}},
    }  # fmt: skip
    channel_table.channels.cache_clear()
    kafka._producers.clear()
    yield name
    cluster.come_back()
    cluster.slow_down(0)
    channel_table.channels.cache_clear()
    kafka._producers.clear()


def happen(subject: str = "1", kind: str = "thing.made", **data: Any) -> DomainEvent:
    with transaction.atomic():
        return publish(
            type=kind, subject=Subject("thing", subject, "Thing"), tenant=None, by=None, data=data,
            audience=Audience(Capability.VIEW_EVENTS),
        )  # fmt: skip


def deliver(name: str = "kafka") -> int:
    outbox.route_facts()
    Delivery.objects.filter(state="queued").update(next_at=now())
    return outbox.deliver_channel(name)


def deliver_all(name: str = "kafka") -> int:
    """Until nothing waits: the client takes a moment to find the broker again."""
    done = 0
    for _ in range(20):
        done += deliver(name)
        if not Delivery.objects.filter(channel=name, state="queued").exists():
            break
    return done


def read(cluster: MockCluster, topic: str, count: int) -> list[dict[str, Any]]:
    """The first messages of the topic, as `{key, headers, value}` in the order of their partitions."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.address, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
        }
    )  # fmt: skip
    consumer.subscribe([topic])
    found = []
    for _ in range(300):
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            headers = {name: value.decode() for name, value in message.headers()}
            found.append({"key": message.key().decode(), "headers": headers, "value": json.loads(message.value())})
        if len(found) >= count:
            break
    consumer.close()
    return found


@pytest.mark.parametrize(
    ("fact", "name"),
    [
        ("promotion.created", "request-created"),
        ("promotion.approved", "request-approved"),
        ("promotion.rejected", "request-rejected"),
        ("deployment.started", "deployment-started"),
        ("deployment.succeeded", "deployment-succeeded"),
        ("deployment.failed", "deployment-failed"),
        ("deployment.cancel_requested", "deployment-cancel-requested"),
        ("promotion.rolled_back", "request-rolled-back"),
    ],
)
def test_events_have_the_names_of_the_specification(fact, name):
    assert event_name(fact) == name


def test_a_message_carries_the_fact_keyed_by_its_subject(db, cluster, topic):
    fact = happen("PR-1", size=3)
    assert deliver() == 1
    [message] = read(cluster, topic, 1)
    assert message["key"] == "PR-1"
    assert message["headers"]["id"] == message["value"]["id"] == str(fact.id)
    assert message["headers"]["fact-hash"] == fact.hash
    assert message["value"]["type"] == "thing-made"
    assert message["value"]["payload"]["data"] == {"size": 3}
    assert "offset" in Delivery.objects.get().receipt


def test_the_other_envelope_is_a_cloudevent(db, cluster, topic):
    fact = happen("7", kind="row.made")
    assert deliver("other") == 1
    [message] = read(cluster, f"{topic}-other", 1)
    assert message["headers"]["content-type"] == "application/cloudevents+json"
    event = message["value"]
    assert (event["specversion"], event["id"], event["subject"]) == ("1.0", str(fact.id), "7")
    assert event["type"] == "dev.stagepass.row.made"


def test_order_holds_per_subject_through_an_outage_and_nothing_is_lost(db, cluster, topic):
    facts = [happen(str(number % 3), step=number) for number in range(12)]
    assert deliver() == 12
    cluster.go_down()
    facts += [happen(str(number % 3), step=number) for number in range(12, 24)]
    assert deliver() == 0
    assert deliver() == 0, "still down"
    assert ChannelHealth.objects.get(channel="kafka").failures == 2
    waiting = Delivery.objects.filter(state="queued")
    assert waiting.count() == 12
    cluster.come_back()
    assert deliver_all() == 12
    assert ChannelHealth.objects.get(channel="kafka").failures == 0
    messages = read(cluster, topic, 24)
    ids = {str(fact.id) for fact in facts}
    assert {message["value"]["id"] for message in messages} == ids
    for subject in "012":
        steps = [m["value"]["payload"]["data"]["step"] for m in messages if m["key"] == subject]
        seen = list(dict.fromkeys(steps))
        assert seen == sorted(seen), "repetitions aside, each subject in order"
        assert len(seen) == 8


def test_a_slow_broker_is_waited_for(db, cluster, topic):
    cluster.slow_down(100)
    happen()
    assert deliver() == 1


def test_a_broker_that_takes_it_and_says_nothing_gets_it_again_under_the_same_id(db, cluster, topic):
    fact = happen("silent")
    cluster.slow_down(4000)
    assert deliver() == 0
    assert Delivery.objects.get().state == "queued"
    cluster.slow_down(0)
    assert deliver_all() == 1
    assert {message["value"]["id"] for message in read(cluster, topic, 1)} == {str(fact.id)}


def test_one_refused_topic_holds_up_no_other(db, cluster, topic):
    happen("1", kind="thing.made")
    happen("1", kind="row.made")
    cluster.fail_topic(f"{topic}-other", TOPIC_AUTHORIZATION_FAILED)
    assert deliver("other") == 0
    assert deliver("kafka") == 1
    assert Delivery.objects.get(channel="other").state == "queued"
    cluster.fail_topic(f"{topic}-other", 0)
    assert deliver_all("other") == 1


def test_a_message_no_broker_takes_is_a_dead_letter_and_the_next_ones_go_on(db, cluster, topic):
    happen("1", text="x" * 1_100_000)
    happen("1", text="small")
    deliver_all()
    assert list(Delivery.objects.order_by("fact_id").values_list("state", flat=True)) == ["dead", "done"]
    assert "never take" in Delivery.objects.get(state="dead").last_error


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_the_broker_took_it_repeats_it_under_the_same_id(cluster, topic, settings):
    fact = happen("9")
    outbox.route_facts()
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {
        "DATABASE_URL": url, "KAFKA_BOOTSTRAP": cluster.address, "FAILPOINT": "after_kafka_ack:kill",
    }  # fmt: skip
    script = (
        "import django; django.setup(); from django.conf import settings; from events import outbox\n"
        "entry = dict(notifier='events.notifiers.kafka.KafkaNotifier', ordered=True, attempts=None)\n"
        f"settings.SUBSCRIBERS = {{'kafka': dict(entry, facts=('*',), options=dict(topic={topic!r}, form='plain'))}}\n"
        "outbox.deliver_channel('kafka')"
    )
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert killed.returncode == -9
    assert Delivery.objects.get().state == "sending"
    assert deliver() == 1
    messages = read(cluster, topic, 2)
    assert [message["value"]["id"] for message in messages] == [str(fact.id)] * 2


def test_a_consumer_in_another_process_prints_the_six_events_in_order(db, cluster, topic):
    facts = [
        "promotion.created", "promotion.approved", "deployment.started", "deployment.failed", "deployment.started",
        "deployment.succeeded",
    ]  # fmt: skip
    for fact in facts:
        happen("PR-2026-0001", kind=fact)
        happen("PR-2026-0002", kind=fact)
    assert deliver() == 12
    environment = os.environ | {"KAFKA_BOOTSTRAP": cluster.address, "KAFKA_TOPICS": f"requests={topic}"}
    command = [sys.executable, "manage.py", "kafka_tail", "--count", "12", "--json", "--group", uuid.uuid4().hex]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    for number in ("PR-2026-0001", "PR-2026-0002"):
        assert [each["value"]["type"] for each in told if each["key"] == number] == [event_name(fact) for fact in facts]
