"""Read ratings: text parsed by pyarrow, or npy columns mapped in place; every row is checked.

Ids go from 1 to MAX_FILE_ID, ratings lie on the scale, times are not negative. A file that fails is
read a second time, slowly (2 s per million lines), to name file, line, found and expected.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from marquee.core import memmap
from marquee.core.errors import InputError
from marquee.data import text_lines
from marquee.data.interactions import InteractionTable
from marquee.data.layouts import COLUMNS, RATING_FIELDS, Layout, layout_of
from marquee.data.npy_columns import REMEDY, open_columns

_TAIL_BYTES = 4096


def read_ratings(folder: Path, name: str) -> InteractionTable:
    """Return the checked ratings of a folder in file order.

    If a user rated a movie twice, both rows are in it. Raises InputError that names file, line or
    row, found and expected.
    """
    layout = layout_of(name, folder)
    path = folder / layout.ratings_file
    if layout == COLUMNS:
        table = open_columns(folder)
        if bad_rows := _find_bad_chunk(table, layout):
            raise _find_bad_row(path, table, bad_rows, layout)
        return table
    _check_ends(path, layout)
    text_table = _parse(path, layout)
    if text_table is None or _find_bad_chunk(text_table, layout):
        raise _find_bad_line(path, layout)
    if len(text_table) == 0:
        raise InputError(
            f"{path}: only a header, expected ratings below it; download the data set again"
        )
    return text_table


def _parse(path: Path, layout: Layout) -> InteractionTable | None:
    types = dict.fromkeys(RATING_FIELDS, pa.int64()) | {"rating": pa.float32()}
    if layout.delimiter == "::":
        # "1::2::3::4" split at ":" gives seven fields, of which every second must be empty.
        keys = [key for name in RATING_FIELDS for key in (name, f"{name}:")][:-1]
        types = {key: types.get(key, pa.null()) for key in keys}
    columns = text_lines.parse_columns(
        path, types, header=layout.header, delimiter=layout.delimiter[0], quote=False
    )
    if columns is None:
        return None
    return InteractionTable(*(columns.pop(name).to_numpy() for name in RATING_FIELDS))


def _find_bad_chunk(table: InteractionTable, layout: Layout) -> slice | None:
    steps_per_unit = np.float32(1 / layout.scale[0])  # 1 for whole stars, 2 for half stars
    for rows in memmap.iter_chunks(len(table)):
        steps = table.rating[rows] * steps_per_unit
        is_step = np.rint(steps) == steps  # false for NaN
        on_scale = is_step.all() and steps.min() >= 1 and steps.max() <= len(layout.scale)
        ids = table.user_id[rows], table.movie_id[rows]
        if not (on_scale and text_lines.are_clean(*ids, table.timestamp[rows])):
            return rows
    return None


def _find_bad_row(path: Path, table: InteractionTable, rows: slice, layout: Layout) -> InputError:
    lists = (column[rows].tolist() for column in table.columns)
    for row, fields in enumerate(zip(*lists, strict=True), rows.start + 1):
        if reason := _describe_bad_fields([str(field) for field in fields], layout):
            return InputError(f"{path} row {row}: {reason}; {REMEDY}")
    raise AssertionError("one of the rows is bad")


def _check_ends(path: Path, layout: Layout) -> None:
    """Refuse an empty file, or a last line that is cut off."""
    form = text_lines.line_form(RATING_FIELDS, layout.delimiter)
    with path.open("rb") as stream:
        first = stream.readline(_TAIL_BYTES)
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        tail = stream.read()
    if not first.strip():
        state = "empty in its first line" if first else "empty"
        raise InputError(f"{path}: {state}, expected {form}; download the data set again")
    if tail.endswith((b"\n", b"\r")):
        return
    *_, before, last = ["", *tail.decode("latin-1").splitlines()]
    fields = last.split(layout.delimiter)
    num_digits = len(before.split(layout.delimiter)[-1]) if before[:1].isdigit() else 0
    if len(fields) != 4 or len(fields[3]) < num_digits:
        raise InputError(
            f"{path}: the last line is cut off, {last[:80]!r} after {before[:80]!r}, expected "
            f"{form}; download the data set again, or delete that line"
        )


def _find_bad_line(path: Path, layout: Layout) -> InputError:
    lines = text_lines.numbered_lines(
        path, RATING_FIELDS, layout.delimiter, header=layout.header, quoted=False
    )
    remedy = text_lines.remedy(path)
    for line, fields in lines:
        if reason := _describe_bad_fields([field.strip() for field in fields], layout):
            return InputError(f"{path} line {line}: {reason}; {remedy}")
    form = text_lines.line_form(RATING_FIELDS, layout.delimiter)
    return InputError(f"{path}: another form, expected {form}; {remedy}")


def _describe_bad_fields(fields: list[str], layout: Layout) -> str | None:
    """Return the first wrong field and what was expected; None if all are right."""
    user, movie, rating, time = fields
    if reason := text_lines.describe_bad_number(user, movie, time):
        return reason
    try:
        if float(rating) in layout.scale:
            return None
    except ValueError:
        pass
    low, high = layout.scale[0], layout.scale[-1]
    return f"{rating[:40]!r} stars, expected {low:g} to {high:g} in steps of {low:g}"
