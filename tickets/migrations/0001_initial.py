import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Dependency',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'verbose_name_plural': 'dependencies',
                'ordering': ['id'],
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
                'indexes': [models.Index(fields=['tenant', '-id'], name='ticket_of_tenant'), models.Index(fields=['tenant', 'state', '-id'], name='ticket_tenant_state'), models.Index(fields=['state', '-id'], name='ticket_by_state'), models.Index(fields=['project', '-id'], name='ticket_of_project'), models.Index(fields=['project', 'state', '-id'], name='ticket_project_state'), models.Index(condition=models.Q(('state__in', ('completed', 'stopped')), _negated=True), fields=['tenant', 'stage', '-id'], name='ticket_at_stage'), django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='ticket_labels'), django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.search.SearchVector('key', 'title', 'description', config='simple'), name='ticket_text')],
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
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='dependency',
            name='blocker',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dependents', to='tickets.ticket'),
        ),
        migrations.AddField(
            model_name='dependency',
            name='ticket',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='dependencies', to='tickets.ticket'),
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
        migrations.AddField(
            model_name='stagetask',
            name='claimed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='claimed_tasks', to='tickets.worker'),
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
        migrations.AddConstraint(
            model_name='dependency',
            constraint=models.UniqueConstraint(fields=('ticket', 'blocker'), name='dependency_once'),
        ),
        migrations.AddConstraint(
            model_name='dependency',
            constraint=models.CheckConstraint(condition=models.Q(('ticket', models.F('blocker')), _negated=True), name='dependency_on_another'),
        ),
        migrations.AddIndex(
            model_name='stagetask',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'failed'))), fields=['tenant', 'worker_type', 'priority', 'turn', 'id'], name='stage_task_ready'),
        ),
        migrations.AddIndex(
            model_name='stagetask',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'failed'))), fields=['project', 'worker_type', 'priority', 'turn'], name='stage_task_turns'),
        ),
        migrations.AddIndex(
            model_name='stagetask',
            index=models.Index(condition=models.Q(('state', 'claimed')), fields=['tenant', 'worker_type', 'lease_until'], name='stage_task_leases'),
        ),
        migrations.AddIndex(
            model_name='stagetask',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'claimed', 'failed', 'dead', 'waiting_for_person'))), fields=['tenant', '-id'], name='stage_task_open'),
        ),
        migrations.AddIndex(
            model_name='stagetask',
            index=models.Index(fields=['ticket', 'id'], name='stage_task_of_ticket'),
        ),
        migrations.AddConstraint(
            model_name='stagetask',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'claimed', 'failed', 'dead', 'waiting_for_person', 'done', 'canceled'])), name='stage_task_state_known'),
        ),
        migrations.AddConstraint(
            model_name='stagetask',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'claimed'), _negated=True), models.Q(('claimed_account__isnull', False), ('lease_until__isnull', False)), _connector='OR'), name='stage_task_claimed_by_someone_until'),
        ),
        migrations.AddConstraint(
            model_name='stagetask',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'claimed', 'failed', 'dead', 'waiting_for_person'))), fields=('ticket', 'step'), name='stage_task_one_open_per_step'),
        ),
        migrations.AddConstraint(
            model_name='stagetask',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'done')), fields=('ticket', 'step', 'round'), name='stage_task_done_once_per_round'),
        ),
    ]
