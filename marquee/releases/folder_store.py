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
from marquee.core.files import atomic_path, sync, temporary_beside, write_atomic
from marquee.recommender.bundle import MANIFEST
from marquee.releases.store import ListedObject, StoredObject

REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EROFS: "it is read-only; name another folder, or mount it for writing",
    errno.EACCES: "this system user has no permission; change the owner or the mode",
    errno.EPERM: "this system user has no permission; change the owner or the mode",
}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time into a folder; a dead one's lock is released."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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

    def read(self, key: str, known_etag: str = "") -> StoredObject | None:
        with self._explained_errors(key):
            try:
                content = (self._root / key).read_bytes()
            except FileNotFoundError:
                return None
        etag = hashlib.sha256(content).hexdigest()
        return None if etag == known_etag else StoredObject(content, etag)

    def create(self, key: str, content: bytes) -> bool:
        path = self._root / key
        with self._explained_errors(key), temporary_beside(path) as new:
            new.write_bytes(content)
            sync(new)
            try:
                os.link(new, path)
            except FileExistsError:
                return False
        return True

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        with self._explained_errors(key), locked(self._root):
            current = self.read(key)
            if current is None or current.etag != etag:
                return False
            write_atomic(self._root / key, content, fsync=True)
        return True

    def upload(self, path: Path, key: str) -> None:
        with self._explained_errors(key), atomic_path(self._root / key, fsync=True) as new:
            shutil.copyfile(path, new)

    def download(self, key: str, path: Path, size: int) -> None:
        with self._explained_errors(key):
            source = (self._root / key).open("rb")
        with source, path.open("wb") as target:  # a full disk here is no error of the store
            shutil.copyfileobj(source, target)

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
            path = self._root / key
            with self._explained_errors(key):
                path.unlink(missing_ok=True)
            if path.parent != self._root and not any(path.parent.glob("[!.]*")):
                # What is left are temporary files of a writer that was killed.
                shutil.rmtree(path.parent, ignore_errors=True)

    def refuse_unconditional(self) -> None:
        """Do nothing: every folder keeps two writers apart."""

    @contextmanager
    def _explained_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = REMEDIES.get(error.errno or 0, "check that disk")
            raise InputError(f"{self._root / key}: {error.strerror}; {remedy}") from error
