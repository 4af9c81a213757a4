"""What all who tell connections have in common: a lane for each, and one system at hand while there is something to tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Generic, TypeVar

from events.connections.github import GitHub
from events.connections.jira import Jira
from events.connections.services import names_of
from events.models import Connection, ConnectionKind, Delivery, DomainEvent

System = TypeVar("System", GitHub, Jira)


class ConnectionNotifier(ABC, Generic[System]):
    """Each connection a lane of its own; the recipient of a delivery is its key."""

    kind: ClassVar[ConnectionKind]
    system: Callable[[Connection], System]

    @abstractmethod
    def recipients(self, fact: DomainEvent) -> list[str]:
        """The connections that are to hear of it."""

    @abstractmethod
    def tell(self, delivery: Delivery, connection: Connection, reach: Callable[[], System]) -> dict[str, Any]:
        """Tell it; the receipt. `reach` gives the system, once there is something to say."""

    def names(self, recipients: Collection[str]) -> dict[str, str]:
        return names_of(recipients)

    def send(self, delivery: Delivery) -> dict[str, Any]:
        with self.session() as send:
            return send(delivery)

    @contextmanager
    def session(self) -> Iterator[Callable[[Delivery], dict[str, Any]]]:
        """The systems and their connections for as long as there is something to tell them."""
        systems: dict[str, System] = {}
        with ExitStack() as opened:

            def send(delivery: Delivery) -> dict[str, Any]:
                connection = Connection.objects.filter(pk=delivery.recipient, kind=self.kind, active=True).first()
                if connection is None:
                    return {"skipped": "the connection was taken away or is switched off"}

                def reach() -> System:
                    if delivery.recipient not in systems:
                        systems[delivery.recipient] = opened.enter_context(self.system(connection))
                    return systems[delivery.recipient]

                return self.tell(delivery, connection, reach)

            yield send
