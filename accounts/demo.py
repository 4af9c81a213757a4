"""The demo's people: one account per role, the same every time, with a token each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.contrib.auth.hashers import make_password

from accounts.models import Tenant, User
from accounts.roles import Role
from accounts.scopes import SCOPES
from accounts.selectors import find_token
from accounts.services import grant_role, issue_token

PASSWORD = "stagepass-demo"


@dataclass(frozen=True, slots=True)
class Person:
    """One demo account: how it is called in var/demo.json, who it is, and the role it holds where."""

    key: str
    email: str
    name: str
    tenant: str
    role: Role


TENANTS = {"tenant-finance": "Finance", "tenant-retail": "Retail"}
CAST = [
    Person("devops", "pierre.durand@cab-i.com", "Pierre Durand", "tenant-finance", Role.DEVOPS),
    Person("cpi", "jean.dupont@cab-i.com", "Jean Dupont", "tenant-finance", Role.CPI),
    Person("cpi_admin", "claire.martin@cab-i.com", "Claire Martin", "tenant-finance", Role.CPI_ADMIN),
    Person("viewer", "victor.noel@cab-i.com", "Victor Noël", "tenant-finance", Role.VIEWER),
    Person("outsider", "olga.petrova@cab-i.com", "Olga Petrova", "tenant-retail", Role.DEVOPS),
    Person("worker", "worker@cab-i.com", "Build worker", "tenant-finance", Role.WORKER),
]
STAFF_EMAIL = "admin@cab-i.com"


def seed_people(known: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Make what is missing; each person's log-in for var/demo.json, with the token `known` from before if it still works."""
    for slug, name in TENANTS.items():
        Tenant.objects.get_or_create(slug=slug, defaults={"name": name})
    if not User.objects.filter(email=STAFF_EMAIL).exists():
        _make(STAFF_EMAIL, "Admin", is_staff=True, is_superuser=True)
    return {person.key: _seed(person, known.get(person.key, {}).get("token", "")) for person in CAST}


def _seed(person: Person, known_token: str) -> dict[str, str]:
    user = User.objects.filter(email=person.email).first()
    if user is None:
        user = _make(person.email, person.name)
    grant_role(user=user, tenant=Tenant.objects.get(slug=person.tenant), role=person.role)
    token = find_token(known_token)
    if token is None or token.user_id != user.pk or set(token.scopes) != set(SCOPES):
        user.api_tokens.filter(name="demo").delete()
        _, known_token = issue_token(user=user, name="demo", scopes=list(SCOPES))
    return {
        "email": person.email,
        "password": PASSWORD,
        "token": known_token,
        "tenant": person.tenant,
        "name": person.name,
    }


def _make(email: str, name: str, **rights: bool) -> User:
    return User.objects.create(email=email, name=name, password=_hashed(), **rights)


@cache
def _hashed() -> str:
    """The one password that everybody knows, hashed once: hashing is slow on purpose."""
    return make_password(PASSWORD)
