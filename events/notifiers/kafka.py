"""Tells Kafka: one message for each fact, keyed by its subject, in order per subject also after an outage."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings

from core.failpoints import failpoint
from events.models import Delivery, DomainEvent
from events.notifiers.envelope import CONTENT_TYPES, envelope, event_name
from events.types import DeliveryFailed, DeliveryRefused

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer

# A broker that is down costs a worker this long at each attempt.
TIMEOUT = 5.0
PRODUCER = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 2,
    "message.timeout.ms": int(TIMEOUT * 1000),
    "socket.timeout.ms": 10_000,
    "socket.keepalive.enable": True,
    "reconnect.backoff.max.ms": 1000,
    "client.id": "stagepass",
    # Only what is beyond repair: an outage is told by the channel's health, not by a line for each attempt to connect.
    "log_level": 2,
}

_producers: dict[tuple[int, str], Producer] = {}
_making = threading.Lock()
log = logging.getLogger(__name__)


class KafkaNotifier:
    """One topic; an ordered channel. Consumers recognise a repetition by the id, and see each subject in order."""

    def __init__(self, topic: str, form: str) -> None:
        self.topic, self.form = topic, form

    def recipients(self, fact: DomainEvent) -> list[str]:
        return [self.topic]

    def send(self, delivery: Delivery) -> dict[str, Any]:
        outcome = self.send_batch([delivery])[0]
        if isinstance(outcome, dict):
            return outcome
        raise outcome or DeliveryFailed("It was not tried.")

    def send_batch(self, deliveries: Sequence[Delivery]) -> list[dict[str, Any] | Exception | None]:
        """In waves of which each holds a subject once: a message that fails has none of its subject behind it.

        After the first failure nothing more is sent.
        """
        outcomes: dict[int, dict[str, Any] | Exception] = {}
        waiting = list(deliveries)
        while waiting and not any(isinstance(outcome, Exception) for outcome in outcomes.values()):
            wave, waiting = _split(waiting)
            outcomes |= self._send_wave(wave)
        return [outcomes.get(delivery.pk) for delivery in deliveries]

    def _send_wave(self, wave: Sequence[Delivery]) -> dict[int, dict[str, Any] | Exception]:
        outcomes: dict[int, dict[str, Any] | Exception] = {}
        producer = _producer()
        for delivery in wave:
            self._produce(producer, delivery, outcomes)
        producer.flush(TIMEOUT * 2)
        failpoint("after_kafka_ack")
        for delivery in wave:
            outcomes.setdefault(delivery.pk, _down("the broker did not answer in time"))
        return outcomes

    def _produce(self, producer: Producer, delivery: Delivery, outcomes: dict[int, Any]) -> None:
        from confluent_kafka import KafkaException

        def note(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                outcomes[delivery.pk] = _failure(error)
            else:
                outcomes[delivery.pk] = {"partition": message.partition(), "offset": message.offset()}

        fact = delivery.fact
        headers: dict[str, str | bytes | None] = {
            "id": str(fact.id),
            "type": event_name(fact.type),
            "content-type": CONTENT_TYPES[self.form],
            "fact-hash": fact.hash,
        }
        value = json.dumps(envelope(fact, self.form), ensure_ascii=False).encode()
        try:
            producer.produce(self.topic, value, key=fact.subject_id, headers=headers, on_delivery=note)
        except KafkaException as error:
            outcomes[delivery.pk] = _failure(error.args[0])
        except BufferError:
            outcomes[delivery.pk] = _down("its queue is full")


def _split(waiting: Sequence[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
    """The first of each subject, and the rest."""
    first = {(delivery.fact.subject_type, delivery.fact.subject_id): delivery for delivery in reversed(waiting)}
    chosen = {delivery.pk for delivery in first.values()}
    return [d for d in waiting if d.pk in chosen], [d for d in waiting if d.pk not in chosen]


def _failure(error: KafkaError) -> DeliveryFailed:
    """DeliveryRefused for a message that no broker will take, else something to try again."""
    code = type(error)
    if error.code() in {code.MSG_SIZE_TOO_LARGE, code.INVALID_RECORD, code.INVALID_MSG, code.INVALID_MSG_SIZE}:
        return DeliveryRefused(f"Kafka will never take this message: {error.str()}")
    if error.fatal():
        _forget_producer()
    return _down(error.str())


def _down(reason: str) -> DeliveryFailed:
    return DeliveryFailed(f"Kafka does not take messages now: {reason}", channel_down=True)


def _producer() -> Producer:
    """The one producer of this process, made when it is first needed."""
    from confluent_kafka import Producer

    key = (os.getpid(), settings.KAFKA["bootstrap.servers"])
    with _making:
        if key not in _producers:
            _producers[key] = Producer(PRODUCER | settings.KAFKA, logger=log)
        return _producers[key]


def _forget_producer() -> None:
    """After an error that it cannot recover from; the next attempt makes a new one."""
    with _making:
        _producers.clear()
