"""The fixed cast of accounts, named by role, and how to make promotion requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

import config.celery  # noqa: F401 (doorbells ring through it)
from accounts.models import Tenant, User
from accounts.roles import Role
from accounts.services import grant_role
from promotions.models import DeploymentTarget, PromotionRequest
from promotions.services import create_request
from promotions.types import PromotionContent

PASSWORD = "correct horse battery staple"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, folders whose tests may take longest come first: at the end nobody waits for one of them alone."""
    if not hasattr(config, "workerinput"):
        return
    patience: dict[str, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        patience[_folder(item)] = max(patience.get(_folder(item), 0), marker.args[0] if marker else 0)
    items.sort(key=lambda item: -patience[_folder(item)])


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


@pytest.fixture
def tenant(db) -> Tenant:
    return Tenant.objects.create(slug="tenant-finance", name="Finance")


@pytest.fixture
def other_tenant(db) -> Tenant:
    return Tenant.objects.create(slug="tenant-retail", name="Retail")


@pytest.fixture
def make_user(db) -> Callable[..., User]:
    def make(name: str, tenant: Tenant | None = None, *roles: Role) -> User:
        user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.replace("_", " ").title())
        for role in roles:
            assert tenant is not None
            grant_role(user=user, tenant=tenant, role=role)
        return user

    return make


@pytest.fixture
def devops(make_user, tenant) -> User:
    return make_user("devops", tenant, Role.DEVOPS)


@pytest.fixture
def other_devops(make_user, tenant) -> User:
    """Another DevOps engineer of the same tenant."""
    return make_user("other_devops", tenant, Role.DEVOPS)


@pytest.fixture
def cpi(make_user, tenant) -> User:
    return make_user("cpi", tenant, Role.CPI)


@pytest.fixture
def other_cpi(make_user, tenant) -> User:
    """Another CPI of the same tenant."""
    return make_user("other_cpi", tenant, Role.CPI)


@pytest.fixture
def cpi_admin(make_user, tenant) -> User:
    return make_user("cpi_admin", tenant, Role.CPI_ADMIN)


@pytest.fixture
def viewer(make_user, tenant) -> User:
    return make_user("viewer", tenant, Role.VIEWER)


@pytest.fixture
def worker(make_user, tenant) -> User:
    return make_user("worker", tenant, Role.WORKER)


@pytest.fixture
def outsider(make_user, other_tenant) -> User:
    """A DevOps engineer of another tenant."""
    return make_user("outsider", other_tenant, Role.DEVOPS)


@pytest.fixture
def root(db) -> User:
    return User.objects.create_superuser("root@example.com", PASSWORD)


@pytest.fixture
def target(tenant) -> DeploymentTarget:
    """Whatever the tenant deploys succeeds at once."""
    return DeploymentTarget.objects.create(tenant=tenant, deployer="none")


def content(**changes: Any) -> PromotionContent:
    """Valid content of a request, with changes."""
    fields: dict[str, Any] = {
        "target_type": "api",
        "target_name": "payment-api",
        "version": "2.1.0",
        "justification": "New PCI-DSS compliant payment flow",
        "release_notes": "- Added 3DS2 authentication\n- Fixed timeout issues\n",
        "impact": "low",
        "rollback_plan": "Revert to v2.0.0 via emergency deploy",
        "staging_tests_passed": True,
        "security_scan_passed": True,
        "performance_tests_passed": True,
        "test_evidence_url": "https://ci.example.com/pipeline/12345",
    }
    return PromotionContent(**(fields | changes))


@pytest.fixture
def make_request(tenant, devops) -> Callable[..., PromotionRequest]:
    def make(by: User | None = None, in_tenant: Tenant | None = None, **changes: Any) -> PromotionRequest:
        return create_request(tenant=in_tenant or tenant, content=content(**changes), by=by or devops)

    return make


@pytest.fixture
def pending(make_request) -> PromotionRequest:
    """A pending request of `devops`."""
    return make_request()


@pytest.fixture
def browse() -> Callable[[User], Client]:
    """A signed-in browser without a screen, for anyone of the cast."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def lender(make_user, tenant):
    """Who lends the demo's rights to callers without a token."""
    user = make_user("lender")
    user.email = "pierre.durand@cab-i.com"
    user.save()
    grant_role(user=user, tenant=tenant, role=Role.DEVOPS)
    return user
