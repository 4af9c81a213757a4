"""Tables of the fact log, its delivery, what people want to hear of it, and of what is recorded: events, locks, catalogue."""

from events.models.catalog import CatalogEntry
from events.models.chain import ChainEdge, ChainNode, ChainStatement, Freeze, LogFollower
from events.models.connections import Connection, ConnectionKind, OutsideMark
from events.models.deliveries import Delivery, DeliveryState, DispatchCursor
from events.models.facts import GENESIS_HASH, DomainEvent
from events.models.locks import Lock
from events.models.notices import (
    ChannelHealth,
    HeldNotice,
    Mode,
    MutedSubject,
    NoticeChannel,
    NoticePreference,
    NoticeSettings,
)
from events.models.outside import (
    Reminder,
    Severity,
    SlackAccount,
    SlackCall,
    SlackCode,
    SlackMessage,
    Subscription,
    WebhookEndpoint,
)
from events.models.received import DeadLetter, LetterState, ReceivedEvent, ReceivedLink
from events.models.records import Event, EventChange, StatusNumbers, TrackerClient
from events.models.sources import EventSource, InboundDelivery, InboundState, SourceKind

__all__ = [
    "GENESIS_HASH",
    "CatalogEntry",
    "ChainEdge",
    "ChainNode",
    "ChainStatement",
    "ChannelHealth",
    "Connection",
    "ConnectionKind",
    "DeadLetter",
    "Delivery",
    "DeliveryState",
    "DispatchCursor",
    "DomainEvent",
    "Event",
    "EventChange",
    "EventSource",
    "Freeze",
    "HeldNotice",
    "InboundDelivery",
    "InboundState",
    "LetterState",
    "Lock",
    "LogFollower",
    "Mode",
    "MutedSubject",
    "NoticeChannel",
    "NoticePreference",
    "NoticeSettings",
    "OutsideMark",
    "ReceivedEvent",
    "ReceivedLink",
    "Reminder",
    "Severity",
    "SlackAccount",
    "SlackCall",
    "SlackCode",
    "SlackMessage",
    "SourceKind",
    "StatusNumbers",
    "Subscription",
    "TrackerClient",
    "WebhookEndpoint",
]
