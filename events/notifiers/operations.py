"""Notices about the machinery itself: endpoints that were switched off, deliveries that were given up, ending tokens."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings

from accounts.models import ApiToken, User
from accounts.roles import Capability
from accounts.selectors import holders_of
from events.models import DomainEvent, WebhookEndpoint
from events.notifiers.base import Told, Words


@dataclass(frozen=True, slots=True)
class WebhookDisabled:
    """Tells those who administer the tenant that an endpoint hears nothing any more."""

    name: str = "webhook_disabled"
    fact: str = "webhook.disabled"
    label: str = "A webhook of my tenant is switched off"
    optional: bool = False

    def told(self, fact: DomainEvent) -> Told:
        assert fact.tenant is not None
        owner = WebhookEndpoint.objects.filter(pk=fact.subject_id).values_list("created_by", flat=True).first()
        people = holders_of(Capability.DECIDE_PROMOTION, fact.tenant)
        return Told(people.filter(pk=owner or 0) or people)

    def words(self, fact: DomainEvent) -> Words:
        lines = [
            f"{fact.data['url']} hears nothing any more.",
            fact.data["reason"],
            "Switch it on again when it is well.",
        ]
        headline = f"The webhook {fact.subject_label} was switched off"
        context = {"headline": headline, "lines": lines, "colour": "#c53030", "reason": "you administer the tenant"}
        return Words(headline, f"{settings.SITE_URL}/deliveries/webhooks/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return WebhookEndpoint.objects.filter(pk=fact.subject_id, disabled_at__isnull=False).exists()


@dataclass(frozen=True, slots=True)
class DeliveriesGivenUp:
    """Tells the operators that deliveries wait for a person."""

    name: str = "deliveries_given_up"
    fact: str = "notices.given_up"
    label: str = "Deliveries were given up (operators)"
    optional: bool = False

    def told(self, fact: DomainEvent) -> Told:
        return Told(User.objects.filter(is_superuser=True, is_active=True), settings.OPS_EMAILS)

    def words(self, fact: DomainEvent) -> Words:
        by_channel = [f"{name}: {count}" for name, count in sorted(fact.data["channels"].items())]
        headline = f"{fact.data['count']} deliveries were given up"
        lines = ["They wait for a person: look at their errors, then try them again.", *by_channel]
        context = {"headline": headline, "lines": lines, "colour": "#c53030", "reason": "you operate Stagepass"}
        return Words(headline, f"{settings.SITE_URL}/deliveries/?state=dead", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class TokenExpires:
    """Tells the owner of an API token that it will stop working."""

    name: str = "token_expires"
    fact: str = "notices.token_expires"
    label: str = "One of my API tokens expires soon"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        return Told(User.objects.filter(public_id=fact.data["user"], is_active=True))

    def words(self, fact: DomainEvent) -> Words:
        headline = f"Your token “{fact.data['name']}” expires on {fact.data['expires_at'][:10]}"
        lines = ["What uses it stops working then. Issue a new one in time, and revoke this one."]
        return Words(headline, f"{settings.SITE_URL}/profile/#tokens", {"headline": headline, "lines": lines})

    def still_matters(self, fact: DomainEvent) -> bool:
        return ApiToken.objects.usable().filter(pk=fact.subject_id).exists()


@dataclass(frozen=True, slots=True)
class Incident:
    """Tells those who record events that something serious is wrong."""

    name: str = "incident"
    fact: str = "event.recorded"
    label: str = "A serious incident is recorded"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        event = fact.data.get("event", {})
        if fact.tenant is None or event.get("type") != "incident" or event.get("priority") not in {"P1", "P2"}:
            return Told()
        return Told(holders_of(Capability.RECORD_EVENTS, fact.tenant).exclude(public_id=fact.actor_id or fact.id))

    def words(self, fact: DomainEvent) -> Words:
        event = fact.data.get("event", {})
        what = f"{event.get('priority', '')} {event.get('type', 'event')}".strip()
        headline = f"{what} of {event.get('service', 'a service')}: {fact.subject_label}"
        lines = [f"Environment: {event.get('environment', 'not said')}", f"Recorded by {fact.actor_label}"]
        context = {"headline": headline, "lines": lines, "colour": "#c53030", "reason": "you record events there"}
        return Words(headline, f"{settings.SITE_URL}/events/{fact.subject_id}/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Tells an address that subscribed to facts of this type, which no notice is about."""

    name: str = "subscribed"
    fact: str = ""
    label: str = "Facts that my address is subscribed to"
    optional: bool = False

    def told(self, fact: DomainEvent) -> Told:
        return Told()

    def words(self, fact: DomainEvent) -> Words:
        what = fact.type.replace(".", " ").replace("_", " ")
        headline = f"{fact.subject_label}: {what}"
        lines = [f"By {fact.actor_label}, {fact.occurred_at:%Y-%m-%d %H:%M} UTC"]
        context = {"headline": headline, "lines": lines, "reason": "this address is subscribed to it"}
        return Words(headline, f"{settings.SITE_URL}/activity/?q={quote(fact.subject_id)}", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return True


SUBSCRIBED = Subscribed()
NOTICES = (Incident(), WebhookDisabled(), DeliveriesGivenUp(), TokenExpires())
