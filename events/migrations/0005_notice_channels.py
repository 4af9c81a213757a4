# Preferences and held notices per channel; roles as subscribers.

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('events', '0004_connections'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='heldnotice',
            name='held_notice_once',
        ),
        migrations.RemoveConstraint(
            model_name='noticepreference',
            name='notice_preference_once',
        ),
        migrations.RemoveConstraint(
            model_name='subscription',
            name='subscription_channel_known',
        ),
        migrations.AddField(
            model_name='heldnotice',
            name='channel',
            field=models.CharField(choices=[('email', 'E-mail'), ('slack', 'Slack')], default='email', max_length=10),
        ),
        migrations.AddField(
            model_name='noticepreference',
            name='channel',
            field=models.CharField(choices=[('email', 'E-mail'), ('slack', 'Slack')], default='email', max_length=10),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='channel',
            field=models.CharField(choices=[('slack', 'Slack channel'), ('email', 'E-mail address'), ('role', 'People of a role, by e-mail')], max_length=20),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='target',
            field=models.CharField(help_text='The id of a Slack channel, an e-mail address, or a role such as cpi.', max_length=254),
        ),
        migrations.AddConstraint(
            model_name='heldnotice',
            constraint=models.UniqueConstraint(fields=('user', 'fact', 'channel'), name='held_notice_once'),
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.UniqueConstraint(fields=('user', 'kind', 'channel'), name='notice_preference_once'),
        ),
        migrations.AddConstraint(
            model_name='noticepreference',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['email', 'slack'])), name='notice_channel_known'),
        ),
        migrations.AddConstraint(
            model_name='subscription',
            constraint=models.CheckConstraint(condition=models.Q(('channel__in', ['slack', 'email', 'role'])), name='subscription_channel_known'),
        ),
    ]
