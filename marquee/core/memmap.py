"""Arrays in temporary files, and the chunks in which long columns are processed.

    column = memmap.zeros(100_000_000, np.int32)     # 400 MB of disk; memory holds what is in use
    for rows in memmap.iter_chunks(len(column)):
        column[rows] = 7

The file has no name: it disappears with the array, however the process ends, and no other process
can open it. Its pages leave this process after each chunk, so what is resident is one chunk. The
system keeps the pages as long as it has room, and the next pass reads them from there. Files lie in
TMPDIR, else in /var/tmp, because /tmp may itself be memory.
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
CHUNK_ROWS = 1 << 18
"""Ratings processed at once: their intermediate arrays take some 20 MB, whatever the total."""


def zeros(size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return (size,) zeros in a temporary file.

    InputError if the disk is too full for it.
    """
    num_bytes = size * np.dtype(dtype).itemsize
    if num_bytes == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    try:
        with tempfile.TemporaryFile(dir=scratch_folder()) as file:
            reserve(file.fileno(), num_bytes)
            memory = mmap.mmap(file.fileno(), num_bytes)
            _MAPS.add(memory)
            return np.frombuffer(memory, dtype)
    except OSError as error:
        raise InputError(
            f"{scratch_folder()}: no space for {num_bytes / 1e6:,.0f} MB of temporary files "
            f"({error.strerror or error}), expected more; free some, or point TMPDIR to a larger "
            "disk"
        ) from error


def open_npy(path: Path) -> npt.NDArray[Any]:
    """Map the array of a .npy file, read-only.

    Raises ValueError, OSError or EOFError if the file is incomplete.
    """
    array = np.load(path, mmap_mode="r")
    _MAPS.add(array._mmap)
    return np.asarray(array)


def release_pages() -> None:
    """Return the memory of mapped arrays to the system.

    Their contents stay in the files.
    """
    for memory in tuple(_MAPS):
        memory.madvise(mmap.MADV_DONTNEED)


def scratch_folder() -> Path:
    """Return TMPDIR, else /var/tmp where it can be written, else Python's choice."""
    var = Path("/var/tmp")
    return Path(
        os.environ.get("TMPDIR") or (var if os.access(var, os.W_OK) else tempfile.gettempdir())
    )


def reserve(file: int, num_bytes: int) -> None:
    """Allocate disk space now.

    A disk that fills up later would end the process by a signal.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, num_bytes)
    else:  # macOS
        os.truncate(file, num_bytes)


def iter_chunks(size: int, chunk_rows: int | None = None) -> Iterator[slice]:
    """Yield the rows 0 to `size`, `chunk_rows` (else CHUNK_ROWS) at a time."""
    chunk_rows = chunk_rows or CHUNK_ROWS
    for start in range(0, size, chunk_rows):
        yield slice(start, min(start + chunk_rows, size))
        release_pages()


def iter_user_chunks(indptr: Int64) -> Iterator[tuple[slice, slice]]:
    """Yield users, and their rows, in chunks that split no user.

    A chunk holds as many users as have CHUNK_ROWS ratings together, and one at least.
    """
    start, num_users = 0, len(indptr) - 1
    while start < num_users:
        fitting = int(np.searchsorted(indptr, indptr[start] + CHUNK_ROWS, side="right")) - 1
        stop = min(max(fitting, start + 1), num_users)
        yield slice(start, stop), slice(int(indptr[start]), int(indptr[stop]))
        release_pages()
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
    """Return the different values, ascending."""
    values = np.zeros(0, np.int64)
    for rows in iter_chunks(len(column)):
        values = np.union1d(values, column[rows])
    return values
