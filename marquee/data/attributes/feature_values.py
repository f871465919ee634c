"""Turn the cells of a column into the values of a feature, and say what was not understood.

A value that cannot be read as its type is unknown; each column's are counted in one note. Vectors
of different lengths are refused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from marquee.core.errors import InputError
from marquee.data.attributes.rows import Column, Rows
from marquee.data.attributes.text_values import BAD, number_of, text_of, title_of, year_of
from marquee.data.attributes.value_lists import find_form, numbers_in
from marquee.data.features import Feature, FeatureType
from marquee.data.source_tables.number_text import number_sql
from marquee.data.source_tables.sql import quote
from marquee.data.spec import FeatureSpec, parse_feature


@dataclass(frozen=True, kw_only=True)
class Report:
    """Sentences about a source, to print."""

    notes: list[str] = field(default_factory=list)  # what was recognised
    warnings: list[str] = field(default_factory=list)


def feature_columns(features: Sequence[str], types: Mapping[str, str]) -> tuple[Column, ...]:
    """Return the columns of features of the form NAME=COLUMN:TYPE[:SEPARATOR].

    types: of the source's columns.
    """
    parts = (parse_feature(text) for text in features)
    return tuple(
        Column(part.name, _expression(part, types[part.column]), part.type, part.separator)
        for part in parts
    )


def _expression(part: FeatureSpec, type_name: str) -> str:
    """Return SQL of a cell; of a number its plain text, else what stands there."""
    cell = quote(part.column)
    if part.type != "number":
        return cell
    number = number_sql(cell, type_name)
    return f"CASE WHEN isnan({number}) THEN {cell}::VARCHAR ELSE {number}::VARCHAR END"


def read_values(rows: Rows, column: Column, report: Report) -> npt.NDArray[Any]:
    """Return the values of R rows and of one row more, which has none, (R + 1, …)."""
    cells = rows.cells[column]
    values: npt.NDArray[Any]
    match column.type:
        case "categories":
            values = _objects([*_lists(cells, column, report), ()])
        case "vector":
            values = _vectors(rows, column)
        case "number":
            numbers = [*_scalars(cells, column, number_of, "a number", report), None]
            values = np.array([math.nan if x is None else x for x in numbers], np.float32)
        case "year":
            expected = "a year or a date from 1870 to 2100"
            values = _objects([*_scalars(cells, column, year_of, expected, report), None])
        case _:  # category, text or title
            read = title_of if column.type == "title" else text_of
            values = _objects([*map(read, cells), None])
    if len(cells) and not _is_known(values).any():
        report.warnings.append(
            f"{column.name}: no row has a value, expected some; is the column the right one?"
        )
    return values


def read_feature(rows: Rows, column: Column, source_row: Any, report: Report) -> Feature:
    """Return a feature for source rows; -1 is a row without values."""
    values = read_values(rows, column, report)[source_row]
    return Feature(column.name, cast(FeatureType, column.type), values)


def _scalars(
    cells: list[Any], column: Column, read: Callable[[Any], Any], expected: str, report: Report
) -> list[Any]:
    values = [read(cell) for cell in cells]
    bad = [cell for cell, value in zip(cells, values, strict=True) if value is BAD]
    _note_bad(column, bad, expected, report)
    return [None if value is BAD else value for value in values]


def _lists(cells: list[list[Any]], column: Column, report: Report) -> list[tuple[str, ...]]:
    form = find_form((cell for row in cells for cell in row), column.separator)
    if column.separator is None and any(isinstance(cell, str) for row in cells for cell in row):
        report.notes.append(f"{column.name}: {form.describe()}")
    split_text = cache(form.split)  # the same genres stand in many rows
    parts = [
        [split_text(cell) if isinstance(cell, str) else form.split(cell) for cell in row]
        for row in cells
    ]
    bad = [
        cell
        for row, values in zip(cells, parts, strict=True)
        for cell, names in zip(row, values, strict=True)
        if names is BAD
    ]
    _note_bad(column, bad, "a list", report)
    lists = [
        tuple(dict.fromkeys(name for names in row if isinstance(names, tuple) for name in names))
        for row in parts
    ]
    return lists


def _vectors(rows: Rows, column: Column) -> npt.NDArray[np.float32]:
    """Return vectors, (R + 1, V); InputError names the row of one that has another length."""
    vectors = [_vector(rows, column, row) for row in range(len(rows.id_texts))]
    first = next((row for row, vector in enumerate(vectors) if vector is not None), None)
    if first is None:
        return np.full((len(vectors) + 1, 1), np.nan, np.float32)
    length = len(cast(npt.NDArray[np.float32], vectors[first]))
    values = np.full((len(vectors) + 1, length), np.nan, np.float32)
    for row, vector in enumerate(vectors):
        if vector is not None and len(vector) != length:
            raise InputError(
                f"{rows.place(row)}: {column.name} of {len(vector)} numbers, expected {length} as "
                f"in {rows.place(first)}; mend the row"
            )
        if vector is not None:
            values[row] = vector
    return values


def _vector(rows: Rows, column: Column, row: int) -> npt.NDArray[np.float32] | None:
    cell = rows.cells[column][row]
    numbers = cell if isinstance(cell, np.ndarray) else numbers_in(cell, column.separator)
    if numbers is None:
        return None
    vector = np.array([] if numbers is BAD else numbers, np.float32)
    if not len(vector) or not np.isfinite(vector).all():
        raise InputError(
            f"{rows.place(row)}: {column.name} {str(cell)[:40]!r}, expected a list of numbers; "
            "mend the row, or leave its vector empty"
        )
    return vector


def _note_bad(column: Column, bad: list[Any], expected: str, report: Report) -> None:
    if bad:
        report.notes.append(
            f"{column.name}: values taken as unknown: {len(bad)} ({str(bad[0])[:40]!r}), expected "
            f"{expected}"
        )


def _is_known(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if values.dtype == object:
        return np.array([value is not None and value != () for value in values], bool)
    return np.isfinite(values.reshape(len(values), -1)[:, 0])


def _objects(values: list[Any]) -> npt.NDArray[np.object_]:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
