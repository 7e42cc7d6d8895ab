"""An index for finding tenants by a part of their name: trigrams, as pg_trgm has them, or as SQLite's FTS5 has them in a
table of its own that triggers keep in step.

Where the database has neither, everything works the same, but a search by name reads all names. Once it has, going back to
0002 and forth again makes the index.

SQLite drops a table's triggers when a later migration makes the table anew: that migration has to put these back as well.
"""

import logging

from django.db import DatabaseError, migrations, transaction

_log = logging.getLogger('tenants.migrations')
NAMES = 'tenants_tenant_names'
INDEX = 'tenant_name_trigrams'

# icontains asks for upper(name) LIKE upper(...), so the index is of that.
POSTGRESQL = ('CREATE INDEX %s ON tenants_tenant USING gin (upper(name) gin_trgm_ops)' % INDEX,)

# The table holds the index alone: the names stay where they are, and taking one out needs the old name.
TAKE_OUT = "INSERT INTO %s (%s, rowid, name, slug) VALUES ('delete', OLD.id, OLD.name, OLD.slug);" % (NAMES, NAMES)
PUT_IN = 'INSERT INTO %s (rowid, name, slug) VALUES (NEW.id, NEW.name, NEW.slug);' % NAMES
# name, event, what is done after it
TRIGGERS = (
    ('tenant_name_in', 'INSERT ON tenants_tenant', PUT_IN),
    ('tenant_name_changed', 'UPDATE OF name, slug ON tenants_tenant', TAKE_OUT + PUT_IN),
    ('tenant_name_out', 'DELETE ON tenants_tenant', TAKE_OUT),
)
SQLITE = (
    "CREATE VIRTUAL TABLE %s USING fts5(name, slug, content='tenants_tenant', content_rowid='id', tokenize='trigram')"
    % NAMES,
    "INSERT INTO %s (%s) VALUES ('rebuild')" % (NAMES, NAMES),
    *('CREATE TRIGGER %s AFTER %s BEGIN %s END' % trigger for trigger in TRIGGERS),
)


def create(apps, schema_editor):
    is_sqlite = schema_editor.connection.vendor == 'sqlite'
    if not (_sqlite_has_trigrams if is_sqlite else _postgresql_has_trigrams)(schema_editor):
        _log.warning('the database has no trigrams, so a search for tenants by name reads all names')
        return
    for statement in SQLITE if is_sqlite else POSTGRESQL:
        schema_editor.execute(statement, params=None)


def _sqlite_has_trigrams(schema_editor):
    return succeeds(schema_editor, "CREATE VIRTUAL TABLE temp.trigrams_tried USING fts5(name, tokenize='trigram')",
                    'DROP TABLE temp.trigrams_tried')


def _postgresql_has_trigrams(schema_editor):
    # The portal may lack the right to make it. Somebody else may have made it, in a schema that is searched.
    succeeds(schema_editor, 'CREATE EXTENSION IF NOT EXISTS pg_trgm')
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)")
        return cursor.fetchone() is not None


def succeeds(schema_editor, *statements):
    try:
        with transaction.atomic(using=schema_editor.connection.alias):
            for statement in statements:
                schema_editor.execute(statement, params=None)
    except DatabaseError:
        return False
    return True


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == 'sqlite':
        for name, *_ in TRIGGERS:
            schema_editor.execute('DROP TRIGGER IF EXISTS %s' % name, params=None)
        schema_editor.execute('DROP TABLE IF EXISTS %s' % NAMES, params=None)
    else:
        # The extension stays: it may have been there before, and others may use it.
        schema_editor.execute('DROP INDEX IF EXISTS %s' % INDEX, params=None)


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0002_triggers'),
    ]

    operations = [migrations.RunPython(create, drop)]
