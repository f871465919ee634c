"""The titles of files, in their order: one document of `PUT /movies` for each id.

    titles = TitleFile(connection, ["mine.csv"], folder, renamed={"movie_id": "item"})
    titles.num_titles, titles.num_repeated            # the last row of an id counts
    for title in titles: …                            # FileTitle(row=0, movie_id="6", …)

Files are scanned twice, for their ids and for their cells: the memory does not grow with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson

from marquee.core.errors import InputError
from marquee.data.attributes.id_values import describe_bad_id
from marquee.data.engine.id_columns import check_id_type
from marquee.data.source_tables import open_source
from marquee.data.source_tables.sql import quote, row_of
from marquee.online.catalog_load.columns import ColumnMap, cell_sql, check_columns, text_kinds
from marquee.online.catalog_load.fields import MOVIE_ID, TITLES

ROWS_PER_FETCH = 1_000
SUBJECT = "catalog"


@dataclass(frozen=True)
class FileTitle:
    """A title of a file."""

    row: int
    """Of the source, from 0."""
    movie_id: str
    document: dict[str, Any]
    fault: str | None = None
    """Why its row is no title at all."""


class TitleFile:
    """Files with a row for each title."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        paths: Sequence[str],
        folder: Path,
        *,
        renamed: Mapping[str, str],
        skipped: Sequence[str] = (),
        texts: Sequence[str] = (),
        clears_empty: bool = False,
    ) -> None:
        """Read the ids; InputError for files without any, and for a quote that nothing closes.

        renamed: column by field. skipped: columns to leave out. texts: columns that are read as
        text, whatever they hold. clears_empty: empty cells are null, and not absent.
        """
        self._connection, self._clears_empty = connection, clears_empty
        self.source = source = open_source(connection, paths, folder=folder, option=SUBJECT)
        self.name = source.name
        parents = [name for name, kind in source.columns.items() if kind.startswith("STRUCT(")]
        names = [name for name in source.columns if name not in parents]
        check_columns([*renamed.values(), *skipped, *texts], names)
        self._map = ColumnMap(names, renamed=renamed, skipped=skipped)
        check_id_type(source.columns[self._map.id_column], f"{self.name} {self._map.id_column}")
        self.columns = [] if source.objects else [n for n in names if self._map.target(n)]
        self._set_kinds(texts)
        self.notes = (*source.notes, *([self._map.describe(self.columns)] if self.columns else []))
        self._scan_ids()

    def __iter__(self) -> Iterator[FileTitle]:
        """Yield the titles in the order of the files; nothing else may use the connection."""
        result = self._connection.execute(self._titles_sql())
        while rows := result.fetchmany(ROWS_PER_FETCH):
            for row, movie_id, *cells in rows:
                yield self._title(row, movie_id, cells)

    def unreadable_lines(self) -> list[tuple[str, int, str, str]]:
        """Return file, line, reason and text of the lines that are no rows."""
        query = f"SELECT file, line, reason, raw FROM ({self.source.rejects_sql()})"
        return self._connection.execute(query).fetchall()

    def _set_kinds(self, texts: Sequence[str]) -> None:
        attributes = [name for name in self.columns if self._map.is_attribute(name)]
        kinds = text_kinds(
            self._connection, self.source, [name for name in attributes if name not in texts]
        )
        self._map.set_kinds(kinds | {name: "text" for name in attributes if name in texts})

    def _scan_ids(self) -> None:
        self._connection.execute(
            "CREATE TEMP TABLE file_ids AS SELECT id, max(row) AS row, count(*) AS num_rows "
            f"FROM ({self._rows_sql([])}) WHERE id <> '' GROUP BY id"
        )
        self.source.check_end()
        self._connection.execute(
            "CREATE TEMP TABLE repeated AS SELECT rows.row FROM "
            f"({self._rows_sql([])}) AS rows JOIN file_ids USING (id) "
            "WHERE file_ids.num_rows > 1 AND rows.row <> file_ids.row"
        )
        self.num_rows, num_with_id, self.num_repeated = row_of(
            self._connection,
            f"SELECT (SELECT count(*) FROM {self.source.view}), (SELECT sum(num_rows) FROM "
            "file_ids), (SELECT count(*) FROM repeated)",
        )
        self.num_without_id = self.num_rows - (num_with_id or 0)
        self.num_titles = self.num_rows - self.num_repeated
        if not self.num_rows:
            raise InputError(f"{self.name}: no row, expected a title in each; check the file")

    def _rows_sql(self, cells: Sequence[str]) -> str:
        """Return a query of the rows: number, id, cells."""
        id_sql = f"CAST({quote(self._map.id_column)} AS VARCHAR)"
        table = self.source.view
        if cells and self.source.objects:
            table += f" POSITIONAL JOIN ({self.source.objects}) AS objects"
        selected = ["row_number() OVER () - 1 AS row", f"{id_sql} AS id", *cells]
        return f"SELECT {', '.join(selected)} FROM {table}"

    def _titles_sql(self) -> str:
        types = self.source.columns
        cells = [cell_sql(name, types[name]) for name in self.columns]
        if self.source.objects:
            cells = ['objects."object"']
        rows = self._rows_sql([f"{cell} AS c{number}" for number, cell in enumerate(cells)])
        if not self.num_repeated:
            return rows
        return f"FROM ({rows}) ANTI JOIN repeated USING (row) ORDER BY row"

    def _title(self, row: int, movie_id: str | None, cells: Sequence[Any]) -> FileTitle:
        fault = describe_bad_id(movie_id, "text", MOVIE_ID)
        if fault is not None:
            return FileTitle(row, movie_id or "", {}, fault)
        document: dict[str, Any] = {MOVIE_ID: movie_id}
        is_json = self.source.objects is not None
        values = (
            self._flat(orjson.loads(cells[0])) if is_json else zip(self.columns, cells, strict=True)
        )
        for column, cell in values:
            self._put(document, column, cell)
        if isinstance(titles := document.get(TITLES), dict) and self._clears_empty:
            document[TITLES] = {key: text for key, text in titles.items() if text} or None
        return FileTitle(row, str(movie_id), document)

    def _put(self, document: dict[str, Any], column: str, cell: Any) -> None:
        target = self._map.target(column)
        if target is None:
            return
        value = target.convert(cell)
        is_null = cell is None and self.source.objects is not None  # null of JSON is not absent
        if value is not None or is_null or self._clears_empty:
            target.put(document, value)

    def _flat(self, values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Yield the values of an object, those of objects in it by dotted names."""
        for key, value in values.items():
            name = f"{prefix}{key}"
            target = self._map.target(name)
            is_field = target is not None and target.key is None
            if isinstance(value, dict) and not is_field:
                yield from self._flat(value, f"{name}.")
            else:
                yield name, value
