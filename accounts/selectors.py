"""Reads about people: what they may do where, and which tenants they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet

from accounts.models import (
    ApiToken,
    Membership,
    Tenant,
    TenantGroupObjectPermission,
    TenantUserObjectPermission,
    User,
)
from accounts.roles import Capability, Role
from core.clock import now
from core.errors import NotFound
from core.rows import build, columns, width
from core.sql import Statement, run, run_all


@dataclass(frozen=True, slots=True)
class Grants:
    """A person's capabilities: those that hold in every tenant, and those per tenant."""

    everywhere: frozenset[str]
    by_tenant: dict[int, frozenset[str]]

    def allow(self, capability: Capability, tenant_id: int) -> bool:
        return capability in self.everywhere or capability in self.by_tenant.get(tenant_id, frozenset())


def grants_of(user: User) -> Grants:
    """All capabilities of `user`, read once per user object (that is, once per request)."""
    cached: Grants | None = getattr(user, "_grants", None)
    if cached is None:
        cached = _read_grants(user)
        user._grants = cached  # type: ignore[attr-defined]
    return cached


def _read_grants(user: User) -> Grants:
    if not user.is_authenticated or not user.is_active:
        return Grants(frozenset(), {})
    if user.is_superuser:
        return Grants(frozenset(Capability), {})
    return _as_grants(user, run(_REACHES, {"user": user.pk, "codenames": _CAPABILITIES}))


def _as_grants(user: User, granted: Iterable[Sequence[Any]]) -> Grants:
    """From pairs of a capability's name and a tenant (None for all)."""
    everywhere: set[str] = set()
    by_tenant: dict[int, set[str]] = {}
    for codename, tenant_id in granted:
        held = everywhere if tenant_id is None else by_tenant.setdefault(tenant_id, set())
        held.add(codename)
    reach = frozenset(everywhere)
    user._everywhere = reach  # type: ignore[attr-defined]
    return Grants(reach, {tenant: frozenset(names) for tenant, names in by_tenant.items()})


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a person holds one capability: in every tenant, or in these."""

    everywhere: bool
    tenants: tuple[int, ...] = ()


NOWHERE, EVERYWHERE = Reach(False), Reach(True)
_CAPABILITIES = [capability.value for capability in Capability]

# Raw, because it precedes nearly every read, and the ORM has no way to look for the permissions first.
_REACHES_OF = """
WITH wanted AS MATERIALIZED (
    SELECT permission.id, permission.codename
    FROM auth_permission AS permission JOIN django_content_type AS model ON model.id = permission.content_type_id
    WHERE permission.codename = ANY(%(codenames)s) AND model.app_label = 'accounts' AND model.model = 'tenant'
), member AS MATERIALIZED (
    SELECT group_id FROM accounts_user_groups WHERE user_id = {user}
)
SELECT wanted.codename, granted.content_object_id
FROM member CROSS JOIN wanted
JOIN accounts_tenantgroupobjectpermission AS granted
    ON granted.group_id = member.group_id AND granted.permission_id = wanted.id
UNION ALL
SELECT wanted.codename, granted.content_object_id
FROM wanted JOIN accounts_tenantuserobjectpermission AS granted ON granted.permission_id = wanted.id
WHERE granted.user_id = {user}
UNION ALL
SELECT wanted.codename, NULL
FROM member CROSS JOIN wanted
JOIN auth_group_permissions AS granted ON granted.group_id = member.group_id AND granted.permission_id = wanted.id
UNION ALL
SELECT wanted.codename, NULL
FROM wanted JOIN accounts_user_user_permissions AS granted ON granted.permission_id = wanted.id
WHERE granted.user_id = {user}
"""
_REACHES = _REACHES_OF.format(user="%(user)s")


def reaches_of(user: User, *capabilities: Capability) -> dict[Capability, Reach]:
    """Where `user` holds each of the capabilities, in one query that grows with these grants only."""
    if not user.is_authenticated or not user.is_active:
        return dict.fromkeys(capabilities, NOWHERE)
    if user.is_superuser:
        return dict.fromkeys(capabilities, EVERYWHERE)
    known: Grants | None = getattr(user, "_grants", None)
    if known is not None:
        return {capability: _reach_in(known, capability) for capability in capabilities}
    names = [capability.value for capability in capabilities]
    return _as_reaches(capabilities, run(_REACHES, {"user": user.pk, "codenames": names}))


def _as_reaches(capabilities: Iterable[Capability], granted: Iterable[Sequence[Any]]) -> dict[Capability, Reach]:
    """From pairs of a capability's name and a tenant (None for all)."""
    found: dict[str, set[int | None]] = {capability.value: set() for capability in capabilities}
    for codename, tenant_id in granted:
        found[codename].add(tenant_id)
    return {
        capability: EVERYWHERE
        if None in found[capability]
        else Reach(False, tuple(sorted(tenant_id for tenant_id in found[capability] if tenant_id is not None)))
        for capability in capabilities
    }


def _reach_in(known: Grants, capability: Capability) -> Reach:
    if capability in known.everywhere:
        return EVERYWHERE
    return Reach(False, tuple(sorted(tenant for tenant, held in known.by_tenant.items() if capability in held)))


def everywhere_of(user: User) -> frozenset[str]:
    """The capabilities that `user` holds in every tenant, read once per user object."""
    cached: frozenset[str] | None = getattr(user, "_everywhere", None)
    if cached is None:
        cached = _read_everywhere(user)
        user._everywhere = cached  # type: ignore[attr-defined]
    return cached


def _read_everywhere(user: User) -> frozenset[str]:
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if user.is_superuser:
        return frozenset(capability.value for capability in Capability)
    return frozenset(_general(user).order_by().values_list("codename", flat=True).distinct())


def _general(user: User) -> QuerySet[Permission]:
    """The capabilities that hold in every tenant, as permissions."""
    return Permission.objects.filter(
        Q(group__user=user) | Q(user=user),
        content_type__app_label="accounts",
        codename__in=[capability.value for capability in Capability],
    )


def has_capability(user: User, capability: Capability, tenant_id: int) -> bool:
    """Whether `user` holds `capability` in the tenant."""
    return grants_of(user).allow(capability, tenant_id)


def tenants_where(user: User, capability: Capability) -> QuerySet[Tenant]:
    """The tenants where `user` holds `capability`; meant as a subquery, so its cost does not grow with tenants."""
    if not user.is_authenticated or not user.is_active:
        return Tenant.objects.none()
    if capability in everywhere_of(user):
        return Tenant.objects.all()
    by_group = TenantGroupObjectPermission.objects.filter(
        group__user=user, permission__codename=capability.value
    ).values("content_object_id")
    by_person = TenantUserObjectPermission.objects.filter(user=user, permission__codename=capability.value).values(
        "content_object_id"
    )
    return Tenant.objects.filter(pk__in=by_group.union(by_person))


def holders_of(capability: Capability, tenant: Tenant) -> QuerySet[User]:
    """The active people who hold `capability` in `tenant` by a role or a grant (superusers only if granted)."""
    everywhere = Q(
        groups__permissions__codename=capability.value, groups__permissions__content_type__app_label="accounts"
    )
    by_group = Q(
        groups__tenantgroupobjectpermission__content_object=tenant,
        groups__tenantgroupobjectpermission__permission__codename=capability.value,
    )
    by_person = Q(
        tenantuserobjectpermission__content_object=tenant,
        tenantuserobjectpermission__permission__codename=capability.value,
    )
    return User.objects.filter(everywhere | by_group | by_person, is_active=True).distinct()


def holders_of_role(role: Role) -> QuerySet[User]:
    """The active people who hold `role` in any tenant."""
    return User.objects.filter(memberships__role=role.value, is_active=True).distinct()


def home_tenant(user: User, among: Iterable[Tenant] | QuerySet[Tenant]) -> Tenant | None:
    """The tenant meant when none is named: the only one of `among`, else the person's first membership among them."""
    candidates = list(among[:2]) if isinstance(among, QuerySet) else list(among)
    if len(candidates) == 1:
        return candidates[0]
    if isinstance(among, QuerySet):
        return among.filter(memberships__user=user).order_by("memberships__id").first()
    ids = {tenant.pk for tenant in candidates}
    return Tenant.objects.filter(pk__in=ids, memberships__user=user).order_by("memberships__id").first()


_OPEN = f"""
FROM accounts_apitoken AS token JOIN accounts_user AS account ON account.id = token.user_id, LATERAL (
    SELECT jsonb_agg(jsonb_build_array(one.codename, one.tenant) ORDER BY one.codename, one.tenant) AS grants
    FROM ({_REACHES_OF.format(user="account.id")}) AS one(codename, tenant)
) AS held
WHERE token.digest = %(digest)s AND token.revoked_at IS NULL AND account.is_active
    AND (token.expires_at IS NULL OR token.expires_at > %(now)s::timestamptz)
"""  # noqa: S608 (our own columns)
_SAID = "md5(concat(token::text, account::text, held.grants::text))"
# With its rights in the same round trip, because nearly everything that is asked for needs them.
_TOKEN_AND_REACHES = f"SELECT {columns(ApiToken, 'token')}, {columns(User, 'account')}, held.grants, {_SAID} {_OPEN}"  # noqa: S608 (our own columns)
_STILL_SAID = f"SELECT 1 {_OPEN} AND {_SAID} = %(said)s"  # noqa: S608 (our own columns)


@dataclass(frozen=True, slots=True)
class Holder:
    """A usable token, where its user holds the capabilities that were asked for, and a digest of all that was found."""

    token: ApiToken
    reaches: dict[Capability, Reach]
    said: str


def find_token(secret: str) -> ApiToken | None:
    """The usable token with this secret, its user and their grants loaded; None for an unknown, expired or revoked one."""
    (found,) = _look_up([secret], _CAPABILITIES)
    if found is None:
        return None
    token, granted, _ = found
    if not token.user.is_superuser:
        token.user._grants = _as_grants(token.user, granted)  # type: ignore[attr-defined]
    return token


def find_holders(secrets: Sequence[str], *capabilities: Capability) -> list[Holder | None]:
    """For each secret its token, if find_token would find it, and what its user may; one round trip for all."""
    found = _look_up(secrets, [capability.value for capability in capabilities])
    return [_as_holder(*one, capabilities) if one else None for one in found]


def still_holds(holder: Holder) -> Statement:
    """A statement with a row as long as find_holders would say just what it said."""
    codenames = [capability.value for capability in holder.reaches]
    return _STILL_SAID, {
        "digest": holder.token.digest, "now": now(), "codenames": codenames, "said": holder.said,
    }  # fmt: skip


def _as_holder(token: ApiToken, granted: list[Any], said: str, capabilities: Sequence[Capability]) -> Holder:
    everywhere = token.user.is_superuser
    reaches = dict.fromkeys(capabilities, EVERYWHERE) if everywhere else _as_reaches(capabilities, granted)
    return Holder(token, reaches, said)


def _look_up(secrets: Sequence[str], codenames: list[str]) -> list[tuple[ApiToken, list[Any], str] | None]:
    """For each secret the usable token, where its user holds the capabilities, and a digest of both."""
    asked = [secret for secret in secrets if secret.startswith(ApiToken.PREFIX) and len(secret) <= 200]
    moment = now()
    answers = run_all(
        *(
            (_TOKEN_AND_REACHES, {"digest": ApiToken.digest_of(secret), "now": moment, "codenames": codenames})
            for secret in asked
        )
    )
    found = {secret: _as_found(rows[0]) for secret, rows in zip(asked, answers, strict=True) if rows}
    return [found.get(secret) for secret in secrets]


def _as_found(row: Sequence[Any]) -> tuple[ApiToken, list[Any], str]:
    *token, grants, said = row
    return _as_token(token), json.loads(grants) if isinstance(grants, str) else grants or [], said


def _as_token(row: Sequence[Any]) -> ApiToken:
    token = build(ApiToken, row[: width(ApiToken)])
    token.user = build(User, row[width(ApiToken) :])
    return token


def own_token(user: User, token_id: int) -> ApiToken:
    """The user's own token with this id, whatever its state; NotFound for anyone else's."""
    token = ApiToken.objects.filter(user=user, pk=token_id).first() if token_id < 2**63 else None
    if token is None:
        raise NotFound("You have no such token.")
    return token


def describe_tenants(user: User) -> list[dict[str, Any]]:
    """The tenants where `user` holds a role or a grant: slug, name, roles, capabilities (those held everywhere too)."""
    grants = grants_of(user)
    roles: dict[int, list[str]] = {}
    for tenant_id, role in Membership.objects.filter(user=user).values_list("tenant_id", "role"):
        roles.setdefault(tenant_id, []).append(role)
    return [
        {
            "slug": tenant.slug,
            "name": tenant.name,
            "roles": sorted(roles.get(tenant.pk, [])),
            "capabilities": [item.value for item in Capability if grants.allow(item, tenant.pk)],
        }
        for tenant in Tenant.objects.filter(pk__in=roles.keys() | grants.by_tenant.keys())
    ]
