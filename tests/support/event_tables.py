"""Read the tables of an event store beside it, on either database."""

from contextlib import AbstractContextManager

import sqlalchemy as sa


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
