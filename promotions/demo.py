"""The demo's services, how they are deployed (published into var/environments/prod/), and requests about them."""

from __future__ import annotations

import sys

from django.conf import settings

from accounts.models import Tenant, User
from promotions.demo_service import publish
from promotions.models import DeploymentTarget, PromotionRequest, RunningVersion
from promotions.services import approve_request, create_request, reject_request
from promotions.types import PromotionContent

SERVICES = {
    "tenant-finance": [
        ("api", "payment-api", "2.1.0", "2.0.0"),
        ("application", "ledger", "1.8.2", "1.8.1"),
        ("api", "invoice-api", "3.2.0", "3.1.4"),
        ("application", "statements", "4.0.1", "4.0.0"),
    ],
    "tenant-retail": [("api", "catalog-api", "5.4.0", "5.3.7")],
}

CHECKED = {
    "staging_tests_passed": True,
    "security_scan_passed": True,
    "performance_tests_passed": True,
    "test_evidence_url": "https://ci.example.com/staging",
}


def seed_services() -> None:
    """Targets for each tenant, and what staging and production run; what exists stays as it is."""
    environments = settings.STATE_DIR / "environments"
    for slug, services in SERVICES.items():
        tenant = Tenant.objects.get(slug=slug)
        DeploymentTarget.objects.get_or_create(
            tenant=tenant,
            target_type="",
            target_name="",
            defaults={
                "deployer": "local",
                "options": {
                    "command": [sys.executable, "-m", "promotions.demo_service", str(environments)],
                    "directory": str(settings.BASE_DIR),
                },
                "time_limit": 120,
            },
        )
        for kind, name, staging, production in services:
            for environment, version in (("staging", staging), ("prod", production)):
                RunningVersion.objects.get_or_create(
                    tenant=tenant, environment=environment, target_type=kind, target_name=name,
                    defaults={"version": version},
                )  # fmt: skip
                publish(environments, environment, slug, name, version)
    if settings.DEPLOYERS["awx"]["OPTIONS"]["url"]:
        seed_awx_target()


def seed_awx_target() -> None:
    """With AWX at hand (script/up --with-awx), one of the services is deployed by it."""
    DeploymentTarget.objects.get_or_create(
        tenant=Tenant.objects.get(slug="tenant-finance"),
        target_type="application",
        target_name="ledger",
        defaults={"deployer": "awx", "options": {"job_template": "Deploy to production"}, "time_limit": 120},
    )


def seed_requests() -> None:
    """One request that waits, one that was turned down, and one that the workers deploy as soon as they are up."""
    tenant = Tenant.objects.get(slug="tenant-finance")
    if PromotionRequest.objects.filter(tenant=tenant).exists():
        return
    devops = User.objects.get(email="pierre.durand@cab-i.com")
    approver = User.objects.get(email="jean.dupont@cab-i.com")

    def ask(**content: object) -> PromotionRequest:
        return create_request(tenant=tenant, content=PromotionContent(**(CHECKED | content)), by=devops)  # type: ignore[arg-type]

    turned_down = ask(
        target_type="api", target_name="invoice-api", version="3.1.9",
        justification="Invoices of partial shipments need numbers of their own before the end of the quarter.",
        release_notes="New number range for invoices of partial shipments.",
        impact="high",
        rollback_plan="Deploy 3.1.4 again; numbers that were given stay valid.",
    )  # fmt: skip
    reject_request(
        promotion=turned_down, by=approver,
        reason="Accounting still parses the numbers as integers. Please wait for their release on Thursday.",
    )  # fmt: skip
    ask(
        target_type="api", target_name="invoice-api", version="3.2.0",
        justification="Accounting can read the new invoice numbers now; partial shipments wait for them.",
        release_notes="- New number range for invoices of partial shipments\n- PDF invoices are a third smaller",
        impact="medium",
        rollback_plan="Deploy 3.1.4 again; numbers that were given stay valid.",
    )  # fmt: skip
    approved = ask(
        target_type="application", target_name="statements", version="4.0.1",
        justification="Statements of accounts with more than 10,000 lines end after page 400.",
        release_notes="Statements of any length are complete.",
        impact="low",
        rollback_plan="Deploy 4.0.0 again and repeat the nightly run.",
    )  # fmt: skip
    approve_request(promotion=approved, by=approver, comment="Seen on staging with the longest account that we have.")
