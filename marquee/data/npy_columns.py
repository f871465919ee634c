"""The layout of npy columns: any number of ratings as four .npy files, opened without reading.

    NAME/columns/user_id.npy      int32, ascending
    NAME/columns/movie_id.npy     int32
    NAME/columns/stars.npy        float32, 0.5 to 5 in steps of 0.5
    NAME/columns/timestamp.npy    int64, seconds since 1970
    NAME/movies.csv               and tags.csv, as in ml-25m

    blocks = [(user_id, movie_id, rating, timestamp)]     # one block, or an iterator of many
    write_columns(Path("data/mine"), blocks)              # then: load_dataset("mine", "data")

NAME is any but those of `layouts.LAYOUTS`. Each load checks every row.
"""

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core import memmap
from marquee.core.errors import InputError
from marquee.data.interactions import InteractionTable
from marquee.data.layouts import COLUMN_FILES, COLUMNS_FOLDER

DTYPES = (np.int32, np.int32, np.float32, np.int64)  # in the order of COLUMN_FILES
REMEDY = "write the columns again with marquee.data.npy_columns.write_columns (docs/data.md)"
Block = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


def write_columns(folder: Path, ratings: Iterable[Block]) -> None:
    """Write `folder`/columns, whole or not at all.

    ratings: blocks of user_id, movie_id, rating and timestamp, (N,) each, whose users ascend
    through all blocks. Values are checked when the data set is loaded. InputError if the columns
    exist already, or cannot be written.
    """
    target = folder / COLUMNS_FOLDER
    if target.exists():
        raise InputError(f"{target}: exists already, expected none; move it away and run again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".columns-", dir=folder) as scratch:
            (Path(scratch) / COLUMNS_FOLDER).mkdir()
            with ExitStack() as stack:
                paths = [Path(scratch) / name for name in COLUMN_FILES]
                _write_blocks([stack.enter_context(path.open("wb")) for path in paths], ratings)
            (Path(scratch) / COLUMNS_FOLDER).rename(target)
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror or error}), expected a writable disk "
            "with enough space; free some there"
        ) from error


def _write_blocks(files: list[BufferedWriter], ratings: Iterable[Block]) -> None:
    size = 0
    _write_headers(files, size)
    for block in ratings:
        for file, column, dtype in zip(files, block, DTYPES, strict=True):
            file.write(np.ascontiguousarray(column, dtype).data)
        size += len(block[0])
    _write_headers(files, size)


def _write_headers(files: list[BufferedWriter], size: int) -> None:
    """Write the headers; numpy leaves room for a length of any digits, so a second time fits."""
    for file, dtype in zip(files, DTYPES, strict=True):
        file.seek(0)
        descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
        header = {"descr": descr, "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(file, header)


def open_columns(folder: Path) -> InteractionTable:
    """Map the four columns; of their values only the order of users is checked."""
    user_id, movie_id, rating, timestamp = (
        _open(folder / name, dtype) for name, dtype in zip(COLUMN_FILES, DTYPES, strict=True)
    )
    table = InteractionTable(user_id, movie_id, rating, timestamp)
    sizes = [len(column) for column in table.columns]
    if len(set(sizes)) > 1:
        pairs = zip(COLUMN_FILES, sizes, strict=True)
        lengths = ", ".join(f"{Path(name).name} {size}" for name, size in pairs)
        raise InputError(
            f"{folder / COLUMNS_FOLDER}: the columns differ in length ({lengths}), expected one "
            f"length; {REMEDY}"
        )
    if len(table) == 0:
        raise InputError(f"{folder / COLUMNS_FOLDER}: no ratings, expected at least 1; {REMEDY}")
    row = table.first_fall()
    if row is not None:
        raise InputError(
            f"{folder / COLUMN_FILES[0]} row {row + 1}: user {user_id[row]} after user "
            f"{user_id[row - 1]}, expected ascending users; sort the ratings by user, and {REMEDY}"
        )
    return table


def _open(path: Path, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    try:
        column = memmap.open_npy(path)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: {error}, expected a complete .npy file; {REMEDY}") from None
    if column.dtype != dtype or column.ndim != 1:
        raise InputError(
            f"{path}: {column.dtype} of shape {column.shape}, expected {np.dtype(dtype)} of one "
            f"dimension; {REMEDY}"
        )
    return column
