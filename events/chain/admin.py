"""The admin page of freezes: to look up, and to end one."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.enums import ActionVariant

from accounts.models import User
from core.admin import Verb
from core.clock import now
from events.chain.freezes import lift_freeze
from events.models import Freeze
from events.tracker.admin import Visible


def _holds(freeze: Freeze, by: User) -> bool:
    return freeze.lifted_at is None and freeze.ends_at > now()


@admin.register(Freeze)
class FreezeAdmin(Visible):
    """Freezes are declared on their page in the console, by those who decide on production."""

    list_display = ("what", "reason", "starts_at", "ends_at", "lifted_at", "declared_by", "tenant")
    list_filter = ("environment", ("ends_at", RangeDateTimeFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "declared_by")
    search_fields = ("service", "reason")
    verbs = (
        Verb(
            "lift", "End it", lambda freeze, by: lift_freeze(freeze=freeze, by=by), "lock_open", offered=_holds,
            variant=ActionVariant.WARNING, warning="Deployments go on at once. The freeze stays on record.",
        ),
    )  # fmt: skip
