"""Files that appear whole or not at all, and JSON in and out.

    write_atomic(path, b"...")                       # bytes or text
    with atomic_path(path) as part: part.write_bytes(...)

A file is written beside its place and renamed into it, so that a reader never meets half of one and
a stop leaves the file that was there. Concurrent writers of one file do not meet: the last rename
wins. This does not survive a power cut unless `fsync` is set.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

BLOCK_BYTES = 1 << 20


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a new path beside `path`; removed at the end unless it was moved.

    The folder is created if it is missing. The name is hidden (.NAME.UUID.part), and another one at
    every call. A process that is killed leaves its file there, which nothing reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path, *, fsync: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` that takes its place at the end; removed on an error.

    The folder is created if it is missing. fsync: also wait until the disk has file and name.
    """
    path = Path(path)
    with temporary_beside(path) as part:
        yield part
        if fsync:
            sync(part)
        part.replace(path)
        if fsync:
            sync(path.parent)


def write_atomic(path: str | Path, content: bytes | str, *, fsync: bool = False) -> Path:
    """Write a whole file, or leave the old one; text is UTF-8 with "\\n" line ends."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path, fsync=fsync) as part:
        part.write_bytes(data)
    return Path(path)


def write_json(path: str | Path, content: Any, indent: int | None = 1) -> Path:
    """Write JSON and a line end, whole or not at all; keys keep their order."""
    return write_atomic(path, json.dumps(content, indent=indent) + "\n")


def read_json(path: str | Path, default: Any = None) -> Any:
    """Read JSON; `default` if there is no such file."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return default


def sha256_of(path: str | Path) -> str:
    """Return the 64 hex digits of a file's SHA-256, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
