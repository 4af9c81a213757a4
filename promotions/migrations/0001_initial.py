import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.utils.timezone
import uuid
from core.schema import AtOnce
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
    ]

    operations = [AtOnce([
        migrations.CreateModel(
            name='AuditRemote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(help_text='Without a password.', max_length=500, unique=True)),
                ('pushed_commit', models.CharField(blank=True, help_text="The remote's main when we last saw it.", max_length=64)),
                ('pushed_at', models.DateTimeField(blank=True, null=True)),
                ('checked_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0, help_text='Failed ones since it last worked.')),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_error', models.TextField(blank=True)),
                ('rewritten_at', models.DateTimeField(blank=True, help_text='Since when it lacks what was pushed.', null=True)),
                ('rewritten_to', models.CharField(blank=True, help_text='The main it has instead.', max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name='NumberCounter',
            fields=[
                ('year', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('last', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='PromotionRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(help_text='PR-YYYY-NNNN.', max_length=20, unique=True)),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('deploying', 'Deploying'), ('deployed', 'Deployed'), ('failed', 'Failed'), ('scheduled', 'Scheduled'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired'), ('rolled_back', 'Rolled Back')], default='pending', max_length=20)),
                ('target_type', models.CharField(choices=[('api', 'Api'), ('application', 'Application'), ('policy', 'Policy')], max_length=20)),
                ('target_name', models.CharField(max_length=200)),
                ('version', models.CharField(max_length=100)),
                ('source_environment', models.CharField(default='staging', max_length=50)),
                ('target_environment', models.CharField(default='prod', max_length=50)),
                ('justification', models.TextField()),
                ('release_notes', models.TextField()),
                ('impact', models.CharField(choices=[('low', 'Low'), ('medium', 'Medium'), ('high', 'High'), ('critical', 'Critical')], max_length=10)),
                ('rollback_plan', models.TextField()),
                ('scheduled_at', models.DateTimeField(blank=True, null=True)),
                ('staging_tests_passed', models.BooleanField()),
                ('security_scan_passed', models.BooleanField()),
                ('performance_tests_passed', models.BooleanField()),
                ('test_evidence_url', models.URLField(max_length=1000)),
                ('tickets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100), blank=True, default=list, size=None)),
                ('digest', models.CharField(help_text='SHA-256 of what is to be reviewed.', max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField(blank=True, help_text='When it lapses if nobody decides.', null=True)),
                ('remind_at', models.DateTimeField(blank=True, help_text='When its approvers are reminded next.', null=True)),
                ('reminders', models.PositiveSmallIntegerField(default=0, help_text='How often they were reminded.')),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('approval_comment', models.TextField(blank=True)),
                ('approved_digest', models.CharField(blank=True, max_length=64)),
                ('rejected_at', models.DateTimeField(blank=True, null=True)),
                ('rejection_reason', models.TextField(blank=True)),
                ('glass_broken_at', models.DateTimeField(blank=True, null=True)),
                ('glass_reason', models.TextField(blank=True)),
                ('glass_digest', models.CharField(blank=True, max_length=64)),
                ('review_due_at', models.DateTimeField(blank=True, help_text='Until when someone else has to look at it.', null=True)),
                ('review_remind_at', models.DateTimeField(blank=True, help_text='When the review is called in next.', null=True)),
                ('review_reminders', models.PositiveSmallIntegerField(default=0, help_text='How often it was called in.')),
                ('objected_at', models.DateTimeField(blank=True, null=True)),
                ('objection', models.TextField(blank=True)),
                ('deployed_at', models.DateTimeField(blank=True, null=True)),
                ('replaced_version', models.CharField(blank=True, help_text='What production ran before.', max_length=100)),
                ('approved_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to=settings.AUTH_USER_MODEL)),
                ('glass_broken_by', models.ForeignKey(blank=True, help_text='Who had it deployed before anyone approved it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('objected_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rejected_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('reverses', models.ForeignKey(blank=True, help_text='The deployed request that this one takes back.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='promotions.promotionrequest')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='promotions', to='accounts.tenant')),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('force_promotionrequest', 'Can force the state of a request')],
                'indexes': [models.Index(fields=['tenant', '-id'], name='promotion_of_tenant'), models.Index(fields=['state', '-id'], name='promotion_by_state'), models.Index(fields=['tenant', 'state', '-id'], name='promotion_tenant_state'), models.Index(fields=['author', '-id'], name='promotion_of_author'), models.Index(fields=['-created_at'], name='promotion_by_time'), models.Index(condition=models.Q(('state', 'scheduled')), fields=['scheduled_at'], name='promotion_due'), models.Index(condition=models.Q(('state', 'pending')), fields=['expires_at'], name='promotion_lapsing'), models.Index(condition=models.Q(('state', 'pending')), fields=['remind_at'], name='promotion_to_remind'), models.Index(condition=models.Q(('review_remind_at__isnull', False)), fields=['review_remind_at'], name='promotion_review_to_remind'), models.Index(condition=models.Q(('approved_by', None), ('glass_broken_by__isnull', False), ('objected_by', None)), fields=['tenant', '-id'], name='promotion_review_owed'), models.Index(condition=models.Q(('approved_at__isnull', False)), fields=['approved_at'], name='promotion_approved'), models.Index(condition=models.Q(('rejected_at__isnull', False)), fields=['rejected_at'], name='promotion_rejected'), models.Index(condition=models.Q(('deployed_at__isnull', False)), fields=['deployed_at'], name='promotion_deployed'), django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.search.SearchVector('number', 'target_name', 'version', 'justification', 'release_notes', config='simple'), name='promotion_text'), django.contrib.postgres.indexes.GinIndex(fields=['tickets'], name='promotion_of_ticket')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'approved', 'rejected', 'deploying', 'deployed', 'failed', 'scheduled', 'withdrawn', 'expired', 'rolled_back'])), name='promotion_state_known'), models.CheckConstraint(condition=models.Q(('approved_by', None), models.Q(('approved_by', models.F('author')), _negated=True), _connector='OR'), name='promotion_approver_is_not_author'), models.CheckConstraint(condition=models.Q(('rejected_by', None), models.Q(('rejected_by', models.F('author')), _negated=True), _connector='OR'), name='promotion_rejecter_is_not_author'), models.CheckConstraint(condition=models.Q(models.Q(('approved_at', None), ('approved_by', None), ('approved_digest', '')), models.Q(('approved_at__isnull', False), ('approved_by__isnull', False), models.Q(('approved_digest', ''), _negated=True)), _connector='OR'), name='promotion_approval_whole'), models.CheckConstraint(condition=models.Q(models.Q(('rejected_at', None), ('rejected_by', None), ('rejection_reason', '')), models.Q(('rejected_at__isnull', False), ('rejected_by__isnull', False), models.Q(('rejection_reason', ''), _negated=True)), _connector='OR'), name='promotion_rejection_whole'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['scheduled', 'approved', 'deploying', 'deployed', 'failed', 'rolled_back']), _negated=True), models.Q(('approved_by__isnull', False), ('approved_digest', models.F('digest'))), models.Q(('glass_broken_by__isnull', False), ('glass_digest', models.F('digest'))), _connector='OR'), name='promotion_nothing_without_approval_of_this_content'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'rejected'), _negated=True), ('rejected_by__isnull', False), _connector='OR'), name='promotion_rejected_by_someone'), models.CheckConstraint(condition=models.Q(('approved_by', None), ('glass_broken_by', None), models.Q(('approved_by', models.F('glass_broken_by')), _negated=True), _connector='OR'), name='promotion_approver_did_not_break_the_glass'), models.CheckConstraint(condition=models.Q(('objected_by', None), models.Q(('approved_by', None), ('glass_broken_by__isnull', False), models.Q(('objected_by', models.F('author')), _negated=True), models.Q(('objected_by', models.F('glass_broken_by')), _negated=True)), _connector='OR'), name='promotion_objection_is_someone_elses'), models.CheckConstraint(condition=models.Q(models.Q(('glass_broken_at', None), ('glass_broken_by', None), ('glass_digest', ''), ('glass_reason', ''), ('review_due_at', None)), models.Q(('glass_broken_at__isnull', False), ('glass_broken_by__isnull', False), ('review_due_at__isnull', False), models.Q(('glass_reason', ''), _negated=True), models.Q(('glass_digest', ''), _negated=True)), _connector='OR'), name='promotion_broken_glass_whole'), models.CheckConstraint(condition=models.Q(models.Q(('objected_at', None), ('objected_by', None), ('objection', '')), models.Q(('objected_at__isnull', False), ('objected_by__isnull', False), models.Q(('objection', ''), _negated=True)), _connector='OR'), name='promotion_objection_whole'), models.UniqueConstraint(condition=models.Q(('state__in', ('pending', 'scheduled', 'approved', 'deploying'))), fields=('tenant', 'target_type', 'target_name'), name='promotion_one_active_per_target')],
            },
        ),
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveIntegerField()),
                ('nonce', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('launching', 'Launching'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('canceled', 'Canceled')], default='queued', max_length=20)),
                ('deployer', models.CharField(max_length=40)),
                ('options', models.JSONField(blank=True, default=dict)),
                ('job_id', models.CharField(blank=True, help_text='What the deployer calls the run.', max_length=100)),
                ('error', models.TextField(blank=True)),
                ('note', models.TextField(blank=True, help_text='What it waits for, such as an AWX that does not answer.')),
                ('log', models.TextField(blank=True)),
                ('log_offset', models.BigIntegerField(default=0, help_text="How far the deployer's output has been read.")),
                ('result', models.JSONField(blank=True, default=dict)),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('deadline_at', models.DateTimeField(blank=True, null=True)),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tries', models.PositiveIntegerField(default=0, help_text='How often the launch was attempted.')),
                ('launch_sent_at', models.DateTimeField(blank=True, help_text='When the deployer was last told to start.', null=True)),
                ('promotion', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='promotions.promotionrequest')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ('queued', 'launching', 'running'))), fields=['next_at'], name='deployment_to_look_at')],
                'constraints': [models.UniqueConstraint(fields=('promotion', 'attempt'), name='deployment_attempt_once'), models.UniqueConstraint(condition=models.Q(('state__in', ('queued', 'launching', 'running'))), fields=('promotion',), name='deployment_one_active'), models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'launching', 'running', 'succeeded', 'failed', 'canceled'])), name='deployment_state_known')],
            },
        ),
        migrations.CreateModel(
            name='RunningVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=50)),
                ('target_type', models.CharField(choices=[('api', 'Api'), ('application', 'Application'), ('policy', 'Policy')], max_length=20)),
                ('target_name', models.CharField(max_length=200)),
                ('version', models.CharField(max_length=100)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('promotion', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='promotions.promotionrequest')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='running_versions', to='accounts.tenant')),
            ],
            options={
                'ordering': ['environment', 'target_type', 'target_name'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'environment', 'target_type', 'target_name'), name='running_version_once')],
            },
        ),
        migrations.CreateModel(
            name='DeploymentTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('target_type', models.CharField(blank=True, choices=[('api', 'Api'), ('application', 'Application'), ('policy', 'Policy')], max_length=20)),
                ('target_name', models.CharField(blank=True, max_length=200)),
                ('deployer', models.CharField(help_text='A name of the DEPLOYERS setting.', max_length=40)),
                ('options', models.JSONField(blank=True, default=dict, help_text='For the deployer, such as a command or template.')),
                ('time_limit', models.PositiveIntegerField(default=1800, help_text='Seconds after which a run counts as failed.')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deployment_targets', to='accounts.tenant')),
            ],
            options={
                'ordering': ['tenant', 'target_type', 'target_name'],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'target_type', 'target_name'), name='deployment_target_once')],
            },
        ),
    ])]
