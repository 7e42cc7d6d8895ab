"""Users who signed up and have not signed in yet are listed by a comparison, and are no difference."""

from django.db import migrations, models

KINDS = ['unknown-user', 'missing-user', 'org', 'role', 'enabled']


def check(kinds):
    return models.CheckConstraint(condition=models.Q(kind__in=kinds), name='drift_kind_is_known')


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0009_joined'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='drift', name='drift_kind_is_known'),
        migrations.AlterField(
            model_name='drift',
            name='kind',
            field=models.CharField(
                choices=[
                    ('unknown-user', 'a user the portal does not know'),
                    ('missing-user', 'a member without a user in Cognito'),
                    ('org', 'another organisation in Cognito'),
                    ('role', 'another role in Cognito'),
                    ('enabled', 'enabled or disabled in Cognito only'),
                    ('waiting', 'signed up, and waiting for the first sign-in'),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(model_name='drift', constraint=check([*KINDS, 'waiting'])),
    ]
