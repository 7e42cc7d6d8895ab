"""What is known of people who came before: a user whom Cognito calls CONFIRMED has signed in, the others were mailed.
And what the names of tenants look like, so that a new one can be compared with them.
"""

from django.db import migrations
from django.db.models import F

from tenants.domain.letters import oddity, skeleton

AT_ONCE = 1000


def fill(apps, schema_editor):
    Member, Tenant = apps.get_model('tenants', 'Member'), apps.get_model('tenants', 'Tenant')
    owners = Member.objects.filter(role='owner', seen_status='CONFIRMED').values('tenant')
    Tenant.objects.filter(pk__in=owners).update(owner_signed_in_at=F('activated_at'))
    Member.objects.filter(seen_status='FORCE_CHANGE_PASSWORD', mail_invitation=True).update(mailed_at=F('invited_at'))
    # Who disabled them is in the audit trail alone. Nobody loses what they could do before.
    Member.objects.filter(enabled=False).update(disabled_by_operator=True)


def compare_names(apps, schema_editor):
    Tenant = apps.get_model('tenants', 'Tenant')
    rows, last = Tenant.objects.order_by('pk').only('pk', 'name'), 0
    while batch := list(rows.filter(pk__gt=last)[:AT_ONCE]):
        for tenant in batch:
            tenant.name_skeleton, tenant.name_warning = skeleton(tenant.name)[:200], oddity(tenant.name)[:200]
        Tenant.objects.bulk_update(batch, ['name_skeleton', 'name_warning'], batch_size=200)
        last = batch[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0008_joining'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(compare_names, migrations.RunPython.noop),
    ]
