"""Files and folders that appear complete or not at all, JSON, and nested settings.

All is written beside its place and renamed into it, so that a reader never meets half of it and a
stop leaves what was there. Of concurrent writers the last rename wins. A power cut may lose the
file unless `fsync` is set.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a new hidden path, .NAME.UUID.part; removed unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path, *, fsync: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` that takes its place at the end; removed on an error."""
    path = Path(path)
    with temporary_beside(path) as part:
        yield part
        if fsync:
            sync(part)
        part.replace(path)
        if fsync:
            sync(path.parent)


@contextmanager
def atomic_folder(folder: str | Path, *, fsync: bool = False) -> Iterator[Path]:
    """Yield a folder that takes the place of `folder` at the end; removed on an error.

    A folder that was there is moved aside first, and back where the second rename fails.
    """
    folder = Path(folder)
    with temporary_beside(folder) as part, temporary_beside(folder) as previous:
        part.mkdir()
        yield part
        if fsync:
            for file in part.iterdir():
                sync(file)
        try:
            if folder.exists():
                folder.rename(previous)
            part.rename(folder)
        finally:
            if previous.exists() and not folder.exists():
                previous.rename(folder)


def write_atomic(path: str | Path, content: bytes | str, *, fsync: bool = False) -> Path:
    """Write a file, or leave the old one; text is UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path, fsync=fsync) as part:
        part.write_bytes(data)
    return Path(path)


def write_json(path: str | Path, content: Any, indent: int | None = 1) -> Path:
    """Write JSON and a line end, complete or not at all; keys keep their order."""
    return write_atomic(path, json.dumps(content, indent=indent) + "\n")


def read_json(path: str | Path, default: Any = None) -> Any:
    """Read JSON; `default` if there is no such file."""
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return default


def sha256_of(path: str | Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested settings by their dotted names; a list is a value.

    >>> flatten({"data": {"ties": "hash"}, "seeds": [0, 1]})
    {'data.ties': 'hash', 'seeds': [0, 1]}
    """
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


def without_none(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Drop settings that are None, group by group."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if value is not None
    }
