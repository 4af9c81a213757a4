"""Many tickets at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tickets.models import Ticket


@pytest.fixture
def make_many(project, devops) -> Callable[..., list[Ticket]]:
    """Open tickets without their facts, for boards of any length."""

    def make(count: int, **changes) -> list[Ticket]:
        rows = [
            Ticket(
                tenant=project.tenant, project=project, author=devops, key=f"MANY-{number}",
                title=f"Ticket number {number}", description="words", **changes,
            )
            for number in range(count)
        ]  # fmt: skip
        made = Ticket.objects.bulk_create(rows)
        for ticket in made[:40]:
            ticket.assignees.add(devops)
        return made

    return make
