"""Parquet files as a view: columns by name, with their types; fields of structs by dotted names."""

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np

from marquee.data.source_tables.formats import Known
from marquee.data.source_tables.partitions import partition_columns
from marquee.data.source_tables.sql import explained_errors, literals, quote
from marquee.data.source_tables.table import Digests, Place, SourceTable


def parquet_table(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Known],
    *,
    view: str,
    option: str,
    name: str,
    digests: Digests,
) -> SourceTable:
    """Make the view; a missing column is NULL, folders KEY=VALUE are columns."""
    # Text that old engines write without saying so is read as text.
    options = "union_by_name = true, binary_as_string = true, hive_partitioning = false"
    reader = f"read_parquet({literals(known.path for known in files)}, {options})"
    with explained_errors(f"{option} {name}"):
        relation = connection.sql(f"SELECT * FROM {reader}")
        columns = {}
        selected = []
        for column, kind in zip(relation.columns, relation.types, strict=True):
            for path, leaf in _leaves((column,), kind):
                dotted = ".".join(path)
                if dotted not in columns:
                    columns[dotted] = str(leaf)
                    selected.append(f"{'.'.join(map(quote, path))} AS {quote(dotted)}")
        folders = partition_columns((known.file.name for known in files), columns)
        columns |= dict.fromkeys(folders, "VARCHAR")
        selection = ", ".join([*selected, *folders.values()])
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT {selection} FROM {reader}")
    return SourceTable(
        view=view,
        columns=columns,
        is_text=False,
        option=option,
        name=name,
        notes=(f"{name}: Parquet, {len(relation.columns) + len(folders)} columns",),
        digests=digests,
        place_of=lambda rows: _places(connection, files, rows),
    )


def _leaves(path: tuple[str, ...], kind: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, kind
    if kind.id == "struct":
        for name, child in kind.children:
            yield from _leaves((*path, name), child)


def _places(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Known], rows: Sequence[int]
) -> list[Place]:
    query = (
        f"SELECT file_name, num_rows FROM parquet_file_metadata({literals(f.path for f in files)})"
    )
    num_rows = dict(connection.execute(query).fetchall())
    ends = np.cumsum([num_rows[str(known.path)] for known in files])
    places = []
    for row in rows:
        position = int(np.searchsorted(ends, row, side="right"))
        first = int(ends[position - 1]) if position else 0
        places.append((files[position].file.name, int(row) - first + 1))
    return places
