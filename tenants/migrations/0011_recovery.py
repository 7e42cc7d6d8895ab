from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0010_mail'),
    ]

    operations = [
        migrations.AddField(
            model_name='ownerrecovery',
            name='told_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='tenant',
            name='owner_lost_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
