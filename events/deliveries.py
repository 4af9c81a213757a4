"""What was told to whom: reads for the deliveries page, and trying again what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import CharField, Count, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import tenants_where
from core.clock import now
from core.errors import NotFound, WrongState
from events.channels import channels
from events.models import ChannelHealth, Connection, Delivery, DeliveryState, WebhookEndpoint
from events.outbox import retry_delivery, ring_channels
from events.services import publish
from events.types import Audience, Subject

SUBJECT_TYPE = "delivery"
MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """What the list is narrowed to."""

    state: str = ""
    channel: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> DeliveryFilter:
        def clean(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:200]

        state = clean("state")
        return cls(state if state in DeliveryState.values else "", clean("channel")[:40], clean("q"))

    def __bool__(self) -> bool:
        return bool(self.state or self.channel or self.text)


def visible_deliveries(user: User) -> QuerySet[Delivery]:
    """Those of the tenants that `user` administers; those of no tenant only for superusers."""
    found = Delivery.objects.select_related("fact__tenant")
    if user.is_superuser:
        return found
    return found.filter(fact__tenant__in=tenants_where(user, Capability.DECIDE_PROMOTION))


def find_deliveries(user: User, wanted: DeliveryFilter) -> QuerySet[Delivery]:
    found = visible_deliveries(user)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.channel:
        found = found.filter(Q(channel=wanted.channel) | Q(channel__startswith=f"{wanted.channel}:"))
    if wanted.text:
        endpoints = WebhookEndpoint.objects.filter(name__iexact=wanted.text)
        found = found.filter(
            Q(fact__subject_id__iexact=wanted.text)
            | Q(fact__type=wanted.text)
            | Q(recipient__iexact=wanted.text)
            | Q(channel__in=endpoints.values_list(Concat(Value("webhooks:"), Cast("pk", CharField()))))
        )
    return found


def visible_delivery(user: User, pk: int) -> Delivery:
    found = visible_deliveries(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no delivery here that you may see.")
    return found


def name_recipients(deliveries: Iterable[Delivery]) -> dict[int, tuple[str, str]]:
    """By key: the channel and the recipient of each, in the words of people; a query for each kind of channel at most."""
    by_channel: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_channel.setdefault(delivery.channel.partition(":")[0], []).append(delivery)
    named: dict[int, tuple[str, str]] = {}
    for base, several in by_channel.items():
        channel = channels().get(base)
        names = channel.names({delivery.recipient for delivery in several}) if channel else {}
        for delivery in several:
            named[delivery.pk] = base, names.get(delivery.recipient, delivery.recipient)
    return named


def may_see_any(user: User) -> bool:
    """Whether the page is for this person at all."""
    return user.is_superuser or tenants_where(user, Capability.DECIDE_PROMOTION).exists()


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How one channel fares, as far as this person's deliveries go."""

    name: str
    label: str
    health: ChannelHealth | None
    waiting: int
    dead: int
    where: str = ""

    @property
    def is_up(self) -> bool:
        return self.health is None or not self.health.failures

    @property
    def wants_attention(self) -> bool:
        """Whether there is more to say than that it is up."""
        return not self.is_up or self.waiting > 0 or self.dead > 0

    @property
    def rests(self) -> bool:
        return bool(self.health and self.health.rests_until and self.health.rests_until > now())


def channel_states(user: User) -> list[ChannelState]:
    """Every channel, and the lanes of the endpoints that this person manages."""
    tenants = tenants_where(user, Capability.DECIDE_PROMOTION)
    endpoints = WebhookEndpoint.objects.filter(tenant__in=tenants).values_list("pk", "name", "url")
    connections = Connection.objects.filter(tenant__in=tenants, active=True)
    lanes = {f"webhooks:{pk}": (f"webhook {name}", urlsplit(url).hostname or "") for pk, name, url in endpoints}
    lanes |= {f"{each.kind}:{each.pk}": (str(each), urlsplit(each.url).hostname or "") for each in connections}
    labels = {name: (name, "") for name, channel in channels().items() if not channel.lanes} | lanes
    health = {row.channel: row for row in ChannelHealth.objects.filter(channel__in=labels)}
    counts = {
        row["channel"]: row
        for row in visible_deliveries(user)
        .exclude(state=DeliveryState.DONE)
        .order_by()
        .values("channel")
        .annotate(dead=Count("pk", filter=Q(state=DeliveryState.DEAD)), all=Count("pk"))
    }
    states = []
    for name, (label, where) in labels.items():
        row = counts.get(name, {"dead": 0, "all": 0})
        states.append(ChannelState(name, label, health.get(name), row["all"] - row["dead"], row["dead"], where))
    return states


@transaction.atomic
def retry_one(*, delivery: Delivery, by: User) -> None:
    """Try it again now. A webhook that was taken is told once more under the same id; leaves `delivery.retried`."""
    replay = delivery.channel.startswith("webhooks:")
    if not retry_delivery(delivery=delivery, again=replay):
        raise WrongState("It was delivered, and this channel does not repeat what was.", code="delivered")
    _tell(delivery, by, 1)


@transaction.atomic
def retry_all(*, wanted: DeliveryFilter, by: User) -> int:
    """Try every dead one of the list again, at most 1,000 at a time; how many. Leaves `delivery.retried` per tenant."""
    dead = find_deliveries(by, wanted).filter(state=DeliveryState.DEAD).order_by("pk")[:MOST_AT_ONCE]
    found = list(dead)
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in found], state=DeliveryState.DEAD).update(
        state=DeliveryState.QUEUED, next_at=now(), lease_until=None
    )
    transaction.on_commit(lambda: ring_channels({delivery.channel for delivery in found}), robust=True)
    by_tenant: dict[int | None, list[Delivery]] = {}
    for delivery in found:
        by_tenant.setdefault(delivery.fact.tenant_id, []).append(delivery)
    for several in by_tenant.values():
        _tell(several[0], by, len(several))
    return len(found)


def _tell(delivery: Delivery, by: User, count: int) -> None:
    fact = delivery.fact
    label = f"{delivery.channel} of {fact.subject_id}" if count == 1 else f"{count} deliveries"
    publish(
        type="delivery.retried", subject=Subject(SUBJECT_TYPE, str(delivery.pk), label), tenant=fact.tenant, by=by,
        data={"channel": delivery.channel, "count": count, "fact": str(fact.id)},
        audience=Audience(Capability.DECIDE_PROMOTION),
    )  # fmt: skip
