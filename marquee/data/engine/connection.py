"""Open DuckDB: out of core, all cores, without network or extensions from outside its wheel.

with open_connection(folder, memory_limit="4GB") as connection:
    connection.sql("FROM 'plays.parquet'")       # temporary files lie in the folder
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from marquee.data.source_tables.sql import literal

DEFAULT_MEMORY = "50%"  # of the machine's: the rest is for files that the system keeps in memory


@contextmanager
def open_connection(
    folder: Path, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory database that moves what is too large to `folder`.

    Times without a zone are UTC.
    """
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(folder / "spill"),
    }
    with duckdb.connect(config=config) as connection:
        connection.execute(f"SET memory_limit = {literal(memory_limit or DEFAULT_MEMORY)}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection
