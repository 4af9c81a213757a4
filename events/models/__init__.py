"""Tables of the fact log and its delivery."""

from events.models.deliveries import Delivery, DeliveryState, DispatchCursor
from events.models.facts import DomainEvent

__all__ = ["Delivery", "DeliveryState", "DispatchCursor", "DomainEvent"]
