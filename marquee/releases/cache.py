"""Releases on this machine: verified when they come, verified when they are used.

cache/<version>/        a bundle's folder, there only when every byte has been verified
cache/.part-<version>/  what has come of one so far; the next pull goes on with its good files
cache/.good             the version that answered last: what to start with without the store
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.releases.pointer import Pointer
from marquee.releases.store import Store
from marquee.releases.versions import Progress, again, current, find, read_manifest, unseen

GOOD = ".good"
KEPT = 3
"""Releases kept here: another process may be about to read the one before the last."""


def pull(
    store: Store, cache: str | Path, version: str | None = None, progress: Progress = unseen
) -> Path:
    """The folder of the current release, or of `version`, fetched where the cache has it not.

    Every file's sha256 is that of the manifest, and the manifest's that of the pointer. A copy that
    has been damaged here is fetched again. Raises InputError where an object of the store is damaged
    or the disk is full; what the cache held stays as it was.
    """
    return fetch(
        store, cache, _wanted(store) if version is None else find(store, version), progress
    )


def fetch(store: Store, cache: str | Path, wanted: Pointer, progress: Progress = unseen) -> Path:
    """`pull` of the release that a pointer names."""
    cache = Path(cache)
    with _faults(cache), _alone(cache):
        folder = cache / wanted.version
        _tidy(folder)
        if is_whole(folder, wanted.manifest_sha256):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        part = cache / f".part-{wanted.version}"
        for stale in cache.glob(".part-*"):
            if stale != part:
                shutil.rmtree(stale)
        try:
            _fetch(store, part, wanted, progress)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)  # a full disk is not left full
            raise
        part.rename(folder)
        _sync(cache)
        return folder


def is_whole(folder: Path, manifest_sha256: str) -> bool:
    """Whether a folder is the bundle of this manifest, to the last byte."""
    try:
        if _digest(folder / MANIFEST) != manifest_sha256:
            return False
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return all(_digest(folder / name) == files[name] for name in PARTS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def set_good(cache: str | Path, folder: Path) -> None:
    """Remember what answers now, and forget old ones: they can be fetched again."""
    cache = Path(cache)
    with _faults(cache), _alone(cache):
        said = {"version": folder.name, "manifest_sha256": _digest(folder / MANIFEST)}
        new = cache / f"{GOOD}.new"
        new.write_text(json.dumps(said))
        new.replace(cache / GOOD)
        folder.touch()
        held = [path for path in cache.glob("[!.]*") if path.is_dir()]
        for old in sorted(held, key=lambda path: -path.stat().st_mtime)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def get_good(cache: str | Path) -> Path | None:
    """The folder that answered last, where it is still whole."""
    try:
        said = json.loads((Path(cache) / GOOD).read_text())
        folder = Path(cache) / said["version"]
        _tidy(folder)
        return folder if is_whole(folder, said["manifest_sha256"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verify(store: Store, version: str) -> list[str]:
    """What is wrong with a version in the store, read to the last byte; nothing is well."""
    where = f"versions/{version}"
    found = store.read(f"{where}/{MANIFEST}")
    if found is None:
        return [f"{where}/{MANIFEST}: missing"]
    try:
        files = read_manifest(found.content, store, version)["files"]
    except InputError as error:
        return [str(error)]
    there, wrong = {each.key for each in store.listed(f"{where}/")}, []
    with tempfile.TemporaryDirectory() as folder, _faults(Path(folder)):
        for name in PARTS:
            path, key = Path(folder) / name, f"{where}/{name}"
            if key not in there:
                wrong.append(f"{key}: missing; {again(store)}")
                continue
            store.download(key, path, lambda taken: None)
            if _digest(path) != files[name]:
                wrong.append(f"{key}: damaged; {again(store)}")
            path.unlink()
    return wrong


def _wanted(store: Store) -> Pointer:
    pointer = current(store)
    if pointer is None:
        raise InputError(
            f"{store.url}: nothing has been promoted; marquee releases promote VERSION {store.url}"
        )
    return pointer


def _fetch(store: Store, part: Path, wanted: Pointer, progress: Progress) -> None:
    where = f"versions/{wanted.version}"
    found = store.read(f"{where}/{MANIFEST}")
    if found is None:
        raise InputError(
            f"{store.url}/{where}: not there; marquee releases promote VERSION {store.url}"
        )
    if hashlib.sha256(found.content).hexdigest() != wanted.manifest_sha256:
        raise _damaged(store, f"{where}/{MANIFEST}")
    files = read_manifest(found.content, store, wanted.version)["files"]
    sizes = {each.key: each.size for each in store.listed(f"{where}/")}
    part.mkdir(exist_ok=True)
    for name in PARTS:
        path, key = part / name, f"{where}/{name}"
        if path.exists() and _digest(path) == files[name]:
            continue
        if key not in sizes:
            raise _damaged(store, key)
        store.download(key, path, progress(name, sizes[key]))
        if _digest(path) != files[name]:
            path.unlink()
            raise _damaged(store, key)
        _sync(path)
    (part / MANIFEST).write_bytes(found.content)
    _sync(part / MANIFEST)
    _sync(part)


def _damaged(store: Store, key: str) -> InputError:
    return InputError(
        f"{store.url}/{key}: damaged or missing; {again(store)}, or promote another version"
    )


def _tidy(folder: Path) -> None:
    """Remove what is not of a bundle: one that holds more is not read."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in {MANIFEST, *PARTS}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process at a time in a cache; the kernel lets go of the lock of one that dies."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _faults(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{cache}: {error.strerror or error}; put that right, or name another folder: "
            "BUNDLE_CACHE for the service, --cache for pull, TMPDIR for what is only looked at"
        ) from error
