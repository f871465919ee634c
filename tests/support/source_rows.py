"""A source of rows in memory, as `open_source` gives it for a file."""

from collections.abc import Sequence
from typing import Any

import duckdb

from marquee.data.source_tables.table import SourceTable


def source_of(
    connection: duckdb.DuckDBPyConnection,
    columns: str,
    rows: Sequence[tuple[Any, ...]],
    *,
    is_text: bool = True,
    name: str = "titles.csv",
) -> SourceTable:
    """Return rows as a source; columns: "id, title", or with types "id BIGINT, tags VARCHAR[]".

    Row 0 is line 1.
    """
    definitions = [(*column.split(None, 1), "VARCHAR")[:2] for column in columns.split(", ")]
    view = f"rows_{len(connection.execute('SHOW TABLES').fetchall())}"
    schema = ", ".join(f'"{column}" {kind}' for column, kind in definitions)
    connection.execute(f"CREATE TABLE {view} ({schema})")
    if rows:
        marks = ", ".join("?" * len(definitions))
        connection.executemany(f"INSERT INTO {view} VALUES ({marks})", rows)
    return SourceTable(
        view=view, columns=dict(definitions), is_text=is_text, option="--items", name=name
    )
