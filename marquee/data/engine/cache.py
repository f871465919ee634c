"""Keep prepared data sets in DATA_CACHE/NAME-FINGERPRINT: verified, safe under two processes.

A folder appears complete, by a rename. Its manifest.json says what it was made of (format,
settings, size and SHA-256 of each source) and what it holds (size of each file, SHA-256 of small
ones).
Older folders of the same data set are removed; a process that has one open keeps what it mapped.
"""

import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from marquee.core.errors import InputError
from marquee.data.source_tables import SourceFile
from marquee.data.source_tables.paths import files_here

FORMAT = 1
MANIFEST = "manifest.json"
FINGERPRINT_DIGITS = 16
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EEXIST)
HASHED_BYTES = 1 << 23  # larger files are checked by their size


def cache_root() -> Path:
    """Return the folder of all prepared data sets: DATA_CACHE, else runs/data."""
    return Path(os.environ.get("DATA_CACHE") or "runs/data")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The sources and settings of a data set that is to be prepared."""

    name: str
    origin: str  # DATA_ROOT/NAME
    settings: dict[str, Any]

    def digest(self) -> str:
        content = json.dumps([FORMAT, asdict(self)], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()


def find(request: Request) -> Path | None:
    """Return the complete, undamaged folder of a request; None if there is none."""
    for folder in folders_of(request.name):
        manifest = read_manifest(folder)
        if manifest and manifest["request"] == request.digest() and _is_whole(folder, manifest):
            return folder
    return None


def folders_of(name: str) -> list[Path]:
    """Return the folders NAME-FINGERPRINT, whole or not."""
    return sorted(cache_root().glob(f"{glob.escape(name)}-{'[0-9a-f]' * FINGERPRINT_DIGITS}"))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if manifest.get("format") == FORMAT else None


def changed_source(folder: Path, paths: Sequence[str]) -> str | None:
    """Return "FILE has changed" of the first source that the folder was not made of.

    paths: the sources of the data set; a glob or a folder of them may hold a new file.
    """
    manifest = read_manifest(folder)
    sources = manifest["sources"] if manifest else ()
    for source in sources:
        path = Path(source["path"])
        if not path.is_file():
            continue
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) == (source["size"], source["mtime_ns"]):
            continue
        if stat.st_size != source["size"] or file_sha256(path) != source["sha256"]:
            return f"{path} has changed"
    known = {source["path"] for source in sources}
    files = (file for path in paths if "://" not in path for file in files_here(path))
    return next((f"{file} is new" for file in files if str(file.resolve()) not in known), None)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time prepare a data set; the others wait."""
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(root, error) from error
    try:
        with (root / f".{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise _not_written(root, error) from error


def _not_written(root: Path, error: OSError) -> InputError:
    return InputError(
        f"{root}: cannot be written ({error.strerror or error}), expected a writable folder "
        "with enough space; free some, or point DATA_CACHE to another folder"
    )


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """Yield a new folder in the cache; remove it at the end, and older leftovers."""
    for leftover in cache_root().glob(f".{glob.escape(name)}~*.part"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{name}~", suffix=".part", dir=cache_root(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def publish(folder: Path, request: Request, sources: Sequence[SourceFile]) -> Path:
    """Move a folder to its place in the cache, and remove the data set's older ones."""
    manifest = {
        "format": FORMAT,
        "request": request.digest(),
        "name": request.name,
        "origin": request.origin,
        "sources": [_resolved(source) for source in sources],
        "files": {file.name: _file_entry(file) for file in sorted(folder.iterdir())},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    contents = json.dumps([manifest["request"], [source.sha256 for source in sources]])
    fingerprint = hashlib.sha256(contents.encode()).hexdigest()[:FINGERPRINT_DIGITS]
    target = cache_root() / f"{request.name}-{fingerprint}"
    _remove(target)
    folder.rename(target)
    for other in folders_of(request.name):
        described = read_manifest(other)
        if other != target and (described is None or described["origin"] == request.origin):
            _remove(other)
    return target


def _remove(folder: Path) -> None:
    """Take a folder out of sight at once, then delete it."""
    hidden = folder.with_name(f".{folder.name[: -FINGERPRINT_DIGITS - 1]}~{uuid4().hex}.part")
    try:
        folder.rename(hidden)
    except OSError:
        return
    shutil.rmtree(hidden, ignore_errors=True)


def _is_whole(folder: Path, manifest: dict[str, Any]) -> bool:
    return all(
        (folder / name).is_file() and _file_entry(folder / name) == entry
        for name, entry in manifest["files"].items()
    )


def _file_entry(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"size": size, "sha256": file_sha256(path) if size <= HASHED_BYTES else None}


def _resolved(source: SourceFile) -> dict[str, Any]:
    path = Path(source.path)
    return asdict(source) | ({"path": str(path.resolve())} if path.is_file() else {})


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
