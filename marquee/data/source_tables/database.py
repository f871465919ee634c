"""The rows of a PostgreSQL query as a view: streamed by COPY, in constant memory.

    postgresql://reader@db.example/shop --query "SELECT account, asset, started FROM plays"

It runs in a read-only transaction. The database's types decide those of the columns. A password
comes from the address, PGPASSWORD or ~/.pgpass; no message, note or file repeats it.
"""

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.sql import literal, number_types, quote
from marquee.data.source_tables.table import SourceFile, SourceTable

SECRETS = ("password", "sslpassword", "passfile", "sslkey", "oauth_client_secret")
TYPES = {
    "bool": "BOOLEAN", "int2": "BIGINT", "int4": "BIGINT", "int8": "BIGINT", "oid": "BIGINT",
    "float4": "DOUBLE", "float8": "DOUBLE", "uuid": "UUID", "date": "DATE",
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
}  # fmt: skip
"""Types of PostgreSQL -> of DuckDB; the others are text."""
LISTS = re.compile(r".*\[\]|jsonb?")


def without_password(url: str) -> str:
    """Return an address without its password: what may be printed and written.

    >>> without_password("postgresql://me:secret@db.example:5432/shop?sslmode=require")
    'postgresql://me@db.example:5432/shop?sslmode=require'
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its text would repeat the password
        raise InputError(
            "a postgresql:// address: its host cannot be read, expected "
            "postgresql://USER@HOST:PORT/DATABASE; write @ : / [ of a password as %40 %3A %2F %5B"
        ) from None
    login, at, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in SECRETS]
    return urlunsplit(
        (parts.scheme, f"{user}{at}{host}" if user else host, parts.path, urlencode(query), "")
    )


def database_table(
    connection: duckdb.DuckDBPyConnection,
    url: str,
    query: str,
    *,
    view: str,
    folder: Path,
    option: str,
) -> SourceTable:
    """Copy the rows of a query into a file of the folder, and make its view."""
    import psycopg

    name, query = without_password(url), query.strip().rstrip(";")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{view}.csv"
    try:
        with psycopg.connect(url) as database:
            database.read_only = True
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            types = _types(database, query)
            file = _stream(database, query, types, path, name)
    except psycopg.Error as error:
        raise InputError(_message(error, option, name)) from None
    columns = _view(connection, view, path, types)
    return SourceTable(
        view=view,
        columns=columns,
        is_text=False,
        option=option,
        name=name,
        notes=(f"{name}: {len(columns)} columns of a query",),
        sources=(file,),
    )


def _types(database: Any, query: str) -> dict[str, str]:
    """Return column -> the name of its type in PostgreSQL."""
    with database.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'UTC'; SET LOCAL datestyle TO ISO")
        cursor.execute(f"SELECT * FROM (\n{query}\n) AS source LIMIT 0".encode())
        columns = [(column.name, column.type_code) for column in cursor.description]
        names = [name for name, _ in columns]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise InputError(
                f"--query: column {repeated[0]!r} twice, expected each name once; rename one (AS)"
            )
        codes = [code for _, code in columns]
        cursor.execute(
            "SELECT oid, format_type(oid, NULL), typname FROM pg_type WHERE oid = ANY(%s)", [codes]
        )
        types = {oid: shown if shown.endswith("[]") else name for oid, shown, name in cursor}
    return {name: types.get(code, "text") for name, code in columns}


def _stream(database: Any, query: str, types: dict[str, str], path: Path, name: str) -> SourceFile:
    """Write the rows as CSV, every value in quotes but NULL; lists as JSON."""
    selected = ", ".join(
        f"to_json({quote(column)})::text AS {quote(column)}" if kind.endswith("[]")
        else f"{quote(column)}::text AS {quote(column)}" if kind not in TYPES
        else quote(column)
        for column, kind in types.items()
    )  # fmt: skip
    copy = (
        f"COPY (SELECT {selected} FROM (\n{query}\n) AS source) TO STDOUT "
        "(FORMAT csv, FORCE_QUOTE *)"
    )
    digest, size = hashlib.sha256(), 0
    with database.cursor() as cursor, path.open("wb") as file, cursor.copy(copy.encode()) as rows:
        for block in rows:
            digest.update(block)
            file.write(block)
            size += len(block)
    return SourceFile(name, size, 0, digest.hexdigest())


def _view(
    connection: duckdb.DuckDBPyConnection, view: str, path: Path, types: dict[str, str]
) -> dict[str, str]:
    names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in types)
    reader = (
        f"read_csv({literal(str(path))}, columns = {{{names}}}, auto_detect = false, "
        "header = false, delim = ',', quote = '\"', escape = '\"')"
    )
    columns = {name: TYPES.get(kind, "VARCHAR") for name, kind in types.items()}
    numbers = [name for name, kind in types.items() if kind == "numeric"]
    columns |= number_types(connection, reader, numbers)
    selected = ", ".join(
        f"CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in columns.items()
    )
    connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {selected} FROM {reader}")
    return columns


def _message(error: Any, option: str, name: str) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    text = (lines[0] if lines else type(error).__name__).rstrip(".")
    if error.sqlstate and not error.sqlstate.startswith(("08", "28", "3D", "57")):
        return f"--query: {text}, expected one SELECT that reads; check it in psql"
    return (
        f"{option} {name}: {text}, expected a database that answers; check the address, and the "
        "password in PGPASSWORD or ~/.pgpass"
    )
