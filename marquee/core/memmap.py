"""Arrays that lie in files, and the blocks in which long columns are worked through.

    column = mapped(100_000_000, np.int32)     # 400 MB of disk; memory holds what is in use
    for rows in blocks(len(column)):
        column[rows] = 7

The file has no name, so it is gone with the array, however the process ends, and no other process
can meet it. Its pages leave this process after each block, and stay with the system as long as it
has room: the next pass finds them there, and what is resident is a block. Files lie in TMPDIR, else
in /var/tmp: /tmp may itself be memory.
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

from marquee.core.errors import InputError

_MAPS: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
BLOCK_ROWS = 1 << 18
"""Ratings handled at once: what is computed on the way takes some 20 MB, whatever their number."""


def mapped(size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """(size,) zeros in a file. InputError where the disk has no room for it."""
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
            f"{num_bytes / 1e6:,.0f} MB of temporary files do not fit into {scratch_folder()} "
            f"({error.strerror or error}); make room there, or point TMPDIR to a larger disk."
        ) from error


def opened(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy file, to be read only. ValueError, OSError or EOFError where it is not
    whole."""
    array = np.load(path, mmap_mode="r")
    _MAPS.add(array._mmap)
    return np.asarray(array)


def let_go() -> None:
    """Give back the memory of what was read and written of mapped arrays; nothing is lost."""
    for each in tuple(_MAPS):
        each.madvise(mmap.MADV_DONTNEED)


def scratch_folder() -> Path:
    """TMPDIR, else /var/tmp where it can be written, else Python's choice."""
    var = Path("/var/tmp")
    return Path(
        os.environ.get("TMPDIR") or (var if os.access(var, os.W_OK) else tempfile.gettempdir())
    )


def reserve(file: int, num_bytes: int) -> None:
    """Take the room now: a disk that is full later would end the process by a signal."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, num_bytes)
    else:  # macOS
        os.truncate(file, num_bytes)


def blocks(size: int, most: int | None = None) -> Iterator[slice]:
    """Rows 0 to size, `most` (else BLOCK_ROWS) at a time."""
    most = most or BLOCK_ROWS
    for start in range(0, size, most):
        yield slice(start, min(start + most, size))
        let_go()


def people_blocks(indptr: npt.NDArray[np.int64]) -> Iterator[tuple[slice, slice]]:
    """Whole people, as many as have BLOCK_ROWS ratings together (one at least), and their rows."""
    first, num_people = 0, len(indptr) - 1
    while first < num_people:
        fitting = int(np.searchsorted(indptr, indptr[first] + BLOCK_ROWS, side="right")) - 1
        end = min(max(fitting, first + 1), num_people)
        yield slice(first, end), slice(int(indptr[first]), int(indptr[end]))
        let_go()
        first = end


def kept(column: npt.NDArray[Any], keep_N: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """column[keep_N], mapped."""
    out = mapped(int(np.count_nonzero(keep_N)), column.dtype)
    end = 0
    for rows in blocks(len(column)):
        part = column[rows][keep_N[rows]]
        out[end : end + len(part)] = part
        end += len(part)
    return out


def distinct(column: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The different values, ascending."""
    found = np.zeros(0, np.int64)
    for rows in blocks(len(column)):
        found = np.union1d(found, column[rows])
    return found
