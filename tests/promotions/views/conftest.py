"""Many requests at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.clock import now
from promotions.models import PromotionRequest
from promotions.wire import content_digest
from tests.conftest import content


@pytest.fixture
def make_many(tenant, devops) -> Callable[..., list[PromotionRequest]]:
    """Pending requests without their facts, for lists of any length."""

    def make(count: int, **changes) -> list[PromotionRequest]:
        rows = []
        for number in range(count):
            one = content(target_name=f"service-{number}", **changes)
            columns = {name: getattr(one, name) for name in type(one).__dataclass_fields__}
            columns["tickets"] = []
            rows.append(
                PromotionRequest(
                    number=f"PR-2031-{number:04d}",
                    tenant=tenant,
                    author=devops,
                    digest=content_digest(one),
                    expires_at=now(),
                    **columns,
                )
            )
        return PromotionRequest.objects.bulk_create(rows)

    return make
