"""The version of an event store's tables: read by two queries, changed by Alembic.

Alembic (50 ms) is imported only where tables must be made or changed.
"""

from pathlib import Path

import sqlalchemy as sa

from marquee.core.errors import InputError

VERSIONS = ("0001", "0002")
"""Of migrations/versions."""
HEAD = VERSIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"
ONE_AT_A_TIME = 0x6D61727175656500
"""PostgreSQL's advisory lock of whoever changes tables: replicas start together."""


def prepare(connection: sa.Connection, read_only: bool) -> None:
    """Bring the tables to HEAD; raise InputError where they are newer, or not there to be read."""
    found = version(connection)
    if found not in (None, *VERSIONS):
        raise InputError(
            f"its tables have version {found}, needed {HEAD} or older: a newer Marquee made them; "
            "update this one or name another database"
        )
    if found == HEAD:
        return
    if read_only:
        raise InputError(
            f"its tables have version {found or 'none'}, needed {HEAD}; "
            "marquee import-ratings --data … --events … makes or updates them"
        )
    migrate(connection)


def version(connection: sa.Connection) -> str | None:
    """Of the tables; None where no migration has been run."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(sa.text("SELECT version_num FROM alembic_version"))


def migrate(connection: sa.Connection) -> None:
    """All or nothing, in the connection's transaction; nothing where another process was first."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")  # while another migrates
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")
