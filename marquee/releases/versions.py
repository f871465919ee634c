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
    """Push a bundle to the store; return its version, and whether it is new there.

    The bundle is read and verified first. An interrupted push resumes. A file that is stored in its
    size is sent again only with `repair`, which mends a version that `verify` finds damaged. Raises
    InputError for a damaged bundle, and if another manifest is stored under its name.
    """
    folder = Path(bundle)
    manifest = read_bundle(folder).manifest
    version = manifest["model_version"][:NAME_LENGTH]
    manifest_bytes = (folder / MANIFEST).read_bytes()
    prefix = f"versions/{version}"
    sizes = {listed.key: listed.size for listed in store.listed(f"{prefix}/")}
    for name in PARTS:
        path, key = folder / name, f"{prefix}/{name}"
        size = path.stat().st_size
        if repair or sizes.get(key) != size:
            store.upload(path, key, progress(name, size))
    if f"{prefix}/{CARD}" not in sizes:
        store.create(f"{prefix}/{CARD}", card.encode())
    return version, _create_manifest(store, f"{prefix}/{MANIFEST}", manifest_bytes, repair)


def _create_manifest(store: Store, key: str, manifest_bytes: bytes, repair: bool) -> bool:
    manifest_object = store.read(key)
    if manifest_object is None and store.create(key, manifest_bytes):
        return True
    manifest_object = manifest_object or store.read(key)
    if manifest_object is not None and manifest_object.content != manifest_bytes and repair:
        store.swap(key, manifest_bytes, manifest_object.etag)
    elif manifest_object is None or manifest_object.content != manifest_bytes:
        raise InputError(
            f"{store.url}/{key}: damaged, or of another bundle, expected this bundle's; "
            f"{repair_command(store)}"
        )
    return False


def list_versions(store: Store) -> list[Version]:
    """List every complete version, the newest first."""
    sizes: dict[str, int] = {}
    pushed: dict[str, float] = {}
    for listed in store.listed("versions/"):
        version, _, name = listed.key.removeprefix("versions/").partition("/")
        if not NAME.fullmatch(version):  # a note, or a folder object of S3's console
            continue
        sizes[version] = sizes.get(version, 0) + listed.size
        if name == MANIFEST:
            pushed[version] = listed.modified
    versions = [Version(version, sizes[version], at) for version, at in pushed.items()]
    return sorted(versions, key=lambda release: (-release.pushed, release.version))


def current(store: Store) -> Pointer | None:
    """Read the pointer to the version that serves; None if none has been promoted."""
    return _parse_pointer(store, store.read(POINTER))


def find(store: Store, version: str) -> Pointer:
    """Find a version by the start of its name; return the pointer that would name it."""
    names = [release.version for release in list_versions(store)]
    matches = [name for name in names if name.startswith(version[:NAME_LENGTH])]
    if len(matches) > 1:
        raise InputError(
            f"{store.url}: {version!r} begins {', '.join(matches[:5])}, expected one version; "
            "add more digits"
        )
    if not matches:
        available = ", ".join(names[:5]) or f"none yet: marquee releases push BUNDLE {store.url}"
        raise InputError(f"{store.url}: no version {version!r}, expected one of {available}")
    manifest_bytes = _read_manifest_bytes(store, matches[0])
    model_version = str(parse_manifest(manifest_bytes, store, matches[0])["model_version"])
    if len(version) > NAME_LENGTH and version != model_version:
        raise InputError(f"{store.url}: no version {version}, expected {model_version}")
    return Pointer(
        version=matches[0],
        model_version=model_version,
        manifest_sha256=hashlib.sha256(manifest_bytes).hexdigest(),
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def promote(store: Store, version: str, expected: Pointer | None) -> Pointer:
    """Make a version the one that serves; return the new pointer.

    expected: the pointer that `current` returned when the decision was made. If another one was
    promoted since, nothing happens and InputError names that version.
    """
    pointer_object = store.read(POINTER)
    previous_pointer = _parse_pointer(store, pointer_object)
    pointer = find(store, version)
    if previous_pointer != expected:
        raise _concurrent_promotion(store)
    if previous_pointer is not None:
        if previous_pointer.version == pointer.version:
            return previous_pointer
        versions = (previous_pointer.version, *previous_pointer.previous)
        pointer = replace(pointer, previous=versions[:MAX_PREVIOUS])
    _refuse_unconditional(store)
    return _write_pointer(store, pointer, pointer_object)


def rollback(store: Store) -> Pointer:
    """Go back to the version before the current one; a second call goes back one more."""
    pointer_object = store.read(POINTER)
    previous_pointer = _parse_pointer(store, pointer_object)
    if previous_pointer is None:
        raise InputError(
            f"{store.url}: nothing has been promoted, expected two promotions before a rollback; "
            f"marquee releases promote VERSION {store.url}"
        )
    if not previous_pointer.previous:
        raise InputError(
            f"{store.url}: no version before {previous_pointer.version}, expected one to go back "
            f"to; promote another: marquee releases list {store.url}"
        )
    version, *older = previous_pointer.previous
    pointer = replace(find(store, version), previous=tuple(older))
    return _write_pointer(store, pointer, pointer_object)


def prune(store: Store, keep: int) -> list[str]:
    """Delete all but the `keep` newest versions; return the deleted ones.

    The current version and the one that `rollback` needs next stay whatever their age, and so do
    incomplete ones. Raises InputError if the pointer is missing or names a version that is gone:
    services then still serve a version that the store cannot name.
    """
    if keep < 1:
        raise InputError(f"keep {keep}: expected 1 or more")
    versions, deleted = list_versions(store), []
    for version in [release.version for release in versions][keep:]:
        if version not in _protected(store, versions):  # each time: another may promote meanwhile
            keys = [listed.key for listed in store.listed(f"versions/{version}/")]
            # The manifest first: half a version must not look complete.
            store.delete(sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")))
            deleted.append(version)
    return deleted


def repair_command(store: Store) -> str:
    """Return the command that mends a damaged version."""
    return f"marquee releases push BUNDLE {store.url} --repair"


def parse_manifest(manifest_bytes: bytes, store: Store, version: str) -> dict[str, Any]:
    """Parse and verify the manifest of a stored version.

    Raises InputError if it is damaged.
    """
    try:
        manifest: dict[str, Any] = json.loads(manifest_bytes)
        if set(manifest["files"]) != set(PARTS):
            raise ValueError(f"it lists {sorted(manifest['files'])}")
        if not is_intact(manifest, manifest_bytes):
            raise ValueError("its content does not match its model_version")
        if not manifest["model_version"].startswith(version):
            raise ValueError(f"it belongs to {manifest['model_version'][:NAME_LENGTH]}")
        return manifest
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        location = f"{store.url}/versions/{version}/{MANIFEST}"
        raise InputError(
            f"{location}: damaged ({error}), expected the manifest that was pushed; "
            f"{repair_command(store)}"
        ) from error


def _protected(store: Store, versions: list[Version]) -> set[str]:
    pointer = current(store)
    if pointer is None or pointer.version not in {release.version for release in versions}:
        problem = f"{pointer.version} is promoted and gone" if pointer else "nothing is promoted"
        raise InputError(
            f"{store.url}: {problem}, so the serving version is unknown and nothing is deleted, "
            f"expected a promoted version; first: marquee releases promote VERSION {store.url}"
        )
    return {pointer.version, *pointer.previous[:1]}


def _read_manifest_bytes(store: Store, version: str) -> bytes:
    manifest_object = store.read(f"versions/{version}/{MANIFEST}")
    if manifest_object is None:
        raise InputError(
            f"{store.url}: version {version} is gone, expected one that is stored; promote another"
        )
    return manifest_object.content


def _parse_pointer(store: Store, pointer_object: StoredObject | None) -> Pointer | None:
    return None if pointer_object is None else Pointer.from_json(pointer_object.content, store.url)


def _write_pointer(store: Store, pointer: Pointer, pointer_object: StoredObject | None) -> Pointer:
    """Write the pointer in place of the one that was read, or raise InputError."""
    content = pointer.to_json()
    if pointer_object is None:
        is_written = store.create(POINTER, content)
    else:
        is_written = store.swap(POINTER, content, pointer_object.etag)
    if not is_written:  # or it is, and only the answer was lost: the retry met its own write
        latest = store.read(POINTER)
        if latest is None or latest.content != content:
            raise _concurrent_promotion(store)
    return pointer


def _concurrent_promotion(store: Store) -> InputError:
    latest = current(store)
    state = f"{latest.version} became current at {latest.promoted_at}" if latest else "none is left"
    return InputError(
        f"{store.url}: concurrent promotion: {state}, expected the pointer that was read before; "
        "review it and retry"
    )


def _refuse_unconditional(store: Store) -> None:
    if not store.conditional():
        raise InputError(
            f"{store.url}: this server ignores the condition of a write, expected one that "
            "refuses: two promotions at once may overwrite each other; if only one at a time is "
            "certain: --allow-unconditional"
        )
