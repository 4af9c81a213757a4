"""Create, edit, withdraw, expire, comment on and reverse promotion requests."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.models import Tenant, User
from core.clock import now
from core.errors import WrongState
from promotions import permissions
from promotions.models import PromotionRequest
from promotions.services.reminders import next_reminder
from promotions.services.transition import content_changed, load, move, one_active, publish_about, wrong_state
from promotions.states import State
from promotions.types import PromotionContent
from promotions.validation import clean_text, validate_content
from promotions.wire import content_digest, render_spec


def create_request(
    *,
    tenant: Tenant,
    content: PromotionContent,
    by: User,
    reverses: PromotionRequest | None = None,
    stated: bool = True,
) -> PromotionRequest:
    """A pending request with the next number; leaves `promotion.created`.

    NotAllowed without the right in the tenant, InvalidInput with every fault, Conflict while another request of the
    same target is active. With `stated=False` nobody states the pre-checks: they are as policies found them, and one
    that is not known to have passed is shown as not passed instead of refusing the request.
    """
    permissions.check_can_create(by, tenant)
    validate_content(content, stated=stated)
    return _insert(tenant, content, by, reverses)


def _insert(tenant: Tenant, content: PromotionContent, by: User, reverses: PromotionRequest | None) -> PromotionRequest:
    moment = now()
    try:
        with transaction.atomic():
            promotion = PromotionRequest.objects.create(
                number=next_number(moment.year),
                tenant=tenant,
                author=by,
                digest=content_digest(content, reverses.number if reverses else None),
                reverses=reverses,
                created_at=moment,
                updated_at=moment,
                expires_at=moment + settings.PROMOTION_LIFETIME,
                remind_at=next_reminder(moment, reminders=0),
                **_columns(content),
            )
            promotion = load(promotion)
            publish_about(promotion, "promotion.created", by=by, data={}, at=moment)
            return promotion
    except IntegrityError as error:
        raise one_active(tenant, content, error) from error


def _columns(content: PromotionContent) -> dict[str, Any]:
    columns = {field.name: getattr(content, field.name) for field in dataclasses.fields(content)}
    return columns | {"tickets": list(content.tickets)}


def next_number(year: int) -> str:
    """PR-YYYY-NNNN; the counter's row lock is held until the commit, so there are neither gaps nor doubles."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO promotions_numbercounter (year, last) VALUES (%s, 1)"
            " ON CONFLICT (year) DO UPDATE SET last = promotions_numbercounter.last + 1 RETURNING last",
            [year],
        )
        return f"PR-{year}-{cursor.fetchone()[0]:04d}"


@transaction.atomic
def edit_request(
    *, promotion: PromotionRequest, content: PromotionContent, by: User, digest: str | None = None
) -> PromotionRequest:
    """Replace what a pending request asks for; whoever reviewed the old content must review again.

    Leaves `promotion.edited` with the fields that changed; changing nothing leaves nothing. With `digest`, that of the
    content the editor began with, Conflict (content_changed) when another edit came in between: nothing is overwritten.
    """
    permissions.check_can_edit(by, promotion)
    validate_content(content)
    before = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    reverses = before.reverses.number if before.reverses else None
    changed = changed_fields(render_spec(before.content, reverses), render_spec(content, reverses))
    if before.state != State.PENDING:
        raise wrong_state(load(before), "edit")
    if (content.target_type, content.target_name) != (before.target_type, before.target_name):
        raise WrongState(
            "The target of a request cannot change. Withdraw this one and create another.", field="target.name"
        )
    if digest is not None and digest != before.digest:
        raise content_changed(before, digest, remedy="Read what it says now, then save again.")
    if not changed:
        return load(before)
    digest = content_digest(content, reverses)
    data = {"changed": changed, "digest_before": before.digest, "digest_after": digest}
    return move(before, "edit", by=by, data=data, digest=digest, **_columns(content))


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The dotted names of the spec's fields that differ, such as request.releaseNotes."""
    return sorted(
        f"{section}.{name}"
        for section in before
        for name in before[section].keys() | after[section].keys()
        if before[section].get(name) != after[section].get(name)
    )


@transaction.atomic
def withdraw_request(*, promotion: PromotionRequest, by: User, reason: str = "") -> PromotionRequest:
    """The author takes a request back before it deploys; leaves `promotion.withdrawn`."""
    permissions.check_can_withdraw(by, promotion)
    reason = clean_text("reason", reason)
    return move(promotion, "withdraw", by=by, data={"entry": {"comment": reason}})


@transaction.atomic
def expire_request(*, promotion: PromotionRequest) -> PromotionRequest:
    """Nobody decided in time; leaves `promotion.expired`. WrongState when it is not due or was decided."""
    if promotion.expires_at is None or promotion.expires_at > now():
        raise WrongState(f"{promotion.number} has not lapsed yet.")
    return move(promotion, "expire", by=None)


@transaction.atomic
def comment_on_request(*, promotion: PromotionRequest, by: User, comment: str) -> PromotionRequest:
    """Say something on the record without changing anything; leaves `promotion.commented`."""
    permissions.check_can_comment(by, promotion)
    comment = clean_text("comment", comment, minimum=1, what="comment")
    publish_about(load(promotion), "promotion.commented", by=by, data={"entry": {"comment": comment}})
    return load(promotion)


def roll_back_request(*, promotion: PromotionRequest, by: User, reason: str) -> PromotionRequest:
    """Ask to bring back what production ran before: a new request of its own, with its own approval.

    Leaves `promotion.created` for the new one. WrongState unless `promotion` is deployed and what it replaced is known.
    """
    permissions.check_can_roll_back(by, promotion)
    reason = clean_text("reason", reason, minimum=10, what="reason")
    if promotion.state != State.DEPLOYED:
        raise wrong_state(promotion, "roll_back")
    if not promotion.replaced_version:
        raise WrongState(f"What ran before {promotion.number} is not known. Create a request for the version you want.")
    content = dataclasses.replace(
        promotion.content,
        version=promotion.replaced_version,
        justification=f"Roll back {promotion.number} ({promotion.version}): {reason}",
        release_notes=f"Brings back {promotion.replaced_version}, which ran before {promotion.number}.",
        rollback_plan=f"Deploy {promotion.version} again.",
        scheduled_at=None,
    )
    validate_content(content)
    return _insert(promotion.tenant, content, by, promotion)
