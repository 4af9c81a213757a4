"""What lists of tickets are read off: kept by the database itself, with every row of tickets that changes."""

from __future__ import annotations

import pgtrigger
from django.db import models

from accounts.models import Tenant
from tickets.states import SATISFIED

_DONE = ", ".join(f"'{state}'" for state in SATISFIED)


class TicketLabel(models.Model):
    """One label of a ticket, with the ticket's state, so that an index knows the newest of a label in each state.

    Rows are written by triggers of the tickets' table and by nothing else: a state or a label that changes by whatever
    way is never missing here.
    """

    pk = models.CompositePrimaryKey("ticket", "label")
    ticket = models.ForeignKey("tickets.Ticket", on_delete=models.CASCADE, related_name="+", db_index=False)
    label = models.CharField(max_length=50)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=30)

    class Meta:
        indexes = [
            models.Index(fields=["label", "tenant", "state", "-ticket"], name="label_of_tenant"),
            models.Index(fields=["label", "state", "-ticket"], include=["tenant"], name="label_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.ticket_id}"


_WRITE = """
    INSERT INTO tickets_ticketlabel (ticket_id, label, tenant_id, state)
    SELECT DISTINCT NEW.id, label, NEW.tenant_id, NEW.state FROM unnest(NEW.labels) AS label
    ON CONFLICT (ticket_id, label) DO UPDATE SET state = EXCLUDED.state, tenant_id = EXCLUDED.tenant_id;
    RETURN NULL;
"""

OF_TICKETS = [
    pgtrigger.Trigger(
        name="lists_labels",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition("NEW.labels <> '{}'"),
        func=_WRITE,
    ),
    pgtrigger.Trigger(
        name="lists_labels_anew",
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf("labels", "state"),
        condition=pgtrigger.Condition(
            "OLD.labels || NEW.labels <> '{}' AND (OLD.labels, OLD.state) IS DISTINCT FROM (NEW.labels, NEW.state)"
        ),
        func="DELETE FROM tickets_ticketlabel WHERE ticket_id = NEW.id AND label <> ALL (NEW.labels);" + _WRITE,  # noqa: S608 (our own text)
    ),
    pgtrigger.Trigger(
        name="frees_dependents",
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf("state"),
        condition=pgtrigger.Condition(f"NOT ((OLD.state IN ({_DONE})) = (NEW.state IN ({_DONE})))"),
        func=f"""
    UPDATE tickets_dependency SET holds = NEW.state NOT IN ({_DONE}) WHERE blocker_id = NEW.id;
    RETURN NULL;
""",  # noqa: S608 (our own states)
    ),
]

# The blocker is locked until the commit, so that it cannot be resolved unseen meanwhile.
OF_DEPENDENCIES = [
    pgtrigger.Trigger(
        name="knows_its_blocker",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=f"""
    SELECT state NOT IN ({_DONE}) INTO NEW.holds FROM tickets_ticket WHERE id = NEW.blocker_id FOR SHARE;
    SELECT tenant_id INTO NEW.tenant_id FROM tickets_ticket WHERE id = NEW.ticket_id;
    RETURN NEW;
""",  # noqa: S608 (our own states)
    )
]
