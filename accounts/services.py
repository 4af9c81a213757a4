"""Verbs on people: grant and withdraw roles, issue and revoke API tokens."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from guardian.shortcuts import assign_perm

from accounts.models import ApiToken, Membership, Tenant, User
from accounts.roles import EVERYWHERE, ROLES, Role
from accounts.scopes import SCOPES
from core.canonical import utc_text
from core.clock import now
from core.errors import InvalidInput, NotAllowed

# PostgreSQL announces here whose rights changed, so that open streams follow at once.
PEOPLE_CHANNEL = "people"


def group_for(role: Role, tenant: Tenant) -> Group:
    """The group that carries `role` in `tenant` (or everywhere), with exactly the capabilities of the role table."""
    if role in EVERYWHERE:
        group, _ = Group.objects.get_or_create(name=f"{role.value}: every tenant")
        codenames = [capability.value for capability in ROLES[role]]
        group.permissions.set(Permission.objects.filter(content_type__app_label="accounts", codename__in=codenames))
        return group
    group, created = Group.objects.get_or_create(name=f"{role.value}: {tenant.slug}")
    if created:
        sync_group(group, role, tenant)
    return group


def sync_group(group: Group, role: Role, tenant: Tenant) -> None:
    """Make the group's rights in the tenant equal the role table."""
    wanted = {capability.value for capability in ROLES[role]}
    group.tenantgroupobjectpermission_set.filter(content_object=tenant).exclude(
        permission__codename__in=wanted
    ).delete()
    for codename in sorted(wanted):
        assign_perm(f"accounts.{codename}", group, tenant)


@transaction.atomic
def grant_role(*, user: User, tenant: Tenant, role: Role) -> Membership:
    """Give `user` the role in `tenant`; giving it twice changes nothing."""
    membership, _ = Membership.objects.get_or_create(user=user, tenant=tenant, role=role.value)
    user.groups.add(group_for(role, tenant))
    _announce(user.pk)
    return membership


def _announce(user_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [PEOPLE_CHANNEL, str(user_id)])


@transaction.atomic
def withdraw_role(*, user: User, tenant: Tenant, role: Role) -> None:
    """Take the role away; rights end with the running transaction, open pages included."""
    Membership.objects.filter(user=user, tenant=tenant, role=role.value).delete()
    if role in EVERYWHERE and Membership.objects.filter(user=user, role=role.value).exists():
        return
    user.groups.remove(group_for(role, tenant))
    _announce(user.pk)


def issue_token(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: dt.datetime | None = None,
    by_token: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is shown this once and kept nowhere.

    `by_token` is the token that asks for it: what it issues has no scope that it lacks and does not outlive it.
    InvalidInput for an empty name, no or unknown scopes, or an expiry in the past; NotAllowed beyond `by_token`.
    """
    errors: dict[str, list[str]] = {}
    unknown = sorted(set(scopes) - set(SCOPES))
    if not name.strip():
        errors["name"] = ["Give the token a name that says what uses it."]
    if not scopes:
        errors["scopes"] = ["Choose at least one scope."]
    if unknown:
        errors["scopes"] = [f"Unknown: {', '.join(unknown)}. Known: {', '.join(SCOPES)}."]
    if expires_at and expires_at <= now():
        errors["expiresAt"] = ["Choose a time in the future, or leave it empty."]
    if len(name.strip()) > 100:
        errors["name"] = ["Use at most 100 characters."]
    if errors:
        raise InvalidInput(errors)
    if by_token is not None:
        _check_within(by_token, scopes, expires_at)
    secret = ApiToken.PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        digest=ApiToken.digest_of(secret),
        hint=secret[:8],
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    return token, secret


def _check_within(issuer: ApiToken, scopes: Sequence[str], expires_at: dt.datetime | None) -> None:
    beyond = sorted(set(scopes) - set(issuer.scopes))
    if beyond:
        raise NotAllowed(
            f"This token lacks {', '.join(beyond)} and cannot issue a token that has it. Log in to do so.",
            code="insufficient_scope",
            field="scopes",
        )
    if issuer.expires_at and (expires_at is None or expires_at > issuer.expires_at):
        raise NotAllowed(
            f"This token ends {utc_text(issuer.expires_at)} and cannot issue one that lasts longer. Log in to do so.",
            code="outlives_issuer",
            field="expiresAt",
        )


def revoke_token(*, token: ApiToken) -> None:
    """Close the token at once; revoking twice changes nothing."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now())
    _announce(token.user_id)
