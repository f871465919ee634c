"""The address of an event store, `EVENTS_URL`: read, checked, and shown without its secrets.

parse_url("postgresql://marquee:PASSWORD@db.example/marquee")
parse_url("sqlite:///events.sqlite?mode=ro")     # InputError: parameters, expected none
"""

import os
import re

import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_EVENTS_URL

SQLITE_DRIVERS = ("sqlite", "sqlite+pysqlite")
POSTGRESQL_DRIVERS = ("postgresql", "postgresql+psycopg")
SECRET_PARAMETERS = {"password", "sslpassword", "sslkey", "passfile", "oauth_client_secret"}
"""URL parameters that no message repeats."""
HOST_PARAMETERS = ("host", "hostaddr", "service")
SOCKET_REMEDY = "name it, or a Unix socket by ?host=/var/run/postgresql"
EXPECTED = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse_url(text: str) -> sa.URL:
    """Return SQLAlchemy's URL; no InputError of another text repeats a password."""
    try:
        url = sa.make_url(text.strip())
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(
            f"EVENTS_URL: not a database address, expected one like {DEFAULT_EVENTS_URL} or "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE; check the slashes and the port"
        ) from None
    if url.drivername in SQLITE_DRIVERS:
        fault = _sqlite_fault(url)
    elif "@" in (url.host or ""):  # and a part of the password
        raise InputError("EVENTS_URL: an @ in the password, expected %40 for it")
    elif url.drivername in POSTGRESQL_DRIVERS:
        fault = _postgresql_fault(url, text)
    else:
        raise InputError(
            f"EVENTS_URL {redact(url)}: begins with {url.drivername}://, expected {EXPECTED}"
        )
    if fault:
        raise InputError(f"EVENTS_URL {redact(url)}: {fault}")
    return url


def redact(url: sa.URL) -> str:
    """Return the URL with *** for every secret."""
    secrets = dict.fromkeys(SECRET_PARAMETERS & set(url.query), "***")
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def _sqlite_fault(url: sa.URL) -> str:
    if url.host or url.username or url.port:
        return "two slashes, expected three before a file's path: sqlite:///FILE"
    if url.database in (None, "", ":memory:"):
        return "no file, expected sqlite:///FILE; only a file keeps what is stored"
    if url.query:
        return f"parameters, expected none for SQLite; leave out {_listed(url)}"
    return ""


def _postgresql_fault(url: sa.URL, text: str) -> str:
    from psycopg.pq import Conninfo  # psycopg takes 50 ms to import, and SQLite needs none

    if re.search(r"\s", url.host or ""):
        return "white space in the host, expected a name or an address; take it out"
    if BROKEN_PERCENT.search(text):
        return "a % without two hex digits, expected %25 for it"
    if "\ufffd" in f"{url.username}{url.password}{url.query}":
        return "an encoding with % that is no UTF-8, expected the bytes of UTF-8; encode it again"
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    if unknown := sorted(set(url.query) - known):
        return (
            f"parameter {unknown[0]!r}, expected parameters of PostgreSQL's libpq, for example "
            "sslmode=require; leave it out"
        )
    has_host = url.host or any(url.query.get(name) for name in HOST_PARAMETERS)
    if not (has_host or any(os.environ.get(f"PG{name.upper()}") for name in HOST_PARAMETERS)):
        return f"no host, expected postgresql://USER:PASSWORD@HOST/DATABASE; {SOCKET_REMEDY}"
    return ""


def _listed(url: sa.URL) -> str:
    return ", ".join(f"{name}=" for name in url.query)
