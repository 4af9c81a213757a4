"""The demo's services and how they are deployed: a small versioned service published into var/environments/prod/."""

from __future__ import annotations

import sys

from django.conf import settings

from accounts.models import Tenant
from promotions.demo_service import publish
from promotions.models import DeploymentTarget, RunningVersion

SERVICES = {
    "tenant-finance": [("api", "payment-api", "2.1.0", "2.0.0"), ("application", "ledger", "1.8.2", "1.8.1")],
    "tenant-retail": [("api", "catalog-api", "5.4.0", "5.3.7")],
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
