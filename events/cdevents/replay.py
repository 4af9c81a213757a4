"""What a person does with a dead letter: play it again once the cause is gone, or discard it."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from core.clock import now
from core.errors import DomainError, NotFound, WrongState
from events.cdevents.cloudevents import read_item
from events.cdevents.facts import tell_of_letter
from events.cdevents.permissions import check_can_record
from events.cdevents.receiving import ACCEPTED, REJECTED, Incoming, Outcome, receive
from events.cdevents.webhooks.deliveries import replay_delivery
from events.models import DeadLetter, InboundDelivery, LetterState


def find_letter(*, user: User, letter_id: int) -> DeadLetter:
    """The dead letter with this number that `user` may see; NotFound says the same for none and for hidden ones."""
    found = DeadLetter.objects.visible_to(user).select_related("tenant", "delivery").filter(pk=letter_id).first()
    if found is None:
        raise NotFound(f"There is no dead letter {letter_id} that you may see.")
    return found


def replay_letter(*, letter: DeadLetter, by: User) -> DeadLetter:
    """Receive it again as if it came now. What is accepted (or was, meanwhile) is settled: `dead_letter.replayed`.

    The refusal, when it is still refused, with the reason of today on the letter. WrongState when it is settled
    already, NotAllowed without the right to record events in its tenant.
    """
    check_can_record(by, letter.tenant)
    with transaction.atomic():
        current = _waiting(letter)
        outcome = _play(current, by)
        current.tries += 1
        if outcome.refusal is None:
            _settle(current, LetterState.REPLAYED, by)
            current.accepted = outcome.event
        else:
            current.code, current.reason = outcome.refusal.code, outcome.refusal.message[:2000]
            current.field = outcome.refusal.field[:300]
        current.save()
        if outcome.refusal is None:
            tell_of_letter(current, "dead_letter.replayed", by=by, tenant=current.tenant)
    if outcome.refusal is not None:
        raise outcome.refusal
    return current


def _play(letter: DeadLetter, by: User) -> Outcome:
    if letter.delivery is not None:
        return _play_delivery(letter.delivery, by)
    item = read_item(letter.mode, letter.raw, letter.attributes)
    try:
        return receive(items=[Incoming(item)], tenant=letter.tenant, by=by, keep=False)[0]
    except DomainError as refusal:
        return Outcome(REJECTED, refusal=refusal)


def _play_delivery(delivery: InboundDelivery, by: User) -> Outcome:
    """The payload of a webhook; those of its events that are refused become dead letters of their own."""
    try:
        outcomes = replay_delivery(delivery=delivery, by=by)
    except DomainError as refusal:
        return Outcome(REJECTED, refusal=refusal)
    return next((each for each in outcomes if each.refusal is None), Outcome(ACCEPTED))


@transaction.atomic
def discard_letter(*, letter: DeadLetter, by: User) -> DeadLetter:
    """Nobody will play it again; leaves `dead_letter.discarded`. WrongState, NotAllowed as for playing it again."""
    check_can_record(by, letter.tenant)
    current = _waiting(letter)
    _settle(current, LetterState.DISCARDED, by)
    current.save()
    tell_of_letter(current, "dead_letter.discarded", by=by, tenant=current.tenant)
    return current


def _waiting(letter: DeadLetter) -> DeadLetter:
    current = (
        DeadLetter.objects.select_for_update(of=("self",))
        .select_related("tenant", "delivery__source__tenant")
        .get(pk=letter.pk)
    )
    if current.state != LetterState.WAITING:
        raise WrongState(f"This dead letter is {current.state} already.", details={"state": current.state})
    return current


def _settle(letter: DeadLetter, state: LetterState, by: User) -> None:
    letter.state, letter.settled_at, letter.settled_by = state, now(), by
