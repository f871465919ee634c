"""Arrays in temporary files, and the chunks in which long columns are processed.

    column = memmap.zeros(100_000_000, np.int32)     # 400 MB of disk; memory holds what is in use
    for rows in memmap.iter_chunks(len(column)):
        column[rows] = 7

The file has no name: it disappears with the array, however the process ends. Its pages leave this
process after each chunk, so one chunk is resident.
"""

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import AnyInt, Bools, Int64
from marquee.core.errors import InputError

_MAPS: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
CHUNK_ROWS = 1 << 18  # processed at once: intermediate arrays take some 20 MB


def zeros(size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return (size,) zeros in a temporary file; InputError if the disk is full."""
    num_bytes = size * np.dtype(dtype).itemsize
    if num_bytes == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    try:
        with tempfile.TemporaryFile(dir=scratch_folder()) as file:
            _reserve(file.fileno(), num_bytes)
            memory = mmap.mmap(file.fileno(), num_bytes)
    except OSError as error:
        raise InputError(
            f"{scratch_folder()}: no space for {num_bytes / 1e6:,.0f} MB of temporary files "
            f"({error.strerror or error}), expected more; point TMPDIR to a larger disk"
        ) from error
    _MAPS.add(memory)
    return np.frombuffer(memory, dtype)


def open_npy(path: Path) -> npt.NDArray[Any]:
    """Map a .npy file, read-only; ValueError, OSError or EOFError if it is incomplete."""
    array = np.load(path, mmap_mode="r")
    _MAPS.add(array._mmap)
    return np.asarray(array)


def scratch_folder() -> Path:
    """Return TMPDIR, else a writable /var/tmp (/tmp may be memory), else Python's."""
    var = Path("/var/tmp")
    return Path(
        os.environ.get("TMPDIR") or (var if os.access(var, os.W_OK) else tempfile.gettempdir())
    )


def iter_chunks(size: int, chunk_rows: int | None = None) -> Iterator[slice]:
    """Yield the rows 0 to `size`, `chunk_rows` (else CHUNK_ROWS) at a time."""
    chunk_rows = chunk_rows or CHUNK_ROWS
    for start in range(0, size, chunk_rows):
        yield slice(start, min(start + chunk_rows, size))
        _release_pages()


def iter_user_chunks(indptr: Int64, num_rows: int | None = None) -> Iterator[tuple[slice, slice]]:
    """Yield users, and their rows, in chunks of about `num_rows` that split no user.

    num_rows: CHUNK_ROWS by default.
    """
    start, num_users = 0, len(indptr) - 1
    while start < num_users:
        end_row = indptr[start] + (num_rows or CHUNK_ROWS)
        fitting = int(np.searchsorted(indptr, end_row, side="right")) - 1
        stop = min(max(fitting, start + 1), num_users)
        yield slice(start, stop), slice(int(indptr[start]), int(indptr[stop]))
        _release_pages()
        start = stop


def compress(mask_N: Bools, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return `column[mask_N]` in a temporary file (`np.compress` for mapped arrays)."""
    selected = zeros(int(np.count_nonzero(mask_N)), column.dtype)
    size = 0
    for rows in iter_chunks(len(column)):
        values = column[rows][mask_N[rows]]
        selected[size : size + len(values)] = values
        size += len(values)
    return selected


def unique(column: AnyInt) -> Int64:
    values = np.zeros(0, np.int64)
    for rows in iter_chunks(len(column)):
        values = np.union1d(values, column[rows])
    return values


def _reserve(file: int, num_bytes: int) -> None:
    """Allocate disk space now: a disk that fills up later would end the process by a signal."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, num_bytes)
    else:  # macOS
        os.truncate(file, num_bytes)


def _release_pages() -> None:
    for memory in tuple(_MAPS):
        memory.madvise(mmap.MADV_DONTNEED)
