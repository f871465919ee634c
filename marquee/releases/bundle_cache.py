"""Cache of releases on this machine, verified when fetched and when used.

cache/<version>/        a bundle's folder; appears when every byte has been verified
cache/.part-<version>/  an interrupted pull; the next one keeps its good files
cache/.good             the version that served last: the start without the store
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marquee.core.errors import InputError
from marquee.core.files import read_json, sha256_of, sync, write_json
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.releases.folder_store import locked
from marquee.releases.pointer import Pointer
from marquee.releases.store import Store, UnreachableError
from marquee.releases.versions import (
    current,
    find,
    nothing_promoted,
    read_manifest,
    repair_command,
)

GOOD = ".good"
MAX_RELEASES = 3
"""Releases in the cache: another process may be about to read the one before the last."""


def pull(store: Store, cache: str | Path, version: str | None = None) -> Path:
    """Return the folder of the current release, or of `version`.

    It is fetched if it is missing. Every file's sha256 is checked against the manifest, and the
    manifest's against the pointer. A copy that was damaged here is fetched again. Raises InputError
    if an object of the store is damaged or the disk is full; the cache then stays as it was.
    """
    pointer = current(store) if version is None else find(store, version)
    if pointer is None:
        raise nothing_promoted(store)
    return fetch(store, Path(cache), pointer)


def fetch(store: Store, cache: Path, pointer: Pointer) -> Path:
    """Pull the release that a pointer names."""
    with _explained_errors(cache), locked(cache):
        folder, part = cache / pointer.version, cache / f".part-{pointer.version}"
        _remove_strays(folder)
        if is_complete(folder, pointer.manifest_sha256):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        for stale in set(cache.glob(".part-*")) - {part}:
            shutil.rmtree(stale)
        try:
            _fetch(store, part, pointer)
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
        files = read_json(folder / MANIFEST)["files"]
        return all(sha256_of(folder / name) == files[name] for name in PARTS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def set_good(cache: str | Path, folder: Path) -> None:
    """Record the release that serves now, and delete old ones."""
    cache = Path(cache)
    with _explained_errors(cache), locked(cache):
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
    try:
        _, manifest = read_manifest(store, version)
    except UnreachableError:
        raise
    except InputError as error:
        return [str(error)]
    sizes, faults = {listed.key: listed.size for listed in store.listed(f"{prefix}/")}, []
    with tempfile.TemporaryDirectory() as folder, _explained_errors(Path(folder)):
        for name in PARTS:
            path, key = Path(folder) / name, f"{prefix}/{name}"
            if fault := _download(store, key, path, sizes, manifest["files"][name]):
                faults.append(f"{key}: {fault}; {repair_command(store)}")
            path.unlink(missing_ok=True)
    return faults


def _fetch(store: Store, part: Path, pointer: Pointer) -> None:
    prefix = f"versions/{pointer.version}"
    manifest_bytes, manifest = read_manifest(store, pointer.version)
    if hashlib.sha256(manifest_bytes).hexdigest() != pointer.manifest_sha256:
        raise _damaged(store, f"{prefix}/{MANIFEST}", "damaged")
    sizes = {listed.key: listed.size for listed in store.listed(f"{prefix}/")}
    part.mkdir(exist_ok=True)
    for name in PARTS:
        path, key, sha256 = part / name, f"{prefix}/{name}", manifest["files"][name]
        if path.exists() and sha256_of(path) == sha256:
            continue
        if fault := _download(store, key, path, sizes, sha256):
            raise _damaged(store, key, fault)
        sync(path)
    (part / MANIFEST).write_bytes(manifest_bytes)
    sync(part / MANIFEST)
    sync(part)


def _download(store: Store, key: str, path: Path, sizes: dict[str, int], sha256: str) -> str:
    """Fetch a file; return "" if it is intact, else what is wrong with the object."""
    if key not in sizes:
        return "missing"
    store.download(key, path, sizes[key])
    if sha256_of(path) == sha256:
        return ""
    path.unlink()
    return "damaged"


def _damaged(store: Store, key: str, fault: str) -> InputError:
    return InputError(
        f"{store.url}/{key}: {fault}, expected the file that was pushed; "
        f"{repair_command(store)}, or promote another"
    )


def _remove_strays(folder: Path) -> None:
    """Remove files that are not of a bundle: a folder that holds more is not read."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in {MANIFEST, *PARTS}:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def _explained_errors(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{cache}: {error.strerror or error}; mend it, or name another folder: "
            "BUNDLE_CACHE for the service, --cache for pull, TMPDIR for verify and promote"
        ) from error
