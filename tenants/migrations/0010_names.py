"""What the names of tenants look like, so that a new one can be compared with all of them by an index.

SQLite makes the table of tenants anew, so its triggers are dropped before and put back afterwards.
"""

from importlib import import_module

from django.db import migrations, models

from tenants.domain.letters import oddity, skeleton

JOINING = import_module('tenants.migrations.0008_joining')
AT_ONCE = 1000


def fill(apps, schema_editor):
    Tenant = apps.get_model('tenants', 'Tenant')
    rows, last = Tenant.objects.order_by('pk').only('pk', 'name'), 0
    while batch := list(rows.filter(pk__gt=last)[:AT_ONCE]):
        for tenant in batch:
            tenant.name_skeleton, tenant.name_warning = skeleton(tenant.name)[:200], oddity(tenant.name)[:200]
        Tenant.objects.bulk_update(batch, ['name_skeleton', 'name_warning'], batch_size=200)
        last = batch[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0009_joined'),
    ]

    operations = [
        migrations.RunPython(JOINING.drop_triggers, JOINING.create_triggers),
        migrations.AddField(
            model_name='tenant',
            name='name_skeleton',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='tenant',
            index=models.Index(fields=['name_skeleton'], name='tenant_by_likeness'),
        ),
        migrations.RunPython(JOINING.create_triggers, JOINING.drop_triggers),
    ]
