"""People come in by themselves: sign-ups, invitations, owner recoveries, the portal's own mails, and what was seen of an
invitation. Users who have not come yet are listed by a comparison, and names of tenants can be compared by an index.

SQLite makes the tables of tenants and members anew, so their triggers are dropped before and put back afterwards.
"""

from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
import tenants.domain.roles
import uuid
from django.conf import settings
from django.db import migrations, models

TRIGGERS, SEARCH = (import_module('tenants.migrations.%s' % name) for name in ('0005_triggers', '0006_search'))


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == 'sqlite':
        SEARCH.drop(apps, schema_editor)
        TRIGGERS.drop(apps, schema_editor)


def create_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == 'sqlite':
        TRIGGERS.create(apps, schema_editor)
        SEARCH.create(apps, schema_editor)


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_halt'),
    ]

    operations = [
        migrations.RunPython(drop_triggers, create_triggers),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('name', models.CharField(blank=True, max_length=120)),
                ('language', models.CharField(default='en', max_length=16)),
                ('role', models.CharField(choices=[(tenants.domain.roles.Role['OWNER'], tenants.domain.roles.Role['OWNER']), (tenants.domain.roles.Role['ADMIN'], tenants.domain.roles.Role['ADMIN']), (tenants.domain.roles.Role['EDITOR'], tenants.domain.roles.Role['EDITOR']), (tenants.domain.roles.Role['VIEWER'], tenants.domain.roles.Role['VIEWER'])], max_length=16)),
                ('terminal', models.CharField(blank=True, max_length=254)),
                ('invited_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('mail_invitation', models.BooleanField(default=True)),
                ('why', models.CharField(blank=True, max_length=500)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='MailOutage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('began_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('next_try_at', models.DateTimeField()),
                ('failures', models.PositiveIntegerField(default=0)),
                ('why', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='OutgoingMail',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('message_id', models.CharField(max_length=200, unique=True)),
                ('to', models.EmailField(max_length=254)),
                ('kind', models.CharField(max_length=60)),
                ('org', models.UUIDField(null=True)),
                ('subject', models.CharField(blank=True, max_length=200)),
                ('text', models.TextField(blank=True)),
                ('html', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(null=True)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('leased_by', models.CharField(blank=True, max_length=64)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='OwnerRecovery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('name', models.CharField(blank=True, max_length=120)),
                ('reason', models.CharField(max_length=500)),
                ('asked_by', models.CharField(max_length=120)),
                ('asked_by_name', models.CharField(max_length=254)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_at', models.DateTimeField()),
                ('told_at', models.DateTimeField(null=True)),
                ('key_hash', models.CharField(max_length=64, unique=True)),
                ('result', models.CharField(choices=[('waiting', 'waiting'), ('done', 'done'), ('vetoed', 'stopped by the organisation'), ('cancelled', 'taken back'), ('ended', 'ended: the conditions were no longer met')], default='waiting', max_length=16)),
                ('why', models.CharField(blank=True, max_length=500)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RateCount',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('began_at', models.BigIntegerField()),
                ('times', models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='SignUp',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('email', models.EmailField(max_length=254)),
                ('organisation', models.CharField(max_length=120)),
                ('name', models.CharField(max_length=120)),
                ('language', models.CharField(default='en', max_length=16)),
                ('org_id', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('sub', models.UUIDField(null=True)),
                ('state', models.CharField(choices=[('waiting', 'waiting for the worker'), ('invited', 'invited'), ('known', 'known address'), ('failed', 'failed')], default='waiting', max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('mailed_at', models.DateTimeField(null=True)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('leased_by', models.CharField(blank=True, max_length=64)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_error', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='drift',
            name='drift_kind_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='halt',
            name='one_halt',
        ),
        migrations.AddField(
            model_name='member',
            name='disabled_by_operator',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='member',
            name='mail_problem',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='member',
            name='mailed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='member',
            name='resend',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='member',
            name='signed_in_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='external_id',
            field=models.CharField(max_length=120, null=True, unique=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='name_skeleton',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name='tenant',
            name='name_warning',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='tenant',
            name='owner_lost_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='owner_signed_in_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='drift',
            name='kind',
            field=models.CharField(choices=[('unknown-user', 'a user the portal does not know'), ('missing-user', 'a member without a user in Cognito'), ('org', 'another organisation in Cognito'), ('role', 'another role in Cognito'), ('enabled', 'enabled or disabled in Cognito only'), ('waiting', 'signed up, and waiting for the first sign-in')], max_length=16),
        ),
        migrations.AddIndex(
            model_name='tenant',
            index=models.Index(fields=['name_skeleton'], name='tenant_by_likeness'),
        ),
        migrations.AddConstraint(
            model_name='drift',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['unknown-user', 'missing-user', 'org', 'role', 'enabled', 'waiting'])), name='drift_kind_is_known'),
        ),
        migrations.AddConstraint(
            model_name='halt',
            constraint=models.CheckConstraint(condition=models.Q(('pk__in', [1, 2])), name='halt_is_known'),
        ),
        migrations.AddField(
            model_name='invitation',
            name='invited_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='invitation',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='tenants.tenant'),
        ),
        migrations.AddConstraint(
            model_name='mailoutage',
            constraint=models.CheckConstraint(condition=models.Q(('pk', 1)), name='one_mail_outage'),
        ),
        migrations.AddIndex(
            model_name='outgoingmail',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='mail_due'),
        ),
        migrations.AddIndex(
            model_name='outgoingmail',
            index=models.Index(fields=['created_at'], name='mail_by_age'),
        ),
        migrations.AddIndex(
            model_name='outgoingmail',
            index=models.Index(condition=models.Q(('due_at__isnull', True), ('sent_at__isnull', True)), fields=['created_at'], name='mail_given_up'),
        ),
        migrations.AddField(
            model_name='ownerrecovery',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recoveries', to='tenants.tenant'),
        ),
        migrations.AddIndex(
            model_name='ratecount',
            index=models.Index(fields=['began_at'], name='rate_by_age'),
        ),
        migrations.AddIndex(
            model_name='signup',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='sign_up_due'),
        ),
        migrations.AddIndex(
            model_name='signup',
            index=models.Index(fields=['expires_at'], name='sign_up_expires'),
        ),
        migrations.AddIndex(
            model_name='signup',
            index=models.Index(fields=['email', 'created_at'], name='sign_up_of_address'),
        ),
        migrations.AddConstraint(
            model_name='signup',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'invited', 'known', 'failed'])), name='sign_up_state_is_known'),
        ),
        migrations.AddConstraint(
            model_name='signup',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='sign_up_ends_after_it_began'),
        ),
        migrations.AddIndex(
            model_name='invitation',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at', 'id'], name='invitation_due'),
        ),
        migrations.AddConstraint(
            model_name='invitation',
            constraint=models.UniqueConstraint(fields=('tenant', 'email'), name='one_invitation_an_address'),
        ),
        migrations.AddConstraint(
            model_name='invitation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('role', tenants.domain.roles.Role['OPERATOR']), _negated=True), ('role__in', (tenants.domain.roles.Role['OWNER'], tenants.domain.roles.Role['ADMIN'], tenants.domain.roles.Role['EDITOR'], tenants.domain.roles.Role['VIEWER']))), name='invited_into_an_organisation'),
        ),
        migrations.AddConstraint(
            model_name='ownerrecovery',
            constraint=models.UniqueConstraint(condition=models.Q(('result', 'waiting')), fields=('tenant',), name='one_recovery_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='ownerrecovery',
            constraint=models.CheckConstraint(condition=models.Q(('result__in', ['waiting', 'done', 'vetoed', 'cancelled', 'ended'])), name='recovery_result_is_known'),
        ),
        migrations.AddConstraint(
            model_name='ownerrecovery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('result', 'waiting')), models.Q(models.Q(('result', 'waiting'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='ended_recovery_has_its_date'),
        ),
        migrations.RunPython(create_triggers, drop_triggers),
    ]
