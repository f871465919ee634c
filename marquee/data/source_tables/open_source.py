"""Open what the caller named, and make a view of it.

source = open_source(connection, ("plays.csv",), folder=scratch, option="--interactions")
connection.sql(f"SELECT * FROM {source.view}")     # the source's own columns and rows
source.notes                                       # ('plays.csv: encoding utf-8, …',)
source.finish()                                    # after the scans: files with their SHA-256
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.database import database_table
from marquee.data.source_tables.formats import recognise
from marquee.data.source_tables.json_table import json_table
from marquee.data.source_tables.parquet_table import parquet_table
from marquee.data.source_tables.paths import local_files
from marquee.data.source_tables.table import Digests, SourceTable
from marquee.data.source_tables.text_table import text_table
from marquee.data.spec import is_database

_numbers = itertools.count(1)


def open_source(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    *,
    folder: Path,
    query: str | None = None,
    separator: str | None = None,
    header: Sequence[str] = (),
    encoding: str | None = None,
    option: str = "--interactions",
) -> SourceTable:
    """Return a source as a view of `connection`, its rows in the source's order.

    paths: files, globs, folders of part files, s3://BUCKET/KEY, or one postgresql:// address with
    its `query`. folder: scratch space for copies, needed as long as the view is read. option: as
    messages name the source. Values of text files are VARCHAR, exactly as written, an empty field
    is NULL; Parquet, JSON and databases keep their types. Raises InputError, one sentence, for what
    cannot be read; single bad lines are in `rejects_sql()` after a scan.
    """
    view = f"source_{next(_numbers)}"
    folder = folder / view
    if paths and is_database(paths[0]):
        return database_table(
            connection, paths[0], query or "", view=view, folder=folder, option=option
        )
    files = [
        recognise(file, option=option, folder=folder)
        for file in local_files(paths, option=option, folder=folder)
    ]
    formats = {file.format: file.file.name for file in files if file.head}
    is_text = bool(separator or header) or not formats
    if len(formats) > 1 and not is_text:
        (one, first), (other, second) = list(formats.items())[:2]
        raise InputError(
            f"{option}: {first} is {one} and {second} is {other}, expected files of one form; "
            "name them by a glob such as plays/*.csv"
        )
    name = files[0].file.name + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    digests = Digests([file.file for file in files])
    form = next(iter(formats), "text")
    if form != "text":
        files = [file for file in files if file.head]  # engines write empty part files
    if form == "parquet":
        return parquet_table(
            connection, files, view=view, option=option, name=name, digests=digests
        )
    if is_text or form == "text":
        return text_table(
            connection, files, view=view, folder=folder, separator=separator, header=header,
            encoding=encoding, option=option, name=name, digests=digests,
        )  # fmt: skip
    return json_table(
        connection, files, view=view, folder=folder, encoding=encoding, option=option, name=name,
        digests=digests,
    )  # fmt: skip
