"""The schema version of an event store: read by three queries, changed by Alembic.

Alembic takes 50 ms to import, so it is imported only where tables must be created or changed.

An existing store is expanded by the process that starts (0006), so that old and new services use it
side by side. `marquee events migrate --contract` drops what only old services need (0007). A new
store is made in that form. Each statement of a service suits both forms.
"""

from pathlib import Path

import sqlalchemy as sa

from marquee.core.errors import InputError

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""The revisions in migrations/versions, oldest first."""
EXPANDED, HEAD = VERSIONS[-2:]
VERSION_TABLE = "schema_version"
OLD_VERSION_TABLE = "alembic_version"
"""Read by services up to version 0004 when they start. It stays at 0004 while a store is expanded,
so that one of them can start again; after that it names the version of the tables."""
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK_KEY = 0x6D61727175656500
"""PostgreSQL's lock around a migration, because replicas start together."""


def ensure_schema(connection: sa.Connection, read_only: bool) -> None:
    """Create the tables, or expand older ones; leave expanded ones alone.

    Raises InputError where the tables are newer than HEAD, or older and must not be changed.
    """
    version = stored_version(connection)
    if version in (EXPANDED, HEAD):
        return
    if read_only:
        raise InputError(
            f"tables have version {version or 'none'}, expected {EXPANDED} or {HEAD}; create or "
            "update them with: marquee events migrate --events … (or marquee import-ratings)"
        )
    migrate(connection)


def stored_version(connection: sa.Connection) -> str | None:
    """Return the version of the tables; None without tables or without one.

    Raises InputError where a newer Marquee made them.
    """
    tables = sa.inspect(connection).get_table_names()
    versions = [
        connection.scalar(sa.text(f"SELECT version_num FROM {table}"))
        for table in (VERSION_TABLE, OLD_VERSION_TABLE)
        if table in tables
    ]
    for version in versions:
        if version not in (None, *VERSIONS):
            raise InputError(
                f"tables have version {version}, expected {HEAD} or older; a newer Marquee made "
                "them: update this one or name another database"
            )
    return versions[0] if versions else None


def is_expanded(connection: sa.Connection) -> bool:
    """Return whether services of version 0004 may still use these tables."""
    statement = sa.text(f"SELECT version_num FROM {VERSION_TABLE}")
    return bool(connection.scalar(statement) == EXPANDED)


def migrate(connection: sa.Connection, revision: str | None = None) -> None:
    """Run the missing migrations, all or none, in the connection's transaction.

    revision: the last one to run; by default HEAD for a new store, EXPANDED for an existing one.

    Of processes that start together one migrates; the others wait, and have nothing left to do.
    """
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")  # while another migrates
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK_KEY})")
    version, tables = stored_version(connection), sa.inspect(connection).get_table_names()
    if revision is None:
        revision = EXPANDED if "ratings" in tables else HEAD
    if version is not None and version >= revision:
        return  # another process was first
    if OLD_VERSION_TABLE in tables and VERSION_TABLE not in tables:
        connection.exec_driver_sql(
            f"CREATE TABLE {VERSION_TABLE} AS SELECT version_num FROM {OLD_VERSION_TABLE}"
        )
    config = Config(attributes={"connection": connection, "version_table": VERSION_TABLE})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, revision)
