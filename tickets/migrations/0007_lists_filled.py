"""What 0006 keeps from now on, for the tickets that are there; in small steps, may be interrupted and started again."""

import django.db.models.deletion
from django.db import migrations, models, transaction

STEP = 5000

# Locked first, read afterwards: whoever changes a ticket meanwhile is seen, or waits and corrects it.
LOCK = """
SELECT id FROM tickets_ticket WHERE id BETWEEN %(first)s AND %(last)s
  AND (labels <> '{}' OR EXISTS (SELECT 1 FROM tickets_dependency WHERE blocker_id = tickets_ticket.id)) FOR SHARE
"""
LABELS = """
INSERT INTO tickets_ticketlabel (ticket_id, label, tenant_id, state)
SELECT DISTINCT id, label, tenant_id, state FROM tickets_ticket, unnest(labels) AS label
WHERE id BETWEEN %(first)s AND %(last)s AND labels <> '{}' ON CONFLICT DO NOTHING
"""
DEPENDENCIES = """
UPDATE tickets_dependency SET holds = blocker.state NOT IN ('resolved', 'completed'), tenant_id = ticket.tenant_id
FROM tickets_ticket AS blocker, tickets_ticket AS ticket
WHERE blocker.id = blocker_id AND ticket.id = ticket_id AND blocker_id BETWEEN %(first)s AND %(last)s
"""


def fill(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM tickets_ticket")
        first, last = cursor.fetchone()
        for start in range(first or 1, (last or 0) + 1, STEP):
            window = {"first": start, "last": start + STEP - 1}
            with transaction.atomic(using=schema_editor.connection.alias):
                for statement in (LOCK, LABELS, DEPENDENCIES):
                    cursor.execute(statement, window)
        if last:
            cursor.execute("ANALYZE tickets_ticketlabel")
            cursor.execute("ANALYZE tickets_dependency")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('accounts', '0001_initial'),
        ('tickets', '0006_lists'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='dependency',
            name='tenant',
            field=models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.tenant'),
        ),
    ]
