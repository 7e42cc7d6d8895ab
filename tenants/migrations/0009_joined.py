"""What is known of people who came before: a user whom Cognito calls CONFIRMED has signed in, the others were mailed."""

from django.db import migrations
from django.db.models import F


def fill(apps, schema_editor):
    Member, Tenant = apps.get_model('tenants', 'Member'), apps.get_model('tenants', 'Tenant')
    owners = Member.objects.filter(role='owner', seen_status='CONFIRMED').values('tenant')
    Tenant.objects.filter(pk__in=owners).update(owner_signed_in_at=F('activated_at'))
    Member.objects.filter(seen_status='FORCE_CHANGE_PASSWORD', mail_invitation=True).update(mailed_at=F('invited_at'))
    # Who disabled them is in the audit trail alone. Nobody loses what they could do before.
    Member.objects.filter(enabled=False).update(disabled_by_operator=True)


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0008_joining'),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
