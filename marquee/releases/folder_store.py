"""A store of releases in a folder."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marquee.core.errors import InputError
from marquee.core.files import BLOCK_BYTES, temporary_beside
from marquee.recommender.bundle import MANIFEST
from marquee.releases.store import ListedObject, ProgressCallback, StoredObject

REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "it is read-only; name another folder, or mount it for writing",
    errno.EACCES: "this system user has no permission; change the owner or the mode",
    errno.EPERM: "this system user has no permission; change the owner or the mode",
}


class FolderStore:
    """A store in a folder of one file system.

    The file system knows file locks and renames; an object mount does not.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise InputError(f"{root}: is a file, expected a folder or s3://bucket/prefix")
        if (root / MANIFEST).exists():  # a file beside it would damage the bundle
            raise InputError(f"{root}: is a bundle, expected another folder or s3://bucket/prefix")
        self.url, self._root = str(root), root

    def read(self, key: str) -> StoredObject | None:
        with self._explained_errors(key):
            try:
                content = (self._root / key).read_bytes()
            except FileNotFoundError:
                return None
        return StoredObject(content, hashlib.sha256(content).hexdigest())

    def read_if_changed(self, key: str, etag: str) -> StoredObject | None:
        current = self.read(key)
        return None if current is None or current.etag == etag else current

    def create(self, key: str, content: bytes) -> bool:
        with self._explained_errors(key), self._temporary(key, content) as new:
            try:
                os.link(new, self._root / key)
            except FileExistsError:
                return False
        return True

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        with self._explained_errors(key), self._temporary(key, content) as new, self._locked():
            current = self.read(key)
            if current is None or current.etag != etag:
                return False
            new.replace(self._root / key)
        return True

    def upload(self, path: Path, key: str, progress: ProgressCallback) -> None:
        with (
            self._explained_errors(key),
            self._temporary(key, b"") as new,
            path.open("rb") as source,
        ):
            with new.open("wb") as target:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    progress(len(block))
                os.fsync(target.fileno())
            new.replace(self._root / key)

    def download(self, key: str, path: Path, progress: ProgressCallback) -> None:
        with self._explained_errors(key):
            source = (self._root / key).open("rb")
        with source, path.open("wb") as target:  # a full disk here is no error of the store
            while block := source.read(BLOCK_BYTES):
                target.write(block)
                progress(len(block))

    def listed(self, prefix: str) -> list[ListedObject]:
        top = self._root / prefix.rpartition("/")[0]
        objects = []
        with self._explained_errors(prefix):
            for path in sorted(top.rglob("*")):
                key = path.relative_to(self._root).as_posix()
                if path.is_file() and key.startswith(prefix) and not path.name.startswith("."):
                    objects.append(ListedObject(key, path.stat().st_size, path.stat().st_mtime))
        return objects

    def delete(self, keys: list[str]) -> None:
        for key in keys:
            with self._explained_errors(key):
                (self._root / key).unlink(missing_ok=True)
            folder = (self._root / key).parent
            if folder != self._root and folder.is_dir() and not _has_objects(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def conditional(self) -> bool:
        return True

    @contextmanager
    def _temporary(self, key: str, content: bytes) -> Iterator[Path]:
        """Yield a synced file beside its place; removed afterwards unless it was moved."""
        with temporary_beside(self._root / key) as new:
            with new.open("wb") as file:
                file.write(content)
                os.fsync(file.fileno())
            yield new

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the store; the kernel releases that of a process that dies."""
        with (self._root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _explained_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0, "check that disk")
            raise InputError(f"{self._root / key}: {error.strerror}; {remedy}") from error


def _has_objects(folder: Path) -> bool:
    """Return whether more is left than the temporary files of a writer that was killed."""
    return any(not path.name.startswith(".") for path in folder.iterdir())
