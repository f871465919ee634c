"""Meaning of an error of a database's driver: away now, too slow now, or refused.

A failed connection has no SQLSTATE, only a text of libpq, of PostgreSQL or of PgBouncer.
"""

import re

import sqlalchemy as sa

AWAY = re.compile(
    r"connection refused|timed out|timeout expired|connection timeout|no route to host|unreachable"
    r"|host is down|reset by peer|broken pipe|closed the connection|connection is closed"
    r"|connection is lost|could not (receive|send) data|SSL SYSCALL|unexpected eof"
    r"|could not translate host|failed to resolve host|on socket .* no such file"
    r"|starting up|shutting down|in recovery|not (yet )?accepting connections"
    r"|too many (clients|connections)|connection slots|terminating connection"
    r"|no more connections allowed|query_wait_timeout|server_login_retry|server conn crashed"
    r"|cannot connect to server|pooler is shut ?down|database is locked",
    re.IGNORECASE,
)
"""The same call may succeed later, without a change of EVENTS_URL."""
AWAY_CLASSES = ("40", "53", "55", "57")
"""SQLSTATE of a conflict, of resources, of locks, of an operator's intervention and time limits."""
SLOW_STATES = ("57014", "55P03", "40001", "40P01")
"""The database answered in time: that one statement took too long, or met a lock."""
EXPECTED_SQLITE = (
    "expected a SQLite file in a folder that exists and can be written; correct EVENTS_URL"
)
EXPECTED_POSTGRESQL = (
    "expected a PostgreSQL database whose tables this role may make and change; correct EVENTS_URL"
)
EXPECTED = {
    "disk is full": "expected space for the events; free some",
    "unsupported startup parameter": "expected none behind PgBouncer; leave options out of "
    "EVENTS_URL and set them for the role: ALTER ROLE … SET search_path = …",
    "transaction blocks not allowed": "expected transactions; set pool_mode = transaction in "
    "PgBouncer for the database of EVENTS_URL",
    "invalid .*(value|port)|bad value|definition of service|codec|SSL|certificate": "expected "
    "parameters that PostgreSQL's libpq and the server take; correct EVENTS_URL",
}
"""Part of a message, as a pattern -> what was expected, and what helps."""


def message_of(error: Exception) -> str:
    """Return the first line of the driver's message."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def is_away(error: Exception, message: str, is_open: bool) -> bool:
    """Return whether the database is away, or too slow; else it refused.

    is_open: the database was in order before, so that a failing connection is not refused.
    """
    if isinstance(error, sa.exc.TimeoutError):
        return True
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return False
    if "readonly" in message:  # SQLite answered
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    return is_open or state.startswith(AWAY_CLASSES) or AWAY.search(message) is not None


def is_slow(error: Exception) -> bool:
    """Return whether one statement was given up by a database that answers."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in SLOW_STATES


def expectation(message: str, is_sqlite: bool) -> str:
    """Return what a refusal expected, and what a caller can do about it."""
    for part, expected in EXPECTED.items():
        if re.search(part, message):
            return expected
    return EXPECTED_SQLITE if is_sqlite else EXPECTED_POSTGRESQL
