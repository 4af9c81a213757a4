import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import iep.models
from core.schema import AtOnce
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    replaces = [
        ('iep', '0001_initial'),
        ('iep', '0002_module_folds'),
        ('iep', '0003_parts'),
    ]

    dependencies = [
        ('accounts', '0001_initial'),
        ('tickets', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [AtOnce([
        migrations.CreateModel(
            name='Application',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(help_text='As in /apps/<slug>/.', max_length=40, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\\Z')])),
                ('name', models.CharField(max_length=150)),
                ('page', models.TextField(blank=True, help_text='The HTML entry, with <!-- importmap --> in its head.')),
                ('sign_off', models.BooleanField(default=True, help_text='Production only through an approved promotion request.')),
                ('policies', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), blank=True, default=list, help_text='Names of the IEP_POLICIES setting.', size=None)),
                ('policy_options', models.JSONField(blank=True, default=dict, help_text='By policy, such as {"freeze": {"until": …}}.')),
                ('repository', models.CharField(blank=True, help_text='Address of the git repository.', max_length=500)),
                ('repository_path', models.CharField(blank=True, help_text='Folder of the application in it.', max_length=300)),
                ('revision', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('project', models.ForeignKey(blank=True, help_text='Where the tickets belong that a first stamp opens; empty: stamps need a ticket that is there.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='applications', to='tickets.project')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='applications', to='accounts.tenant')),
                ('allowed_origins', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=255, validators=[django.core.validators.RegexValidator('^(?:\\*|https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)\\Z')]), blank=True, default=list, help_text='Other sites whose pages may load its modules, such as https://www.example.com; * for every site.', size=None)),
            ],
            options={
                'ordering': ['slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('slug__in', ('m', 'map', 'login', 'new', 'static')), _negated=True), name='application_slug_free')],
            },
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, validators=[django.core.validators.RegexValidator('^[0-9a-f]{64}\\Z', 'A SHA-256 is 64 digits of 0-9 and a-f.')])),
                ('size', models.PositiveBigIntegerField()),
                ('imports', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=600), editable=False, null=True, size=None)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='blobs', to='iep.application')),
                ('lazy', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=600), default=list, editable=False, size=None)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('application', 'digest'), name='blob_once')],
            },
        ),
        migrations.CreateModel(
            name='ImportMap',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False, validators=[django.core.validators.RegexValidator('^[0-9a-f]{64}\\Z', 'A SHA-256 is 64 digits of 0-9 and a-f.')])),
                ('document', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='maps', to='iep.application')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['application', '-created_at'], name='map_of_application')],
            },
        ),
        migrations.CreateModel(
            name='LoginRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('device_digest', models.CharField(max_length=64, unique=True)),
                ('user_code', models.CharField(max_length=9, unique=True)),
                ('client', models.CharField(max_length=100)),
                ('decision', models.CharField(blank=True, max_length=10)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('polled_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Module',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=512)),
                ('digest', models.CharField(max_length=64, validators=[django.core.validators.RegexValidator('^[0-9a-f]{64}\\Z', 'A SHA-256 is 64 digits of 0-9 and a-f.')])),
                ('size', models.PositiveBigIntegerField()),
                ('revision', models.PositiveIntegerField()),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='modules', to='iep.application')),
                ('folded', iep.models.FoldedField(default='', editable=False, max_length=1536)),
            ],
            options={
                'ordering': ['path'],
                'constraints': [models.UniqueConstraint(fields=('application', 'path'), name='module_once'), models.UniqueConstraint(fields=('application', 'folded'), name='module_without_twin')],
            },
        ),
        migrations.CreateModel(
            name='Release',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('baseline', 'Baseline'), ('release', 'Release'), ('revert', 'Revert')], max_length=10)),
                ('stamp_revision', models.PositiveIntegerField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
                ('request', models.CharField(blank=True, help_text='The promotion request that asked for it.', max_length=40)),
                ('approvals', models.JSONField(blank=True, default=list)),
                ('nonce', models.CharField(blank=True, help_text='Of the deployment attempt.', max_length=64, null=True, unique=True)),
                ('map_digest', models.CharField(blank=True, help_text='Of its import map, once that was asked for.', max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='iep.application')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('undoes', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='iep.release')),
                ('stamp', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='iep.stamp')),
            ],
            options={
                'ordering': ['-revision'],
                'constraints': [models.UniqueConstraint(fields=('application', 'revision'), name='release_once')],
            },
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('path', models.CharField(max_length=512)),
                ('before', models.CharField(blank=True, max_length=64)),
                ('before_size', models.PositiveBigIntegerField(default=0)),
                ('after', models.CharField(blank=True, max_length=64)),
                ('after_size', models.PositiveBigIntegerField(default=0)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='iep.application')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='iep.release')),
            ],
            options={
                'ordering': ['release', 'path'],
                'indexes': [models.Index(fields=['application', 'path', '-revision'], name='change_of_path'), models.Index(fields=['application', '-revision'], name='change_of_revision')],
                'constraints': [models.UniqueConstraint(fields=('release', 'path'), name='change_once')],
            },
        ),
        migrations.CreateModel(
            name='Stamp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stage', models.CharField(choices=[('dev', 'Dev'), ('qa', 'Qa'), ('prod', 'Prod'), ('closed', 'Closed')], default='dev', max_length=10)),
                ('revision', models.PositiveIntegerField(default=0, help_text='Grows with each change of the delta.')),
                ('base_revision', models.PositiveIntegerField(default=0, help_text='Production when it began or was rebased.')),
                ('delta', models.JSONField(default=dict)),
                ('git', models.JSONField(blank=True, null=True)),
                ('sign_off', models.CharField(blank=True, help_text='The promotion request it waits for.', max_length=40)),
                ('released_revision', models.PositiveIntegerField(blank=True, help_text='The revision that brought it.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stamps', to='iep.application')),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('ticket', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stamps', to='tickets.ticket')),
            ],
            options={
                'ordering': ['-updated_at', '-id'],
                'indexes': [models.Index(fields=['application', 'stage', '-updated_at'], name='stamp_of_stage'), django.contrib.postgres.indexes.GinIndex(fields=['delta'], name='stamp_paths')],
                'constraints': [models.UniqueConstraint(fields=('application', 'ticket'), name='stamp_once'), models.CheckConstraint(condition=models.Q(('stage__in', ['dev', 'qa', 'prod', 'closed'])), name='stamp_stage_known'), models.CheckConstraint(condition=models.Q(models.Q(('stage', 'prod'), _negated=True), ('released_revision__isnull', False), _connector='OR'), name='stamp_in_prod_was_released'), models.CheckConstraint(condition=models.Q(('sign_off', ''), ('stage', 'qa'), _connector='OR'), name='stamp_waits_in_qa_only')],
            },
        ),
        migrations.CreateModel(
            name='StampRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('delta', models.JSONField()),
                ('production_revision', models.PositiveIntegerField()),
                ('git', models.JSONField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('stamp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='iep.stamp')),
            ],
            options={
                'ordering': ['stamp', 'number'],
                'constraints': [models.UniqueConstraint(fields=('stamp', 'number'), name='stamp_revision_once')],
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('public_key', models.CharField(help_text='The 32 bytes as hexadecimal digits.', max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signing_keys', to='iep.application')),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['application', 'name'],
                'constraints': [models.UniqueConstraint(fields=('application', 'public_key'), name='signing_key_once')],
            },
        ),
        migrations.CreateModel(
            name='SignedManifest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('commit', models.CharField(max_length=64)),
                ('digest', models.CharField(help_text='Of the signed bytes.', max_length=64, validators=[django.core.validators.RegexValidator('^[0-9a-f]{64}\\Z', 'A SHA-256 is 64 digits of 0-9 and a-f.')])),
                ('files', models.JSONField()),
                ('checks', models.JSONField(default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('application', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signed_manifests', to='iep.application')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='manifests', to='iep.signingkey')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['application', 'commit'], name='signed_manifest_of_commit')],
                'constraints': [models.UniqueConstraint(fields=('application', 'digest', 'key'), name='signed_manifest_once')],
            },
        ),
        migrations.CreateModel(
            name='Judgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField(help_text="The stamp's, which they judged.")),
                ('target', models.CharField(choices=[('dev', 'Dev'), ('qa', 'Qa'), ('prod', 'Prod'), ('closed', 'Closed')], max_length=10)),
                ('request', models.CharField(blank=True, help_text='The promotion request that rests on it.', max_length=40)),
                ('verdicts', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('stamp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='judgements', to='iep.stamp')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('request', ''), _negated=True), fields=['request'], name='judgement_of_request')],
            },
        ),
    ])]
