"""What an API token may be limited to."""

from __future__ import annotations

SCOPES: dict[str, str] = {
    "requests:read": "See promotion requests",
    "requests:write": "Create, edit, withdraw and comment on promotion requests",
    "requests:decide": "Approve, reject, retry, roll back, and break the glass of promotion requests",
    "tickets:read": "See tickets, workers and their events",
    "tickets:write": "Open, change and comment on tickets",
    "tickets:work": "Register as a worker, claim and complete stages",
    "tickets:decide": "Pass gate stages that wait for a person",
    "events:read": "Search the event log, locks and catalogue",
    "events:write": "Record events, locks and catalogue entries",
    "iep:read": "See applications, import maps and stamps",
    "iep:write": "Stamp tickets and promote them to QA",
    "iep:release": "Release to and revert production",
    "webhooks:manage": "See and manage webhooks out",
    "tokens:manage": "List, issue and revoke your API tokens",
}
