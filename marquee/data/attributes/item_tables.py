"""Read the items of a data set: those of its interactions, and those that a file adds.

items = read_items(connection, spec, open_table(connection, spec, "items", folder), ids)
items.movies.label(0)                  # "Toy Story (1995)"; without a title the id

Everything may be missing but the id: the file, titles, years, genres, features.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np

from marquee.core.arrays import Int64
from marquee.core.errors import InputError
from marquee.core.ids import IdIndex, Ids, id_type
from marquee.core.movies import Movies
from marquee.core.titles import split_title
from marquee.data.attributes.checks import note_ids, warn_of_single_names, warn_of_titles
from marquee.data.attributes.feature_values import (
    Report,
    feature_columns,
    read_feature,
    read_values,
)
from marquee.data.attributes.rows import Column, Reject, Rows, read_rows
from marquee.data.features import Feature
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.sql import literal, quote
from marquee.data.spec import DatasetSpec, split_column

FLAG_ON, FLAG_OFF = ("1", "1.0", "true", "t", "yes"), ("", "0", "0.0", "false", "f", "no")


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemTables:
    movies: Movies
    """All items: the first `num_items` have interactions; these and the others ascend by id."""
    num_items: int
    features: tuple[Feature, ...] = ()  # rows as in `movies`
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()


def items_id_column(spec: DatasetSpec) -> str:
    return spec.item_id or spec.item


def read_items(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, source: SourceTable | None, ids: Ids
) -> ItemTables:
    """Read the items with these ids, and all others of the source.

    ids: of the items with interactions, ascending; the ids of the source are of the same type.
    Raises InputError for flags that are not 0 or 1, and for vectors of different lengths.
    """
    if source is None:
        return ItemTables(movies=_movies_without_file(ids), num_items=len(ids))
    id_column = items_id_column(spec)
    _check_flags(connection, spec, source)
    columns = tuple(_own_columns(spec, source)), feature_columns(spec.features, source.columns)
    rows = read_rows(connection, source, id_column, id_type(ids), sum(columns, ()))
    report = Report()
    movie_id, source_row = _align(rows.ids, ids)
    note_ids(rows, source_row[: len(ids)], ids, report, "item")
    movies = _movies(rows, columns[0], movie_id, source_row, report)
    if spec.genres:
        warn_of_single_names(movies.genres, genres_column(spec, source)[0], report)
    warn_of_titles(movies, report)
    return ItemTables(
        movies=movies,
        num_items=len(ids),
        features=tuple(read_feature(rows, column, source_row, report) for column in columns[1]),
        notes=tuple(report.notes),
        warnings=tuple(report.warnings),
        rejects=rows.rejects(),
    )


def _own_columns(spec: DatasetSpec, source: SourceTable) -> Iterator[Column]:
    """Yield title, year and genres, where the source has them."""
    if spec.title and spec.title != items_id_column(spec):
        yield Column("title", quote(spec.title), "title")
    if spec.year:
        yield Column("year", quote(spec.year), "year")
    if spec.genres and (flags := genre_flags(spec, source)):
        cases = (
            f"CASE WHEN {_flag_text(name)} IN {FLAG_ON} THEN {literal(name)} END" for name in flags
        )
        yield Column("genres", f"[{', '.join(cases)}]", "categories", "|")
    elif spec.genres:
        column, separator = genres_column(spec, source)
        yield Column("genres", quote(column), "categories", separator)


def genres_column(spec: DatasetSpec, source: SourceTable) -> tuple[str, str | None]:
    """Return the column of --genres, whose name may hold a colon, and the separator."""
    text = spec.genres or ""
    return (text, None) if text in source.columns else split_column(text)


def genre_flags(spec: DatasetSpec, source: SourceTable) -> tuple[str, ...]:
    """Return the columns of flags that --genres "A|B" names; () if it names one."""
    names = tuple((spec.genres or "").split("|"))
    return names if len(names) > 1 and set(names) <= set(source.columns) else ()


def _check_flags(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, source: SourceTable
) -> None:
    for name in genre_flags(spec, source):
        rows = connection.execute(
            f"SELECT {_flag_text(name)} AS flag FROM {source.view} "
            f"WHERE flag NOT IN {FLAG_ON + FLAG_OFF} LIMIT 1"
        ).fetchall()
        for (flag,) in rows:
            raise InputError(
                f"--genres: column {name!r} holds {flag[:40]!r}, expected 0 or 1 in each column "
                "of a genre; name one column of genres instead"
            )


def _flag_text(name: str) -> str:
    return f"lower(trim(CAST({quote(name)} AS VARCHAR)))"


def _align(file_ids: Ids, ids: Ids) -> tuple[Ids, Int64]:
    """Return all ids, and the row of the file that each has, -1 for none."""
    row, is_known = IdIndex(file_ids).rows(ids)
    is_other = ~IdIndex(ids).rows(file_ids)[1]
    others = np.flatnonzero(is_other)
    others = others[np.argsort(file_ids[others], kind="stable")]
    movie_id = np.concatenate([ids, file_ids[others].astype(ids.dtype)])
    return movie_id, np.concatenate([np.where(is_known, row, -1), others])


def _movies_without_file(ids: Ids) -> Movies:
    none: list[tuple[str, ...]] = [()] * len(ids)
    return Movies(ids, [str(movie_id) for movie_id in ids.tolist()], [None] * len(ids), none)


def _movies(
    rows: Rows, columns: tuple[Column, ...], movie_id: Ids, source_row: Int64, report: Report
) -> Movies:
    values = {c.name: read_values(rows, c, report)[source_row].tolist() for c in columns}
    movies = _movies_without_file(movie_id)
    titles, years = movies.title, values.get("year", movies.year)
    for row, title in enumerate(values.get("title", ())):
        if title is not None:
            titles[row], years[row] = _title_and_year(title, years[row])
    return Movies(movie_id, titles, years, values.get("genres", movies.genres))


def _title_and_year(title: str, year: int | None) -> tuple[str, int | None]:
    """Return title and year; where no column tells the year, "Heat (1995)" does."""
    name, title_year = split_title(title)
    return (name, title_year) if year in (None, title_year) else (title, year)
