"""Write numbered, sorted rows as columns; fold the rows of one user and item into one.

Rows come in batches from DuckDB by user, then time. A batch is cut where a user ends, so that
memory holds one batch and the rows of one user.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from marquee.core.arrays import Float32, Int64
from marquee.core.errors import InputError

BATCH_ROWS = 1 << 19
DTYPES: dict[str, npt.DTypeLike] = {
    "item": np.int32,
    "rating": np.float32,
    "timestamp": np.int64,
    "watched": np.float32,
    "strength": np.float32,
    "part": np.int8,
}
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Written:
    num_rows: int
    num_folded: int


class NpyFile:
    """A .npy file of one dimension that grows; its header is completed at the end."""

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self._stream = path.open("wb")
        self._dtype, self._size = np.dtype(dtype), 0
        self._write_header()

    def append(self, values: npt.NDArray[Any]) -> None:
        self._stream.write(np.ascontiguousarray(values, self._dtype).data)
        self._size += len(values)

    def _write_header(self) -> None:
        """Write the header; numpy leaves room for a length of any digits, so a second one fits."""
        self._stream.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._size,),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)

    def close(self) -> None:
        self._write_header()
        self._stream.close()


def write_columns(
    batches: Iterator[pa.RecordBatch], folder: Path, *, num_users: int, repeats: str
) -> Written:
    """Write NAME.npy of each column, and indptr.npy of the users.

    batches: columns `user` (rows of the users, ascending) and those of DTYPES. repeats: `last`,
    `sum` or `keep`, see `fold`. InputError where the disk is full.
    """
    length_U = np.zeros(num_users, np.int64)
    files: dict[str, NpyFile] = {}
    num_read = 0
    is_counted = False
    try:
        for columns in iter_users(batches):
            num_read += len(columns["user"])
            columns = fold(columns, repeats)
            user = columns.pop("user")
            first = int(user[0]) if len(user) else 0
            lengths = np.bincount(user - first)
            length_U[first : first + len(lengths)] = lengths
            is_counted = is_counted or ("count" in columns and bool((columns["count"] > 1).any()))
            for name, values in columns.items():
                if name not in files:
                    dtype = np.float32 if name == "count" else DTYPES[name]
                    files[name] = NpyFile(folder / f"{name}.npy", dtype)
                files[name].append(values)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}), expected a writable disk "
            "with enough space; free some, or point DATA_CACHE to a larger disk"
        ) from error
    finally:
        for file in files.values():
            file.close()
    np.save(folder / "indptr.npy", np.concatenate([[0], np.cumsum(length_U)]))
    _name_counts(folder, is_counted)
    return Written(int(length_U.sum()), num_read - int(length_U.sum()))


def _name_counts(folder: Path, is_counted: bool) -> None:
    """Keep numbers of plays as strength, where any is more than 1."""
    counts = folder / "count.npy"
    if is_counted:
        counts.rename(folder / "strength.npy")
    else:
        counts.unlink(missing_ok=True)


def iter_users(batches: Iterator[pa.RecordBatch]) -> Iterator[Columns]:
    """Yield the rows in batches that split no user."""
    waiting: list[Columns] = []
    for batch in batches:
        columns = _arrays(batch)
        user = columns["user"]
        if not len(user):
            continue
        start = int(np.searchsorted(user, user[-1]))  # the last user may go on in the next batch
        if start:
            waiting.append({name: column[:start] for name, column in columns.items()})
        if start or (waiting and waiting[-1]["user"][-1] != user[0]):
            yield _join(waiting)
            waiting = []
        waiting.append({name: column[start:] for name, column in columns.items()})
    if waiting:
        yield _join(waiting)


def _arrays(batch: pa.RecordBatch) -> Columns:
    """Return the columns of a batch without nulls (pyarrow's own `to_numpy` imports pandas)."""
    return {
        name: np.from_dlpack(column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def _join(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def fold(columns: Columns, repeats: str) -> Columns:
    """Fold the rows of one user, item and part into their last; the order stays.

    `last`: the last rating, watched share and strength that is known counts. `sum`: watched shares
    (up to 1) and strengths are added up; without strength, `count` is the number of rows. `keep`:
    all rows stay.
    """
    if repeats == "keep":
        return columns
    if repeats == "sum" and "strength" not in columns:
        columns = columns | {"count": np.ones(len(columns["user"]), np.float32)}
    pair = _pairs(columns)
    ascending = np.sort(pair)
    if (ascending[1:] != ascending[:-1]).all():
        return columns
    order = np.argsort(pair, kind="stable")
    start = np.flatnonzero(np.append(True, pair[order][1:] != pair[order][:-1]))
    last = order[np.append(start[1:], len(order)) - 1]
    folded = {name: column[last] for name, column in columns.items()}
    for name in {"rating", "watched", "strength", "count"} & set(columns):
        is_added = name == "count" or (repeats == "sum" and name != "rating")
        reduce = _totals if is_added else _last_known
        folded[name] = reduce(columns[name][order], start)
    if repeats == "sum" and "watched" in folded:
        folded["watched"] = np.minimum(folded["watched"], 1)
    in_order = np.argsort(last, kind="stable")
    return {name: column[in_order] for name, column in folded.items()}


def _pairs(columns: Columns) -> Int64:
    """Return one number for each user, item and part; a batch has less than 2**31 users."""
    user, item = columns["user"].astype(np.int64), columns["item"].astype(np.int64)
    pair = (user - user[0]) * (int(item.max()) + 1) + item
    return pair * 3 + columns["part"] if "part" in columns else pair


def _last_known(values: Float32, start: Int64) -> Float32:
    known = np.where(np.isnan(values), -1, np.arange(len(values)))
    row = np.maximum.reduceat(known, start)
    is_known = row >= start
    return np.where(is_known, values[row], np.float32(np.nan)).astype(np.float32)


def _totals(values: Float32, start: Int64) -> Float32:
    is_known = np.add.reduceat(~np.isnan(values), start, dtype=np.int64) > 0
    total = np.add.reduceat(np.nan_to_num(values.astype(np.float64)), start)
    return np.where(is_known, total, np.nan).astype(np.float32)
