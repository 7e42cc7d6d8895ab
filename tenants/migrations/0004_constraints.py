import django.db.models.functions.text
import tenants.domain.tenant_state
import tenants.models.tenants
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0003_fill'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tenant',
            name='slug',
            field=models.SlugField(default=tenants.models.tenants.unclaimed_slug, max_length=40, unique=True),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.CheckConstraint(condition=models.Q(('provisioning__in', ['due', 'settled', 'stuck', 'conflict'])), name='member_provisioning_is_known'),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('provisioning', 'due'), _negated=True), ('due_at__isnull', False), _connector='OR'), name='due_member_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='member',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('provisioning__in', ['stuck', 'conflict']), _negated=True), models.Q(('last_error', ''), _negated=True), _connector='OR'), name='stuck_member_says_why'),
        ),
        migrations.AddConstraint(
            model_name='person',
            constraint=models.UniqueConstraint(django.db.models.functions.text.Lower('email'), condition=models.Q(('email', ''), _negated=True), name='one_person_an_email'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('name', ''), _negated=True), models.Q(('slug', ''), _negated=True)), name='tenant_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', (tenants.domain.tenant_state.TenantState['ACTIVE'], tenants.domain.tenant_state.TenantState['SUSPENDED'])), _negated=True), ('activated_at__isnull', False), _connector='OR'), name='tenant_was_activated'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', tenants.domain.tenant_state.TenantState['ACTIVE']), _negated=True), models.Q(('closing_at__isnull', True), ('suspended_at__isnull', True)), _connector='OR'), name='active_tenant_is_free'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', tenants.domain.tenant_state.TenantState['SUSPENDED']), _negated=True), models.Q(('suspended_at__isnull', False), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='suspension_has_date_and_reason'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', tenants.domain.tenant_state.TenantState['CLOSING']), _negated=True), models.Q(('closing_at__isnull', False), ('purge_after__gte', models.F('closing_at')), ('purge_after__isnull', False), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='closing_has_dates_and_reason'),
        ),
        migrations.AddConstraint(
            model_name='tenant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('state', tenants.domain.tenant_state.TenantState['CLOSED'])), models.Q(models.Q(('state', tenants.domain.tenant_state.TenantState['CLOSED']), _negated=True), ('closed_at__isnull', True)), _connector='OR'), name='closed_has_its_date'),
        ),
    ]
