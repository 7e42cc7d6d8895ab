"""What the database itself refuses beyond what a constraint can say: steps that no tenant takes, the last owner of an
active tenant gone, a tenant deleted or given another org id, an entry of the audit trail changed.

SQLite drops a table's triggers when a later migration makes the table anew: that migration has to put them back.
"""

from django.db import migrations

STEPS = {
    "pending": ("active", "closing"),
    "active": ("suspended", "closing"),
    "suspended": ("active", "closing"),
    "closing": ("pending", "active", "suspended", "closed"),
}
NO_SUCH_STEP = "OLD.state <> NEW.state AND NOT (%s)" % " OR ".join(
    "(OLD.state = '%s' AND NEW.state IN (%s))" % (now, ", ".join("'%s'" % then for then in steps))
    for now, steps in STEPS.items()
)
OWNS = "role = 'owner' AND enabled AND NOT removed"
NOBODY_OWNS = "NOT EXISTS (SELECT 1 FROM tenants_member WHERE tenant_id = NEW.id AND %s)" % OWNS
WAS_OWNER = "OLD.role = 'owner' AND OLD.enabled AND NOT OLD.removed AND OLD.tenant_id IS NOT NULL"
STAYS_OWNER = "(NEW.role = 'owner' AND NEW.enabled AND NOT NEW.removed AND NEW.tenant_id = OLD.tenant_id)"
NO_OTHER_OWNER = "NOT EXISTS (SELECT 1 FROM tenants_member WHERE tenant_id = OLD.tenant_id AND id <> OLD.id AND %s)" % OWNS
IS_ACTIVE = "EXISTS (SELECT 1 FROM tenants_tenant WHERE id = OLD.tenant_id AND state = 'active')"
# What the head says is what is let go of.
GOES_BACK = "NEW.seq < OLD.seq OR NEW.kept_after < OLD.kept_after OR NEW.kept_after > NEW.seq"
NOT_PASSED = "OLD.seq > COALESCE((SELECT kept_after FROM tenants_audithead WHERE id = 1), 0)"

# name, table, event, condition, what the error says
TRIGGERS = [
    ("tenant_begins", "tenants_tenant", "INSERT", "NEW.state <> 'pending'", "a tenant begins as pending"),
    ("tenant_steps", "tenants_tenant", "UPDATE OF state", NO_SUCH_STEP, "a tenant does not take this step"),
    (
        "tenant_is_owned", "tenants_tenant", "UPDATE OF state",
        "NEW.state = 'active' AND OLD.state <> 'active' AND " + NOBODY_OWNS, "an active tenant has an owner",
    ),
    ("tenant_keeps_org", "tenants_tenant", "UPDATE OF org_id", "OLD.org_id <> NEW.org_id", "an org id never changes"),
    ("tenant_stays", "tenants_tenant", "DELETE", "1 = 1", "a tenant is closed, never deleted"),
    ("audit_unchanged", "tenants_auditevent", "UPDATE", "1 = 1", "the audit trail is append-only"),
    ("audit_undeleted", "tenants_auditevent", "DELETE", NOT_PASSED, "the audit trail is append-only"),
    ("audit_head_grows", "tenants_audithead", "UPDATE", GOES_BACK, "the audit trail is append-only"),
    ("audit_head_stays", "tenants_audithead", "DELETE", "1 = 1", "the audit trail is append-only"),
    (
        "audit_org_head_grows", "tenants_auditorghead", "UPDATE", GOES_BACK + " OR NEW.org <> OLD.org",
        "the audit trail is append-only",
    ),
    ("audit_org_head_stays", "tenants_auditorghead", "DELETE", "1 = 1", "the audit trail is append-only"),
]
LAST_OWNER = "an active tenant keeps an owner"
ONLY_SQLITE = [
    ("owner_stays", "tenants_member", "UPDATE OF role, enabled, removed, tenant_id",
     "%s AND NOT %s AND %s AND %s" % (WAS_OWNER, STAYS_OWNER, IS_ACTIVE, NO_OTHER_OWNER), LAST_OWNER),
    ("owner_goes", "tenants_member", "DELETE", "%s AND %s AND %s" % (WAS_OWNER, IS_ACTIVE, NO_OTHER_OWNER), LAST_OWNER),
    # Its INSERT OR REPLACE deletes without asking the triggers for that.
    ("audit_unreplaced", "tenants_auditevent", "INSERT",
     "EXISTS (SELECT 1 FROM tenants_auditevent WHERE seq = NEW.seq)", "the audit trail is append-only"),
    ("audit_head_unreplaced", "tenants_audithead", "INSERT", "EXISTS (SELECT 1 FROM tenants_audithead)",
     "the audit trail is append-only"),
    ("audit_org_head_unreplaced", "tenants_auditorghead", "INSERT",
     "EXISTS (SELECT 1 FROM tenants_auditorghead WHERE org = NEW.org)", "the audit trail is append-only"),
    ("tenant_org_canonical", "tenants_tenant", "INSERT",
     "length(NEW.org_id) <> 32 OR NEW.org_id GLOB '*[^0-9a-f]*'", "an org id is a UUID in lower case"),
]
# Two owners who step down at once must not both see the other: the tenant's row is locked first.
POSTGRESQL_OWNER = """
CREATE FUNCTION tenants_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF %(was_owner)s AND (TG_OP = 'DELETE' OR NOT %(stays_owner)s) THEN
    PERFORM 1 FROM tenants_tenant WHERE id = OLD.tenant_id AND state = 'active' FOR UPDATE;
    IF FOUND AND %(no_other_owner)s THEN
      RAISE EXCEPTION '%(says)s' USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER owner_stays BEFORE UPDATE OF role, enabled, removed, tenant_id OR DELETE ON tenants_member
  FOR EACH ROW EXECUTE FUNCTION tenants_owner_stays();
""" % {"was_owner": WAS_OWNER, "stays_owner": STAYS_OWNER, "no_other_owner": NO_OTHER_OWNER, "says": LAST_OWNER}


def create(apps, schema_editor):
    for statement in _statements(schema_editor.connection.vendor):
        schema_editor.execute(statement, params=None)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for name, *_ in TRIGGERS + ONLY_SQLITE:
            schema_editor.execute("DROP TRIGGER IF EXISTS %s" % name, params=None)
        return
    for name, table, *_ in TRIGGERS:
        schema_editor.execute("DROP FUNCTION IF EXISTS tenants_%s() CASCADE" % name, params=None)
    schema_editor.execute("DROP FUNCTION IF EXISTS tenants_owner_stays() CASCADE", params=None)


def _statements(vendor):
    if vendor == "sqlite":
        return [_sqlite(*trigger) for trigger in TRIGGERS + ONLY_SQLITE]
    return [_postgresql(*trigger) for trigger in TRIGGERS] + [POSTGRESQL_OWNER]


def _sqlite(name, table, event, condition, says):
    return "CREATE TRIGGER %s BEFORE %s ON %s WHEN %s BEGIN SELECT RAISE(ABORT, '%s'); END" % (
        name, event, table, condition, says,
    )


def _postgresql(name, table, event, condition, says):
    # The condition is asked in the function: a WHEN may not hold a query.
    return """
CREATE FUNCTION tenants_%(name)s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF %(condition)s THEN
    RAISE EXCEPTION '%(says)s' USING ERRCODE = 'check_violation';
  END IF;
  %(answer)s
END $$;
CREATE TRIGGER %(name)s BEFORE %(event)s ON %(table)s FOR EACH ROW EXECUTE FUNCTION tenants_%(name)s();
""" % {
        "name": name, "table": table, "event": event, "condition": condition, "says": says,
        "answer": "RETURN OLD;" if event == "DELETE" else "RETURN NEW;",
    }


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0001_initial'),
    ]

    operations = [migrations.RunPython(create, drop)]
