"""A row that says that provisioning is halted, and why. Until now a lease of a hundred years did, and said nothing.

An old one is deleted: the next worker that is still held up halts again, in the new row.
"""

import django.utils.timezone
from django.db import migrations, models


def delete_old_halt(apps, schema_editor):
    apps.get_model('tenants', 'Lease').objects.filter(name='provisioning-halted').delete()


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_search'),
    ]

    operations = [
        migrations.CreateModel(
            name='Halt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('began_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('why', models.TextField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='one_halt')],
            },
        ),
        migrations.RunPython(delete_old_halt, migrations.RunPython.noop),
        # Only what forms and commands call the states: the column stays as it is, and SQLite keeps its triggers.
        migrations.AlterField(
            model_name='member',
            name='provisioning',
            field=models.CharField(choices=[('due', 'due'), ('settled', 'settled'), ('stuck', 'stuck'), ('conflict', 'conflict')], default='due', max_length=16),
        ),
    ]
