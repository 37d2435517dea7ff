"""The table of the shared cache, for the migrations that create it."""

from django.core.management import call_command


def create_cache_table(apps, schema_editor):
    """Create the table. Where it exists, `createcachetable` leaves it as it is.

    It is named here, so it is created also where the cache is in Redis: the clinic may do without Redis later.
    """
    call_command("createcachetable", "clinic_cache", database=schema_editor.connection.alias, verbosity=0)


def drop_cache_table(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS clinic_cache")
