"""Gives the rows that were there before what the constraints will ask for: slugs, dates, reasons, folded addresses."""

import secrets

from django.db import migrations
from django.utils import timezone


def fill(apps, schema_editor):
    Tenant, Person = apps.get_model('tenants', 'Tenant'), apps.get_model('tenants', 'Person')
    Member = apps.get_model('tenants', 'Member')
    now = timezone.now()
    for tenant in Tenant.objects.iterator():
        tenant.slug = f'org-{secrets.token_hex(8)}'
        if tenant.state != 'pending':
            tenant.activated_at = tenant.created_at
        if tenant.state in ('suspended', 'closing'):
            tenant.reason = 'not recorded'
        if tenant.state == 'suspended':
            tenant.suspended_at = now
        if tenant.state == 'closing':
            tenant.closing_at = tenant.purge_after = now
        if tenant.state == 'closed':
            tenant.closed_at = now
        tenant.save()
    taken = set()
    # Whoever is a member of something keeps an address that two rows have; the other one's is not known any more.
    members = set(Member.objects.values_list('person_id', flat=True))
    for person in sorted(Person.objects.exclude(email=''), key=lambda person: (person.pk not in members, person.pk)):
        folded = person.email.casefold()
        person.email = '' if folded in taken else folded
        taken.add(folded)
        person.save()
    # Signed in before, so their users are as they should be; a comparison will tell where not.
    for member in Member.objects.select_related('tenant'):
        member.seen_at, member.seen_enabled = now, member.enabled
        member.seen_org = str(member.tenant.org_id) if member.tenant else ''
        member.seen_role, member.seen_status = member.role, 'CONFIRMED'
        member.provisioning, member.due_at = 'settled', None
        member.save()


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0002_tenant_life'),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
