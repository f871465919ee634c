"""Cache of releases on this machine, verified when fetched and when used.

cache/<version>/        a bundle's folder; appears when every byte has been verified
cache/.part-<version>/  an interrupted pull; the next one resumes with its good files
cache/.good             the version that served last: the start without the store
"""

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marquee.core.errors import InputError
from marquee.core.files import read_json, sha256_of, sync, write_json
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.releases.pointer import Pointer
from marquee.releases.store import Store
from marquee.releases.versions import (
    FileProgress,
    current,
    find,
    no_progress,
    parse_manifest,
    repair_command,
)

GOOD = ".good"
MAX_RELEASES = 3
"""Releases in the cache: another process may be about to read the one before the last."""


def pull(
    store: Store,
    cache: str | Path,
    version: str | None = None,
    progress: FileProgress = no_progress,
) -> Path:
    """Return the folder of the current release, or of `version`.

    It is fetched if it is missing. Every file's sha256 is checked against the manifest, and the
    manifest's against the pointer. A copy that was damaged here is fetched again. Raises InputError
    if an object of the store is damaged or the disk is full; the cache then stays as it was.
    """
    pointer = _current(store) if version is None else find(store, version)
    return fetch(store, cache, pointer, progress)


def fetch(
    store: Store, cache: str | Path, pointer: Pointer, progress: FileProgress = no_progress
) -> Path:
    """Pull the release that a pointer names."""
    cache = Path(cache)
    with _explained_errors(cache), _exclusive(cache):
        folder = cache / pointer.version
        _remove_strays(folder)
        if is_complete(folder, pointer.manifest_sha256):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        part = cache / f".part-{pointer.version}"
        for stale in cache.glob(".part-*"):
            if stale != part:
                shutil.rmtree(stale)
        try:
            _fetch(store, part, pointer, progress)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)  # a full disk is not left full
            raise
        part.rename(folder)
        sync(cache)
        return folder


def is_complete(folder: Path, manifest_sha256: str) -> bool:
    """Return whether a folder is the bundle of this manifest, to the last byte."""
    try:
        if sha256_of(folder / MANIFEST) != manifest_sha256:
            return False
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        return all(sha256_of(folder / name) == files[name] for name in PARTS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def set_good(cache: str | Path, folder: Path) -> None:
    """Record the release that serves now, and delete old ones.

    A deleted one can be fetched again.
    """
    cache = Path(cache)
    with _explained_errors(cache), _exclusive(cache):
        record = {"version": folder.name, "manifest_sha256": sha256_of(folder / MANIFEST)}
        write_json(cache / GOOD, record, indent=None)
        folder.touch()
        folders = [path for path in cache.glob("[!.]*") if path.is_dir()]
        for old in sorted(folders, key=lambda path: -path.stat().st_mtime)[MAX_RELEASES:]:
            shutil.rmtree(old, ignore_errors=True)


def get_good(cache: str | Path) -> Path | None:
    """Return the folder that served last, if it is still complete."""
    try:
        record = read_json(Path(cache) / GOOD)
        folder = Path(cache) / record["version"]
        _remove_strays(folder)
        return folder if is_complete(folder, record["manifest_sha256"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verify(store: Store, version: str) -> list[str]:
    """List the faults of a version in the store; [] if it is intact to the last byte."""
    prefix = f"versions/{version}"
    manifest = store.read(f"{prefix}/{MANIFEST}")
    if manifest is None:
        return [f"{prefix}/{MANIFEST}: missing"]
    try:
        files = parse_manifest(manifest.content, store, version)["files"]
    except InputError as error:
        return [str(error)]
    keys, faults = {listed.key for listed in store.listed(f"{prefix}/")}, []
    with tempfile.TemporaryDirectory() as folder, _explained_errors(Path(folder)):
        for name in PARTS:
            path, key = Path(folder) / name, f"{prefix}/{name}"
            if key not in keys:
                faults.append(f"{key}: missing; {repair_command(store)}")
                continue
            store.download(key, path, lambda num_bytes: None)
            if sha256_of(path) != files[name]:
                faults.append(f"{key}: damaged; {repair_command(store)}")
            path.unlink()
    return faults


def _current(store: Store) -> Pointer:
    pointer = current(store)
    if pointer is None:
        raise InputError(
            f"{store.url}: nothing has been promoted, expected a version; "
            f"marquee releases promote VERSION {store.url}"
        )
    return pointer


def _fetch(store: Store, part: Path, pointer: Pointer, progress: FileProgress) -> None:
    prefix = f"versions/{pointer.version}"
    manifest = store.read(f"{prefix}/{MANIFEST}")
    if manifest is None:
        raise InputError(
            f"{store.url}/{prefix}: missing, expected the promoted version; "
            f"marquee releases promote VERSION {store.url}"
        )
    if hashlib.sha256(manifest.content).hexdigest() != pointer.manifest_sha256:
        raise _damaged(store, f"{prefix}/{MANIFEST}")
    files = parse_manifest(manifest.content, store, pointer.version)["files"]
    sizes = {listed.key: listed.size for listed in store.listed(f"{prefix}/")}
    part.mkdir(exist_ok=True)
    for name in PARTS:
        path, key = part / name, f"{prefix}/{name}"
        if path.exists() and sha256_of(path) == files[name]:
            continue
        if key not in sizes:
            raise _damaged(store, key)
        store.download(key, path, progress(name, sizes[key]))
        if sha256_of(path) != files[name]:
            path.unlink()
            raise _damaged(store, key)
        sync(path)
    (part / MANIFEST).write_bytes(manifest.content)
    sync(part / MANIFEST)
    sync(part)


def _damaged(store: Store, key: str) -> InputError:
    return InputError(
        f"{store.url}/{key}: damaged or missing, expected the file that was pushed; "
        f"{repair_command(store)}, or promote another"
    )


def _remove_strays(folder: Path) -> None:
    """Remove files that are not of a bundle: a folder that holds more is not read."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in {MANIFEST, *PARTS}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Let one process at a time into a cache; the kernel releases the lock of one that dies."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _explained_errors(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{cache}: {error.strerror or error}; mend it, or name another folder: "
            "BUNDLE_CACHE for the service, --cache for pull, TMPDIR for verify and promote"
        ) from error
