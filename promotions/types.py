"""Values that promotion services take: what a requester fills in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.db import models

# The pre-checks of a request by their fields, and the policies of import maps that answer them by these names.
PRE_CHECKS = {
    "staging_tests_passed": "staging tests",
    "security_scan_passed": "security scan",
    "performance_tests_passed": "performance tests",
}

# The deployer that releases a stamp by its request.
IMPORT_MAPS = "import maps"


class TargetType(models.TextChoices):
    API = "api"
    APPLICATION = "application"
    POLICY = "policy"


class Impact(models.TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class PromotionContent:
    """Everything a requester decides and an approver reviews; the digest of a request covers exactly this."""

    target_type: str
    target_name: str
    version: str
    justification: str
    release_notes: str
    impact: str
    rollback_plan: str
    staging_tests_passed: bool
    security_scan_passed: bool
    performance_tests_passed: bool
    test_evidence_url: str
    scheduled_at: dt.datetime | None = None
    source_environment: str = "staging"
    target_environment: str = "prod"
    tickets: tuple[str, ...] = field(default=())
