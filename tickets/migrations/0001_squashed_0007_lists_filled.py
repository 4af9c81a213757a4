import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from core.schema import AtOnce
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('tickets', '0001_initial'),
        ('tickets', '0002_indexes'),
        ('tickets', '0004_issues'),
        ('tickets', '0005_jira_edits_and_ways'),
        ('tickets', '0006_lists'),
        ('tickets', '0007_lists_filled'),
    ]

    dependencies = [
        ('accounts', '0001_initial'),
        ('events', '0004_connections'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [AtOnce([
        migrations.CreateModel(
            name='Dependency',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('blocker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dependents', to='tickets.ticket')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='dependencies', to='tickets.ticket')),
                ('holds', models.BooleanField(default=True, editable=False, help_text='Whether the blocker is not done yet.')),
                ('tenant', models.ForeignKey(db_index=False, editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.tenant')),
            ],
            options={
                'verbose_name_plural': 'dependencies',
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('holds', True)), fields=['tenant', '-ticket'], name='dependency_holds_in_tenant'), models.Index(condition=models.Q(('holds', True)), fields=['-ticket'], name='dependency_holds')],
                'constraints': [models.UniqueConstraint(fields=('ticket', 'blocker'), name='dependency_once'), models.CheckConstraint(condition=models.Q(('ticket', models.F('blocker')), _negated=True), name='dependency_on_another')],
            },
        ),
        migrations.CreateModel(
            name='Project',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='As given, such as test/project.', max_length=200)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('prefix', models.CharField(help_text='Of generated ticket keys, such as PROJ.', max_length=20)),
                ('last_number', models.PositiveIntegerField(default=0, help_text='Of the generated ticket keys.')),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='projects', to='accounts.tenant')),
            ],
            options={
                'ordering': ['key'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Upper('key'), models.F('tenant'), name='project_key_once_per_tenant'), models.UniqueConstraint(django.db.models.functions.text.Upper('prefix'), models.F('tenant'), name='project_prefix_once_per_tenant')],
            },
        ),
        migrations.CreateModel(
            name='Ticket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text="As given, such as TICKET-001, or made from the project's prefix.", max_length=100)),
                ('title', models.CharField(max_length=300)),
                ('description', models.TextField(blank=True)),
                ('type', models.CharField(choices=[('epic', 'Epic'), ('story', 'Story'), ('task', 'Task'), ('subtask', 'Subtask'), ('bug', 'Bug'), ('documentation', 'Documentation')], default='task', max_length=20)),
                ('priority', models.PositiveSmallIntegerField(choices=[(0, 'Urgent'), (1, 'High'), (2, 'Medium'), (3, 'Low')], default=2)),
                ('labels', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), blank=True, default=list, size=None)),
                ('due_date', models.DateField(blank=True, null=True)),
                ('state', models.CharField(choices=[('open', 'Open'), ('in_progress', 'In Progress'), ('in_review', 'In Review'), ('reviewed', 'Reviewed'), ('testing', 'Testing'), ('approval_in_progress', 'Approval In Progress'), ('approved', 'Approved'), ('declined', 'Declined'), ('resolved', 'Resolved'), ('reopened', 'Reopened'), ('completed', 'Completed'), ('stopped', 'Stopped')], default='open', max_length=20)),
                ('plan', models.JSONField(blank=True, default=list, help_text='Steps: [{"stage": "developer", "gate": false}, …].')),
                ('progress', models.PositiveSmallIntegerField(default=0, help_text='How many steps of the plan are done.')),
                ('stage', models.CharField(blank=True, help_text='The step that is next; empty after the last.', max_length=100)),
                ('last_completed_stage', models.CharField(default='Planned', max_length=100)),
                ('round', models.PositiveIntegerField(default=1, help_text='Grows with each return to an earlier step.')),
                ('version', models.PositiveIntegerField(default=1, help_text='Grows with each change of the ticket.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('assignees', models.ManyToManyField(blank=True, related_name='assigned_tickets', to=settings.AUTH_USER_MODEL)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='opened_tickets', to=settings.AUTH_USER_MODEL)),
                ('depends_on', models.ManyToManyField(related_name='blocks', through='tickets.Dependency', through_fields=('ticket', 'blocker'), to='tickets.ticket')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='tickets.ticket')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tickets', to='tickets.project')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tickets', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['tenant', '-id'], name='ticket_of_tenant'), models.Index(fields=['project', '-id'], name='ticket_of_project'), models.Index(fields=['project', 'state', '-id'], name='ticket_project_state'), django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='ticket_labels'), django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.search.SearchVector('key', 'title', 'description', config='simple'), name='ticket_text'), models.Index(fields=['tenant', 'state', '-id'], include=('priority', 'type'), name='ticket_of_tenant_by_state'), models.Index(fields=['state', '-id'], include=('tenant', 'priority', 'type'), name='ticket_state'), models.Index(condition=models.Q(('stage', ''), _negated=True), fields=['stage', '-id'], name='ticket_by_stage'), models.Index(condition=models.Q(('due_date__isnull', False)), fields=['due_date'], name='ticket_due'), models.Index(django.contrib.postgres.indexes.OpClass(django.db.models.functions.text.Upper('key'), name='text_pattern_ops'), name='ticket_key_beginning')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Upper('key'), models.F('tenant'), name='ticket_key_once_per_tenant'), models.CheckConstraint(condition=models.Q(('state__in', ['open', 'in_progress', 'in_review', 'reviewed', 'testing', 'approval_in_progress', 'approved', 'declined', 'resolved', 'reopened', 'completed', 'stopped'])), name='ticket_state_known'), models.CheckConstraint(condition=models.Q(('priority__in', [0, 1, 2, 3])), name='ticket_priority_known'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('state__in', ('completed', 'stopped'))), models.Q(models.Q(('state__in', ('completed', 'stopped')), _negated=True), ('closed_at', None)), _connector='OR'), name='ticket_closed_with_a_time'), models.CheckConstraint(condition=models.Q(('parent', None), models.Q(('parent', models.F('pk')), _negated=True), _connector='OR'), name='ticket_is_not_its_own_parent')],
            },
        ),
        migrations.CreateModel(
            name='StageTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.PositiveSmallIntegerField(help_text='Its place in the plan, from 0.')),
                ('round', models.PositiveIntegerField(default=1)),
                ('worker_type', models.CharField(max_length=100)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('claimed', 'Claimed'), ('failed', 'Failed'), ('dead', 'Dead'), ('waiting_for_person', 'Waiting For Person'), ('done', 'Done'), ('canceled', 'Canceled')], default='queued', max_length=20)),
                ('priority', models.PositiveSmallIntegerField(choices=[(0, 'Urgent'), (1, 'High'), (2, 'Medium'), (3, 'Low')], default=2)),
                ('turn', models.BigIntegerField(default=0)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('max_attempts', models.PositiveIntegerField(default=5)),
                ('fence', models.PositiveBigIntegerField(default=0)),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When it may be claimed, if it is queued or failed.')),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_account', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tickets.project')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.tenant')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='tickets.ticket')),
                ('claimed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='claimed_tasks', to='tickets.worker')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ('queued', 'failed'))), fields=['tenant', 'worker_type', 'priority', 'turn', 'id'], name='stage_task_ready'), models.Index(condition=models.Q(('state__in', ('queued', 'failed'))), fields=['project', 'worker_type', 'priority', 'turn'], name='stage_task_turns'), models.Index(condition=models.Q(('state', 'claimed')), fields=['tenant', 'worker_type', 'lease_until'], name='stage_task_leases'), models.Index(condition=models.Q(('state__in', ('queued', 'claimed', 'failed', 'dead', 'waiting_for_person'))), fields=['tenant', '-id'], name='stage_task_open'), models.Index(fields=['ticket', 'id'], name='stage_task_of_ticket')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'claimed', 'failed', 'dead', 'waiting_for_person', 'done', 'canceled'])), name='stage_task_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'claimed'), _negated=True), models.Q(('claimed_account__isnull', False), ('lease_until__isnull', False)), _connector='OR'), name='stage_task_claimed_by_someone_until'), models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'claimed', 'failed', 'dead', 'waiting_for_person'))), fields=('ticket', 'step'), name='stage_task_one_open_per_step'), models.UniqueConstraint(condition=models.Q(('state', 'done')), fields=('ticket', 'step', 'round'), name='stage_task_done_once_per_round')],
            },
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('description', 'Description'), ('comment', 'Comment'), ('stage', 'Stage'), ('return', 'Return'), ('decision', 'Decision'), ('closing', 'Closing')], default='comment', max_length=20)),
                ('worker_type', models.CharField(blank=True, max_length=100)),
                ('worker_id', models.CharField(blank=True, max_length=200)),
                ('stage', models.CharField(blank=True, max_length=100)),
                ('stage_number', models.IntegerField(default=0, help_text='1 for the first step; 0 before, 999 at the closing.')),
                ('fence', models.PositiveBigIntegerField(blank=True, help_text='Of the claim it was written under.', null=True)),
                ('content', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='comments', to='tickets.stagetask')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='tickets.ticket')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['ticket', 'id'], name='comment_of_ticket')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['description', 'comment', 'stage', 'return', 'decision', 'closing'])), name='comment_kind_known'), models.UniqueConstraint(condition=models.Q(('kind', 'stage')), fields=('task', 'fence'), name='comment_one_per_completion')],
            },
        ),
        migrations.CreateModel(
            name='TicketLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('issue', 'Issue'), ('commit', 'Commit'), ('pull_request', 'Pull Request'), ('build', 'Build'), ('document', 'Document'), ('other', 'Other')], default='other', max_length=20)),
                ('url', models.URLField(max_length=1000)),
                ('title', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='links', to='tickets.ticket')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('ticket', 'url'), name='ticket_link_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['issue', 'commit', 'pull_request', 'build', 'document', 'other'])), name='ticket_link_kind_known')],
            },
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('worker_id', models.CharField(help_text='As it calls itself, such as architect-1.', max_length=200)),
                ('worker_type', models.CharField(help_text='The stage it works, such as architect.', max_length=100)),
                ('capabilities', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('registered_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('silence_seconds', models.PositiveIntegerField(default=600, help_text='Not heard of for this long, it counts as gone.')),
                ('silent_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When it counts as gone, if nothing is heard.')),
                ('stopped_at', models.DateTimeField(blank=True, null=True)),
                ('stop_reason', models.CharField(blank=True, max_length=500)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='workers', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(blank=True, help_text='The only project it works for; empty: all of the tenant.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='workers', to='tickets.project')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='workers', to='accounts.tenant')),
            ],
            options={
                'ordering': ['worker_type', 'worker_id'],
                'indexes': [models.Index(condition=models.Q(('stopped_at', None)), fields=['tenant', 'worker_type'], name='worker_of_type'), models.Index(condition=models.Q(('stopped_at', None)), fields=['silent_at'], name='worker_falling_silent')],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Upper('worker_id'), models.F('tenant'), name='worker_id_once_per_tenant')],
            },
        ),
        migrations.CreateModel(
            name='ConsumerPosition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consumer', models.CharField(max_length=100)),
                ('position', models.BigIntegerField(default=0)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.tenant')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('consumer', 'tenant'), name='consumer_position_once')],
            },
        ),
        migrations.CreateModel(
            name='EventMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consumer', models.CharField(max_length=100)),
                ('fact_sequence', models.BigIntegerField(help_text="The fact's place in the log.")),
                ('resolution', models.TextField(blank=True)),
                ('marked_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('marked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(fields=('consumer', 'fact_sequence'), name='event_mark_once')],
            },
        ),
        migrations.CreateModel(
            name='JiraProject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(help_text='Such as SHOP.', max_length=40, verbose_name='key in Jira')),
                ('statuses', models.TextField(default='open = To Do\nin_progress = In Progress\nin_review = In Progress\ntesting = In Progress\nresolved = Done\ncompleted = Done\nreopened = In Progress\nstamp.qa = In Progress\nstamp.prod = Done\n', help_text='A line for each state: ours = theirs. Ours are states of tickets, stamp.dev, stamp.qa, stamp.prod, request.approved, request.deployed, request.rolled_back. What is not named moves nothing; where several of ours have the same one, an issue that gets there takes the ticket to the first.', verbose_name='status map')),
                ('opens_tickets', models.BooleanField(default=True, help_text='An issue that is made there opens a ticket here.')),
                ('opens_issues', models.BooleanField(default=False, help_text='A ticket that is opened here makes an issue there.')),
                ('issue_type', models.CharField(default='Task', help_text='Of the issues that are made.', max_length=60)),
                ('comments', models.BooleanField(default=True, help_text='What is said, and releases, become comments, both ways.')),
                ('acts_as', models.ForeignKey(help_text='In whose name tickets follow their issues; what this account may not do is not done.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='jira_projects', to='events.connection')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='jira_projects', to='tickets.project')),
                ('edits', models.BooleanField(default=True, help_text='A title, description, priority, due date or labels that are changed here are changed there.', verbose_name='tells edits')),
                ('ways', models.TextField(blank=True, help_text='A line for each way that issues may be led over several statuses: To Do > In Progress > Done. Otherwise only ways are taken that issues of the same type went before.')),
            ],
            options={
                'ordering': ['connection_id', 'key'],
                'constraints': [models.UniqueConstraint(models.F('connection'), django.db.models.functions.text.Upper('key'), name='jira_project_once')],
            },
        ),
        migrations.CreateModel(
            name='TicketIssue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issue_id', models.CharField(max_length=40)),
                ('key', models.CharField(max_length=100)),
                ('status', models.CharField(blank=True, help_text='As Jira calls it, when we last knew.', max_length=100)),
                ('linked', models.BooleanField(default=False, help_text='Whether the issue shows a link to the ticket.')),
                ('deleted', models.BooleanField(default=False, help_text='In Jira; nothing is told there any more.')),
                ('heard_at', models.DateTimeField(help_text='When that happened which was last heard of it.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('connection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='events.connection')),
                ('jira', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='issues', to='tickets.jiraproject')),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='issues', to='tickets.ticket')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('connection', 'issue_id'), name='issue_once'), models.UniqueConstraint(fields=('ticket', 'connection'), name='issue_one_per_ticket_and_jira')],
            },
        ),
        migrations.CreateModel(
            name='JiraStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=60, verbose_name='type of issue')),
                ('before', models.CharField(max_length=100)),
                ('after', models.CharField(max_length=100)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('jira', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='tickets.jiraproject')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('jira', 'kind', 'before', 'after'), name='jira_step_once')],
            },
        ),
        migrations.CreateModel(
            name='TicketLabel',
            fields=[
                ('pk', models.CompositePrimaryKey('ticket', 'label', blank=True, editable=False, primary_key=True, serialize=False)),
                ('ticket', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tickets.ticket')),
                ('tenant', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.tenant')),
                ('label', models.CharField(max_length=50)),
                ('state', models.CharField(max_length=30)),
            ],
            options={
                'indexes': [models.Index(fields=['label', 'tenant', 'state', '-ticket'], name='label_of_tenant'), models.Index(fields=['label', 'state', '-ticket'], include=('tenant',), name='label_by_state')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='dependency',
            trigger=pgtrigger.compiler.Trigger(name='knows_its_blocker', sql=pgtrigger.compiler.UpsertTriggerSql(func="\n    SELECT state NOT IN ('resolved', 'completed') INTO NEW.holds FROM tickets_ticket WHERE id = NEW.blocker_id FOR SHARE;\n    SELECT tenant_id INTO NEW.tenant_id FROM tickets_ticket WHERE id = NEW.ticket_id;\n    RETURN NEW;\n", hash='7a59dc0f9b22bd81cc735dbc868dc141e2fcdc3b', operation='INSERT', pgid='pgtrigger_knows_its_blocker_0d8a5', table='tickets_dependency', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ticket',
            trigger=pgtrigger.compiler.Trigger(name='lists_labels', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NEW.labels <> '{}')", func='\n    INSERT INTO tickets_ticketlabel (ticket_id, label, tenant_id, state)\n    SELECT DISTINCT NEW.id, label, NEW.tenant_id, NEW.state FROM unnest(NEW.labels) AS label\n    ON CONFLICT (ticket_id, label) DO UPDATE SET state = EXCLUDED.state, tenant_id = EXCLUDED.tenant_id;\n    RETURN NULL;\n', hash='cb1a8946c77839b94afa9cc4f9997bbb803d0287', operation='INSERT', pgid='pgtrigger_lists_labels_0e998', table='tickets_ticket', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ticket',
            trigger=pgtrigger.compiler.Trigger(name='lists_labels_anew', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (OLD.labels || NEW.labels <> '{}' AND (OLD.labels, OLD.state) IS DISTINCT FROM (NEW.labels, NEW.state))", func='DELETE FROM tickets_ticketlabel WHERE ticket_id = NEW.id AND label <> ALL (NEW.labels);\n    INSERT INTO tickets_ticketlabel (ticket_id, label, tenant_id, state)\n    SELECT DISTINCT NEW.id, label, NEW.tenant_id, NEW.state FROM unnest(NEW.labels) AS label\n    ON CONFLICT (ticket_id, label) DO UPDATE SET state = EXCLUDED.state, tenant_id = EXCLUDED.tenant_id;\n    RETURN NULL;\n', hash='9501a2c24786cf1e5a2b05dc8162d8bf4f086264', operation='UPDATE OF "labels", "state"', pgid='pgtrigger_lists_labels_anew_ef004', table='tickets_ticket', when='AFTER')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='ticket',
            trigger=pgtrigger.compiler.Trigger(name='frees_dependents', sql=pgtrigger.compiler.UpsertTriggerSql(condition="WHEN (NOT ((OLD.state IN ('resolved', 'completed')) = (NEW.state IN ('resolved', 'completed'))))", func="\n    UPDATE tickets_dependency SET holds = NEW.state NOT IN ('resolved', 'completed') WHERE blocker_id = NEW.id;\n    RETURN NULL;\n", hash='ad4daacc628292d37d968764c72ae3997d79503f', operation='UPDATE OF "state"', pgid='pgtrigger_frees_dependents_b0068', table='tickets_ticket', when='AFTER')),
        ),
    ])]
