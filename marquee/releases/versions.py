"""Versions of a model in a store: push, promote, roll back, prune.

    versions/<16 hex of model_version>/   the bundle's files and MODEL_CARD.md, never changed again.
                                          bundle.json comes last: without it the version does not
                                          exist
    current.json                          the version that serves: the one object that changes

A version is named by its content, so pushing twice is pushing once. A promotion names the pointer
that it has read, so that of two at the same time one wins.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS, is_intact, read_bundle
from marquee.releases.pointer import NAME, NAME_LENGTH, POINTER, Pointer
from marquee.releases.store import ProgressCallback, Store, StoredObject

CARD = "MODEL_CARD.md"
MAX_PREVIOUS = 10
"""Versions that `rollback` can go back through."""
FileProgress = Callable[[str, int], ProgressCallback]
"""Called with a file's name and size; returns the callback for its bytes."""


def no_progress(name: str, size: int) -> ProgressCallback:
    """Show no progress."""
    return lambda num_bytes: None


@dataclass(frozen=True)
class Version:
    """One release, as `list_versions` returns it."""

    version: str
    size: int
    """Bytes of all its files."""
    pushed: float
    """Unix seconds."""


def push(
    bundle: str | Path,
    store: Store,
    card: str = "",
    *,
    repair: bool = False,
    progress: FileProgress = no_progress,
) -> tuple[str, bool]:
    """Push a bundle to the store; return its version and True where it is new there.

    The bundle is read and verified first. An interrupted push resumes. A file that is stored in its
    size is sent again only with `repair`, which mends a version that `verify` finds damaged. Raises
    InputError for a damaged bundle, and where another manifest is stored under its name.
    """
    folder = Path(bundle)
    manifest = read_bundle(folder).manifest
    version, raw = manifest["model_version"][:NAME_LENGTH], (folder / MANIFEST).read_bytes()
    prefix = f"versions/{version}"
    sizes = {stored.key: stored.size for stored in store.listed(f"{prefix}/")}
    for name in PARTS:
        path, key = folder / name, f"{prefix}/{name}"
        size = path.stat().st_size
        if repair or sizes.get(key) != size:
            store.upload(path, key, progress(name, size))
    if f"{prefix}/{CARD}" not in sizes:
        store.create(f"{prefix}/{CARD}", card.encode())
    return version, _create_manifest(store, f"{prefix}/{MANIFEST}", raw, repair)


def _create_manifest(store: Store, key: str, raw: bytes, repair: bool) -> bool:
    stored = store.read(key)
    if stored is None and store.create(key, raw):
        return True
    stored = stored or store.read(key)
    if stored is not None and stored.content != raw and repair:
        store.swap(key, raw, stored.etag)
    elif stored is None or stored.content != raw:
        raise InputError(
            f"{store.url}/{key}: damaged, or of another bundle; {repair_command(store)}"
        )
    return False


def list_versions(store: Store) -> list[Version]:
    """List every complete version, the newest first."""
    sizes: dict[str, int] = {}
    pushed: dict[str, float] = {}
    for stored in store.listed("versions/"):
        version, _, name = stored.key.removeprefix("versions/").partition("/")
        if not NAME.fullmatch(version):  # a note, or a folder object of S3's console
            continue
        sizes[version] = sizes.get(version, 0) + stored.size
        if name == MANIFEST:
            pushed[version] = stored.modified
    versions = [Version(version, sizes[version], at) for version, at in pushed.items()]
    return sorted(versions, key=lambda each: (-each.pushed, each.version))


def current(store: Store) -> Pointer | None:
    """Read the pointer to the version that serves; None where none has been promoted."""
    stored = store.read(POINTER)
    return None if stored is None else Pointer.from_json(stored.content, store.url)


def find(store: Store, version: str) -> Pointer:
    """Find a version by the start of its name; return the pointer that would name it."""
    names = [each.version for each in list_versions(store)]
    matches = [name for name in names if name.startswith(version[:NAME_LENGTH])]
    if len(matches) > 1:
        raise InputError(
            f"{store.url}: {version!r} begins {', '.join(matches[:5])}, expected one version; "
            "add more digits"
        )
    if not matches:
        known = ", ".join(names[:5]) or f"none yet: marquee releases push BUNDLE {store.url}"
        raise InputError(f"{store.url}: no version {version!r}, expected one of {known}")
    raw = _read_manifest_bytes(store, matches[0])
    model_version = str(parse_manifest(raw, store, matches[0])["model_version"])
    if len(version) > NAME_LENGTH and version != model_version:
        raise InputError(f"{store.url}: no version {version}, expected {model_version}")
    return Pointer(
        version=matches[0],
        model_version=model_version,
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def promote(store: Store, version: str, expected: Pointer | None) -> Pointer:
    """Make a version the one that serves; return the new pointer.

    expected: the pointer that `current` returned when the decision was made. Where another one was
    promoted since, nothing happens and InputError names that version.
    """
    stored = store.read(POINTER)
    before = None if stored is None else Pointer.from_json(stored.content, store.url)
    pointer = find(store, version)
    if before != expected:
        raise _concurrent_promotion(store)
    if before is not None:
        if before.version == pointer.version:
            return before
        pointer = replace(pointer, previous=(before.version, *before.previous)[:MAX_PREVIOUS])
    _refuse_unconditional(store)
    return _write_pointer(store, pointer, stored)


def rollback(store: Store) -> Pointer:
    """Go back to the version before the current one; a second call goes back one more."""
    stored = store.read(POINTER)
    if stored is None:
        raise InputError(f"{store.url}: nothing has been promoted, so nothing can be rolled back")
    before = Pointer.from_json(stored.content, store.url)
    if not before.previous:
        raise InputError(
            f"{store.url}: no version is known before {before.version}; "
            f"promote another: marquee releases list {store.url}"
        )
    previous, *older = before.previous
    return _write_pointer(store, replace(find(store, previous), previous=tuple(older)), stored)


def prune(store: Store, keep: int) -> list[str]:
    """Delete all but the `keep` newest versions; return the deleted ones.

    The current version and the one that `rollback` needs next stay whatever their age, and so do
    incomplete ones. Raises InputError where the pointer is missing or names a version that is gone:
    services then still serve a version that the store cannot name.
    """
    if keep < 1:
        raise InputError(f"keep {keep}: expected 1 or more")
    versions, deleted = list_versions(store), []
    for version in [each.version for each in versions][keep:]:
        if version not in _protected(store, versions):  # each time: another may promote meanwhile
            keys = [stored.key for stored in store.listed(f"versions/{version}/")]
            # The manifest first: half a version must not look complete.
            store.delete(sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")))
            deleted.append(version)
    return deleted


def repair_command(store: Store) -> str:
    """Return the command that mends a damaged version."""
    return f"marquee releases push BUNDLE {store.url} --repair"


def parse_manifest(raw: bytes, store: Store, version: str) -> dict[str, Any]:
    """Parse and verify the manifest of a stored version; InputError where it is damaged."""
    try:
        manifest: dict[str, Any] = json.loads(raw)
        if set(manifest["files"]) != set(PARTS):
            raise ValueError(f"it lists {sorted(manifest['files'])}")
        if not is_intact(manifest, raw):
            raise ValueError("its content does not match its model_version")
        if not manifest["model_version"].startswith(version):
            raise ValueError(f"it belongs to {manifest['model_version'][:NAME_LENGTH]}")
        return manifest
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        location = f"{store.url}/versions/{version}/{MANIFEST}"
        raise InputError(f"{location}: damaged ({error}); {repair_command(store)}") from error


def _protected(store: Store, versions: list[Version]) -> set[str]:
    pointer = current(store)
    if pointer is None or pointer.version not in {each.version for each in versions}:
        problem = f"{pointer.version} is promoted and gone" if pointer else "nothing is promoted"
        raise InputError(
            f"{store.url}: {problem}, so the serving version is unknown and nothing is deleted; "
            f"first: marquee releases promote VERSION {store.url}"
        )
    return {pointer.version, *pointer.previous[:1]}


def _read_manifest_bytes(store: Store, version: str) -> bytes:
    stored = store.read(f"versions/{version}/{MANIFEST}")
    if stored is None:
        raise InputError(f"{store.url}: version {version} is gone; promote another")
    return stored.content


def _write_pointer(store: Store, pointer: Pointer, stored: StoredObject | None) -> Pointer:
    """Write the pointer in place of the one that was read, or raise InputError."""
    content = pointer.to_json()
    if stored is None:
        is_written = store.create(POINTER, content)
    else:
        is_written = store.swap(POINTER, content, stored.etag)
    if not is_written:  # or it is, and only the answer was lost: the retry met its own write
        latest = store.read(POINTER)
        if latest is None or latest.content != content:
            raise _concurrent_promotion(store)
    return pointer


def _concurrent_promotion(store: Store) -> InputError:
    latest = current(store)
    state = f"{latest.version} became current at {latest.promoted_at}" if latest else "none is left"
    return InputError(f"{store.url}: concurrent promotion: {state}; review it and retry")


def _refuse_unconditional(store: Store) -> None:
    if not store.conditional():
        raise InputError(
            f"{store.url}: this server ignores the condition of a write, so two who promote at "
            "once may overwrite each other; where only one does: --allow-unconditional"
        )
