"""The one table of roles: which role holds which capability, and how far it reaches."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """What a person may do in a tenant; each is a permission on Tenant, granted through guardian."""

    REQUEST_PROMOTION = "request_promotion"
    DECIDE_PROMOTION = "decide_promotion"
    BREAK_GLASS = "break_glass"
    VIEW_PROMOTIONS = "view_promotions"
    VIEW_OWN_PROMOTIONS = "view_own_promotions"
    VIEW_TICKETS = "view_tickets"
    EDIT_TICKETS = "edit_tickets"
    WORK_TICKETS = "work_tickets"
    DECIDE_TICKETS = "decide_tickets"
    VIEW_EVENTS = "view_events"
    RECORD_EVENTS = "record_events"
    VIEW_APPLICATIONS = "view_applications"
    STAMP_APPLICATIONS = "stamp_applications"
    RELEASE_APPLICATIONS = "release_applications"


class Role(StrEnum):
    """The roles people hold in a tenant; CPI Admin reaches every tenant."""

    DEVOPS = "devops"
    CPI = "cpi"
    CPI_ADMIN = "cpi_admin"
    VIEWER = "viewer"
    WORKER = "worker"


C = Capability
_READ = frozenset({C.VIEW_TICKETS, C.VIEW_EVENTS, C.VIEW_APPLICATIONS})
_BUILD = _READ | {C.EDIT_TICKETS, C.WORK_TICKETS, C.RECORD_EVENTS, C.STAMP_APPLICATIONS}
_DECIDE = _BUILD | {
    C.VIEW_PROMOTIONS,
    C.REQUEST_PROMOTION,
    C.DECIDE_PROMOTION,
    C.DECIDE_TICKETS,
    C.RELEASE_APPLICATIONS,
}

# Nobody decides on their own request, whatever this table says: see promotions/permissions.py.
ROLES: dict[Role, frozenset[Capability]] = {
    Role.DEVOPS: _BUILD | {C.REQUEST_PROMOTION, C.VIEW_OWN_PROMOTIONS},
    Role.CPI: _DECIDE,
    Role.CPI_ADMIN: _DECIDE | {C.BREAK_GLASS},
    Role.VIEWER: _READ | {C.VIEW_PROMOTIONS},
    Role.WORKER: _READ | {C.WORK_TICKETS, C.EDIT_TICKETS, C.RECORD_EVENTS},
}

EVERYWHERE = frozenset({Role.CPI_ADMIN})
