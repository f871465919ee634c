"""JSON lines, or one JSON array, as a view: a column a key, nested ones by dotted names.

    {"user": {"id": 7}, "genres": ["Drama"]}     # columns user, user.id, genres
    {"page": 1, "data": [{"user": 7}, …]}        # the only object of a file: its one list counts

A column of numbers is BIGINT, DOUBLE, or VARCHAR where an integer has more than 64 bits; a text
stays as it is, also if it looks like a number or a date; lists and objects are JSON text.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.encodings import encoding_of, utf8_copy
from marquee.data.source_tables.formats import Known
from marquee.data.source_tables.partitions import partitions
from marquee.data.source_tables.sql import (
    explained_errors,
    literal,
    literals,
    number_types,
    quote,
    row_of,
)
from marquee.data.source_tables.table import Digests, Place, SourceTable

MAX_COLUMNS = 1000
MAX_OBJECT_BYTES = 1 << 28
NESTED, OBJECTS = "NESTED", "OBJECTS"
"""The kinds of a key whose values are objects or lists, which are no id, and of lists of objects:
the type is JSON."""
NUMBERS = {"UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"}
LINE_READER = (
    "read_csv({path}, columns = {{json: 'VARCHAR'}}, auto_detect = false, header = false, "
    "delim = '\x01', quote = '', escape = '', compression = {packed}, store_rejects = true, "
    "rejects_table = {errors}, rejects_scan = {scans})"
)


def json_table(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Known],
    *,
    view: str,
    folder: Path,
    encoding: str | None,
    option: str,
    name: str,
    digests: Digests,
) -> SourceTable:
    """Make the view of JSON files, by way of a Parquet copy of their values."""
    with explained_errors(f"{option} {name}"):
        rows = _unwrapped(
            connection, _read_lines(connection, files, view, folder, encoding, option)
        )
        good = f"{rows} WHERE object IS NOT NULL"
        leaves = dict(_leaves(_structure(connection, good)))
        if not leaves:
            raise InputError(
                f"{option} {name}: no JSON object, expected one a line; of Python's dicts write "
                "json.dumps(ast.literal_eval(line))"
            )
        copy = _copy_values(connection, good, list(leaves), folder / f"{view}.parquet")
        columns = _typed(connection, copy, leaves)
    selected = ", ".join(
        f"CAST({quote(column)} AS {kind}) AS {quote(column)}" for column, kind in columns.items()
    )
    connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {selected} FROM {copy}")
    rejects = (
        f"SELECT file, line, 'not a JSON object' AS reason, left(text, 1000) AS raw FROM {rows} "
        "WHERE object IS NULL"
    )
    return SourceTable(
        view=view,
        columns=columns,
        is_text=False,
        option=option,
        name=name,
        notes=(f"{name}: JSON, {len(columns)} columns",),
        digests=digests,
        objects=f"SELECT object FROM {good}",
        reject_query=lambda: rejects,
        place_of=lambda wanted: _places(connection, copy, wanted),
    )


def _read_lines(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Known],
    view: str,
    folder: Path,
    encoding: str | None,
    option: str,
) -> str:
    """Copy lines and objects of all files; return what reads the copy."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for number, known in enumerate(files):
        subject = f"{option} {known.file.name}"
        source_encoding = encoding_of(known, encoding, subject=subject, option="--encoding")
        path, packed = known.path, known.packed
        if not source_encoding.is_utf8:
            path, packed = (
                utf8_copy(known, source_encoding, folder / f"{view}-{number}", subject),
                "none",
            )
        if known.format == "json":
            reader = _line_reader(path, packed, f"{view}_{number}")
        else:
            form = "array" if known.format == "json-array" else "unstructured"
            reader = (
                f"(SELECT json::VARCHAR AS json FROM read_json_objects({literal(str(path))}, "
                f"format = '{form}', maximum_object_size = {MAX_OBJECT_BYTES}, "
                f"compression = {literal(packed)}))"
            )
        folders = {key: value for key, value in partitions(known.file.name).items() if value}
        own = f"json_merge_patch({literal(json.dumps(folders))}, object)" if folders else "object"
        copy = folder / f"{view}-lines-{number}.parquet"
        connection.execute(
            f"COPY (SELECT {literal(known.file.name)} AS file, line, text, "
            f"CASE WHEN json_type(object) = 'OBJECT' THEN {own}::VARCHAR END AS object FROM ("
            "SELECT row_number() OVER () AS line, json AS text, try_cast(json AS JSON) AS object "
            f"FROM {reader}) WHERE trim(text) <> '') TO {literal(str(copy))} (FORMAT parquet)"
        )
        _refuse_bad_lines(connection, f"{view}_{number}", known, subject)
        copies.append(copy)
    return f"read_parquet({literals(copies)})"


def _unwrapped(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """Return what reads the rows, of a file with one object those of the one list in it."""
    if row_of(connection, f"SELECT count(*) FROM {rows}")[0] != 1:
        return rows
    lists = [path for path, kind in _leaves(_structure(connection, rows)) if kind == OBJECTS]
    if len(lists) != 1:
        return rows
    values = f"json_extract(json_extract(object, {literal(_pointer(lists[0]))}), '$[*]')"
    return (
        "(SELECT file, row_number() OVER () AS line, text, object FROM "
        f"(SELECT file, text, unnest({values})::VARCHAR AS object FROM {rows}))"
    )


def _line_reader(path: Path, packed: str, name: str) -> str:
    return LINE_READER.format(
        path=literal(str(path)), packed=literal(packed),
        errors=literal(f"{name}_errors"), scans=literal(f"{name}_scans"),
    )  # fmt: skip


def _refuse_bad_lines(
    connection: duckdb.DuckDBPyConnection, name: str, known: Known, subject: str
) -> None:
    """Refuse lines that are no text: their numbers would shift those of the lines behind."""
    sql = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?"
    if not row_of(connection, sql, f"{name}_errors")[0]:
        return
    (line,) = row_of(connection, f"SELECT min(line) FROM {name}_errors")
    if line is not None:
        raise InputError(
            f"{subject} line {line}: bytes that are not UTF-8, or more than 2 MB, expected "
            "JSON in UTF-8; mend the line, or add --encoding utf-8:replace"
        )


def _structure(connection: duckdb.DuckDBPyConnection, rows: str) -> Any:
    sql = f"SELECT json_group_structure(object::JSON) FROM {rows}"
    (text,) = row_of(connection, sql)
    return json.loads(text) if text else {}


def _leaves(structure: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path of every key with its type; a list is one value."""
    for key, value in structure.items() if isinstance(structure, dict) else ():
        path = (*prefix, key)
        if isinstance(value, dict) and len(value) <= MAX_COLUMNS:
            yield path, NESTED
            yield from _leaves(value, path)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield path, OBJECTS
        else:
            yield path, value if isinstance(value, str) else NESTED


def _copy_values(
    connection: duckdb.DuckDBPyConnection, rows: str, paths: list[tuple[str, ...]], copy: Path
) -> str:
    """Write every value as its own text, and where it stands; return what reads it."""
    pointers = map(_pointer, paths)
    values = ", ".join(
        f"v[{number}] AS {quote('.'.join(path))}" for number, path in enumerate(paths, start=1)
    )
    connection.execute(
        f'COPY (SELECT {values}, file AS "\x01file", line AS "\x01line" FROM (SELECT file, '
        f"line, json_extract_string(object, {literals(pointers)}) AS v FROM {rows})) "
        f"TO {literal(str(copy))} (FORMAT parquet)"
    )
    return f"read_parquet({literals([copy])})"


def _pointer(path: tuple[str, ...]) -> str:
    return "/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in path)


def _typed(
    connection: duckdb.DuckDBPyConnection, copy: str, leaves: dict[tuple[str, ...], str]
) -> dict[str, str]:
    """Return column -> type: integers only where every one of them fits."""
    columns = {".".join(path): kind for path, kind in leaves.items()}
    numbers = [column for column, kind in columns.items() if kind in NUMBERS]
    types = number_types(connection, copy, numbers)
    type_of = {"BOOLEAN": "BOOLEAN", NESTED: "JSON", OBJECTS: "JSON"}
    return {
        column: types.get(column, type_of.get(kind, "VARCHAR")) for column, kind in columns.items()
    }


def _places(connection: duckdb.DuckDBPyConnection, copy: str, rows: Sequence[int]) -> list[Place]:
    query = (
        'SELECT "\x01file", "\x01line" FROM '
        f"(SELECT *, row_number() OVER () - 1 AS row FROM {copy}) "
        "WHERE row IN (SELECT unnest(?)) ORDER BY row"
    )
    return connection.execute(query, [[int(row) for row in rows]]).fetchall()
