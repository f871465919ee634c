"""Read the tables of an event store beside it, and make older ones, on either database."""

from contextlib import AbstractContextManager

import sqlalchemy as sa

from marquee.feedback.address import parse_url
from marquee.feedback.engines import LONG_WRITES, make_engine
from marquee.feedback.migrate import OLD_VERSION_TABLE, VERSION_TABLE, migrate


def connect(url: str) -> AbstractContextManager[sa.Connection]:
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return sa.create_engine(address, poolclass=sa.NullPool).begin()


def event_ids(url: str) -> set[str]:
    with connect(url) as connection:
        return set(connection.execute(sa.text("SELECT event_id FROM events")).scalars())


def count_rows(url: str) -> dict[str, int]:
    with connect(url) as connection:
        return {
            name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in ("ratings", "events")
        }


def make_tables(url: str, revision: str) -> None:
    """Make the tables of a version as a service of that version would."""
    engine = make_engine(parse_url(url), LONG_WRITES)
    with engine.begin() as connection:
        migrate(connection, revision)
        if revision <= "0004":
            connection.exec_driver_sql(f"ALTER TABLE {VERSION_TABLE} RENAME TO {OLD_VERSION_TABLE}")
    engine.dispose()
