"""Tables of the fact log, its delivery, and what people want to hear of it."""

from events.models.deliveries import Delivery, DeliveryState, DispatchCursor
from events.models.facts import GENESIS_HASH, DomainEvent
from events.models.notices import ChannelHealth, HeldNotice, Mode, MutedSubject, NoticePreference, NoticeSettings

__all__ = [
    "GENESIS_HASH",
    "ChannelHealth",
    "Delivery",
    "DeliveryState",
    "DispatchCursor",
    "DomainEvent",
    "HeldNotice",
    "Mode",
    "MutedSubject",
    "NoticePreference",
    "NoticeSettings",
]
