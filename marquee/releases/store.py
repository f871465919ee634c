"""Where releases are kept: a folder, or a bucket. Both do the same few things, safe among writers.

    store = open_store("s3://movies/models/ml-1m")     # or a folder: open_store("models/ml-1m")
    store.create("a.json", b"{}")                      # False: somebody was first
    store.swap("a.json", b"[]", store.read("a.json").etag)

What keeps two writers apart is the conditional write: `create` where nothing stands, `swap` where
still stands what was read (its ETag). Everything else may be repeated without harm.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST

Told = Callable[[int], object]
"""Called with the number of bytes that have gone over since the last call."""
AT_ONCE = 1 << 20
REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "it can be read only; name another folder, or mount it for writing",
    errno.EACCES: "this user may not; change its owner or mode",
    errno.EPERM: "this user may not; change its owner or mode",
}


class UnreachableError(InputError):
    """The store does not answer now; later it may."""


@dataclass(frozen=True)
class Stored:
    """A small object and what tells this content of it from another."""

    content: bytes
    etag: str


@dataclass(frozen=True)
class Listed:
    """An object by its key within the store."""

    key: str
    size: int
    modified: float
    """Unix seconds."""


class Store(Protocol):
    """Keys are relative, with slashes. Raises InputError: what was found, what to do next."""

    url: str

    def read(self, key: str) -> Stored | None:
        """A small object; None where there is none."""

    def newer(self, key: str, etag: str) -> Stored | None:
        """The same, but None also where it is still the one with this ETag: costs no transfer."""

    def create(self, key: str, content: bytes) -> bool:
        """Write where nothing stands yet; False, and nothing written, where something does."""

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        """Replace what has this ETag; False, and nothing written, where it has another by now."""

    def upload(self, path: Path, key: str, told: Told) -> None:
        """A file of any size; one that was broken off goes on where it was."""

    def download(self, key: str, path: Path, told: Told) -> None:
        """Into a file, which holds whatever came where this raises."""

    def listed(self, prefix: str) -> list[Listed]:
        """Every object whose key begins so, in the order of keys."""

    def delete(self, keys: list[str]) -> None:
        """Those that are not there are passed over."""

    def conditional(self) -> bool:
        """Whether `create` and `swap` really refuse: tried, as some servers ignore conditions."""


def open_store(url: str, *, allow_unconditional: bool = False) -> Store:
    """A store by its address: s3://bucket/prefix, or a folder, which is made when first written.

    allow_unconditional: also a server without conditional writes; then two who promote in the same
    second may overwrite each other.
    """
    if url.startswith("s3://"):
        from marquee.releases.s3_store import S3Store  # half a second, needed by few

        return S3Store(url, allow_unconditional)
    if not url:
        raise InputError("the store's address is empty; give s3://bucket/prefix or a folder")
    if "://" in url or url.startswith("s3:"):
        raise InputError(f"{url}: no such kind of store; give s3://bucket/prefix or a folder")
    return FolderStore(Path(url))


class FolderStore:
    """A folder of one file system that knows file locks and renames (not an object mount)."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file; name a folder, or s3://bucket/prefix")
        if (root / MANIFEST).exists():  # and would be none any more with something beside it
            raise InputError(f"{root}: is a bundle; name another folder, or s3://bucket/prefix")
        self.url, self._root = str(root), root

    def read(self, key: str) -> Stored | None:
        with self._faults(key):
            try:
                content = (self._root / key).read_bytes()
            except FileNotFoundError:
                return None
        return Stored(content, hashlib.sha256(content).hexdigest())

    def newer(self, key: str, etag: str) -> Stored | None:
        found = self.read(key)
        return None if found is None or found.etag == etag else found

    def create(self, key: str, content: bytes) -> bool:
        with self._faults(key), self._written(key, content) as new:
            try:
                os.link(new, self._root / key)
            except FileExistsError:
                return False
        return True

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        with self._faults(key), self._written(key, content) as new, self._locked():
            found = self.read(key)
            if found is None or found.etag != etag:
                return False
            new.replace(self._root / key)
        return True

    def upload(self, path: Path, key: str, told: Told) -> None:
        with self._faults(key), self._written(key, b"") as new, path.open("rb") as source:
            with new.open("wb") as target:
                while block := source.read(AT_ONCE):
                    target.write(block)
                    told(len(block))
                os.fsync(target.fileno())
            new.replace(self._root / key)

    def download(self, key: str, path: Path, told: Told) -> None:
        with self._faults(key):
            source = (self._root / key).open("rb")
        with source, path.open("wb") as target:  # a full disk here is not the store's fault
            while block := source.read(AT_ONCE):
                target.write(block)
                told(len(block))

    def listed(self, prefix: str) -> list[Listed]:
        top = self._root / prefix.rpartition("/")[0]
        found = []
        with self._faults(prefix):
            for path in sorted(top.rglob("*")):
                key = path.relative_to(self._root).as_posix()
                if path.is_file() and key.startswith(prefix) and not path.name.startswith("."):
                    found.append(Listed(key, path.stat().st_size, path.stat().st_mtime))
        return found

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            with self._faults(key):
                (self._root / key).unlink(missing_ok=True)
            folder = (self._root / key).parent
            if folder != self._root and folder.is_dir() and not _seen(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def conditional(self) -> bool:
        return True

    @contextmanager
    def _written(self, key: str, content: bytes) -> Iterator[Path]:
        """A file beside its place, on disk; gone afterwards where nobody has moved it."""
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            with new.open("wb") as file:
                file.write(content)
                os.fsync(file.fileno())
            yield new
        finally:
            new.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The kernel lets go of the lock of a process that dies."""
        with (self._root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _faults(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0, "look at that disk")
            raise InputError(f"{self._root / key}: {error.strerror}; {remedy}") from error


def _seen(folder: Path) -> bool:
    """Whether a folder has more than what a writer that was killed has left."""
    return any(not path.name.startswith(".") for path in folder.iterdir())
