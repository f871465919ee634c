"""The schema version of an event store: read by two queries, changed by Alembic.

Alembic takes 50 ms to import, so it is imported only where tables must be created or changed.
"""

from pathlib import Path

import sqlalchemy as sa

from marquee.core.errors import InputError

VERSIONS = ("0001", "0002", "0003", "0004")
"""The revisions in migrations/versions, oldest first."""
HEAD = VERSIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK_KEY = 0x6D61727175656500
"""PostgreSQL's lock around a migration, because replicas start together."""


def ensure_schema(connection: sa.Connection, read_only: bool) -> None:
    """Bring the tables to HEAD; does nothing where they are there already.

    Raises InputError where the tables are newer than HEAD, or older and must not be changed.
    """
    version = None
    if sa.inspect(connection).has_table("alembic_version"):
        version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if version not in (None, *VERSIONS):
        raise InputError(
            f"tables have version {version}, expected {HEAD} or older; a newer Marquee made them: "
            "update this one or name another database"
        )
    if read_only and version != HEAD:
        raise InputError(
            f"tables have version {version or 'none'}, expected {HEAD}; create or update them "
            "with: marquee import-ratings --data … --events …"
        )
    if version != HEAD:
        migrate(connection)


def migrate(connection: sa.Connection, revision: str = "head") -> None:
    """Run the missing migrations, all or none, in the connection's transaction.

    Of processes that start together one migrates; the others wait, and have nothing left to do.
    """
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")  # while another migrates
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK_KEY})")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, revision)
