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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS, is_intact, read_bundle, refuse_other_format
from marquee.releases.pointer import NAME, NAME_LENGTH, POINTER, Pointer
from marquee.releases.store import Store

CARD = "MODEL_CARD.md"
MAX_PREVIOUS = 10
"""Versions that `rollback` can go back through."""


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
) -> tuple[str, bool]:
    """Push a bundle to the store; return its version, and whether it is new there.

    The bundle is read and verified first. A file that is stored in its size is sent again only with
    `repair`, so an interrupted push goes on with the files that are missing; `repair` mends a
    version that `verify` finds damaged. Raises InputError for a damaged bundle, and if another
    manifest is stored under its name.
    """
    folder = Path(bundle)
    version = read_bundle(folder).manifest["model_version"][:NAME_LENGTH]
    prefix = f"versions/{version}"
    sizes = {listed.key: listed.size for listed in store.listed(f"{prefix}/")}
    for name in PARTS:
        path, key = folder / name, f"{prefix}/{name}"
        if repair or sizes.get(key) != path.stat().st_size:
            store.upload(path, key)
    if f"{prefix}/{CARD}" not in sizes:
        store.create(f"{prefix}/{CARD}", card.encode())
    manifest_bytes = (folder / MANIFEST).read_bytes()
    return version, _create_manifest(store, f"{prefix}/{MANIFEST}", manifest_bytes, repair)


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
    return _read_pointer(store)[0]


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
    manifest_bytes, manifest = read_manifest(store, matches[0])
    model_version = str(manifest["model_version"])
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
    previous_pointer, etag = _read_pointer(store)
    pointer = find(store, version)
    if previous_pointer != expected:
        raise _concurrent_promotion(store)
    if previous_pointer is not None:
        if previous_pointer.version == pointer.version:
            return previous_pointer
        versions = (previous_pointer.version, *previous_pointer.previous)
        pointer = replace(pointer, previous=versions[:MAX_PREVIOUS])
    store.refuse_unconditional()
    return _write_pointer(store, pointer, etag)


def rollback(store: Store) -> Pointer:
    """Go back to the version before the current one; a second call goes back one more."""
    previous_pointer, etag = _read_pointer(store)
    if previous_pointer is None:
        raise nothing_promoted(store)
    if not previous_pointer.previous:
        raise InputError(
            f"{store.url}: no version before {previous_pointer.version}, expected one to go back "
            f"to; promote another: marquee releases list {store.url}"
        )
    version, *older = previous_pointer.previous
    pointer = replace(find(store, version), previous=tuple(older))
    return _write_pointer(store, pointer, etag)


def prune(store: Store, keep: int) -> list[str]:
    """Delete all but the `keep` newest versions; return the deleted ones.

    The current version and the one that `rollback` needs next stay whatever their age, and so do
    incomplete ones. Raises InputError if the pointer is missing or names a version that is gone:
    services then still serve a version that the store cannot name.
    """
    if keep < 1:
        raise InputError(f"keep {keep}: expected 1 or more")
    names, deleted = [release.version for release in list_versions(store)], []
    for version in names[keep:]:
        if version not in _protected(store, names):  # each time: another may promote meanwhile
            keys = [listed.key for listed in store.listed(f"versions/{version}/")]
            # The manifest first: half a version must not look complete.
            store.delete(sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")))
            deleted.append(version)
    return deleted


def read_manifest(store: Store, version: str) -> tuple[bytes, dict[str, Any]]:
    """Read and verify the manifest of a stored version: its bytes, and what they say.

    Raises InputError if the version is gone, the bundle of another format, or the manifest damaged
    or of another version.
    """
    manifest_object = store.read(f"versions/{version}/{MANIFEST}")
    if manifest_object is None:
        raise InputError(
            f"{store.url}: version {version} is gone, expected one that is stored; "
            f"marquee releases promote VERSION {store.url}"
        )
    name = f"{store.url}/versions/{version}/{MANIFEST}"
    try:
        manifest: dict[str, Any] = json.loads(manifest_object.content)
        bundle_format, files = manifest["format"], set(manifest["files"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged_manifest(store, name, error) from error
    refuse_other_format(bundle_format, name)
    try:
        if files != set(PARTS):
            raise ValueError(f"it lists {sorted(files)}")
        if not is_intact(manifest, manifest_object.content):
            raise ValueError("its content does not match its model_version")
        if not manifest["model_version"].startswith(version):
            raise ValueError(f"it belongs to {manifest['model_version'][:NAME_LENGTH]}")
        return manifest_object.content, manifest
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged_manifest(store, name, error) from error


def nothing_promoted(store: Store) -> InputError:
    """Return the error of a store without a pointer."""
    return InputError(
        f"{store.url}: nothing has been promoted, expected a version; "
        f"marquee releases promote VERSION {store.url}"
    )


def repair_command(store: Store) -> str:
    """Return the command that mends a damaged version."""
    return f"marquee releases push BUNDLE {store.url} --repair"


def _damaged_manifest(store: Store, name: str, error: Exception) -> InputError:
    return InputError(
        f"{name}: damaged ({error}), expected the manifest that was pushed; {repair_command(store)}"
    )


def _create_manifest(store: Store, key: str, manifest_bytes: bytes, repair: bool) -> bool:
    """Write the manifest unless it is there; return whether it was written."""
    stored = store.read(key)  # first: a server without conditions would overwrite it
    if stored is None and store.create(key, manifest_bytes):
        return True
    stored = stored or store.read(key)
    if stored is not None and stored.content == manifest_bytes:
        return False
    if stored is None or not repair:
        raise InputError(
            f"{store.url}/{key}: damaged, or of another bundle, expected this bundle's; "
            f"{repair_command(store)}"
        )
    store.swap(key, manifest_bytes, stored.etag)
    return False


def _protected(store: Store, names: list[str]) -> set[str]:
    pointer = current(store)
    if pointer is None or pointer.version not in names:
        problem = f"{pointer.version} is promoted and gone" if pointer else "nothing is promoted"
        raise InputError(
            f"{store.url}: {problem}, so the serving version is unknown and nothing is deleted, "
            f"expected a promoted version; first: marquee releases promote VERSION {store.url}"
        )
    return {pointer.version, *pointer.previous[:1]}


def _read_pointer(store: Store) -> tuple[Pointer | None, str]:
    """Return the pointer and its ETag; None and "" where nothing has been promoted."""
    stored = store.read(POINTER)
    return (Pointer.from_json(stored.content, store.url), stored.etag) if stored else (None, "")


def _write_pointer(store: Store, pointer: Pointer, etag: str) -> Pointer:
    """Write the pointer in place of the one with this ETag, or raise InputError."""
    content = pointer.to_json()
    is_written = store.swap(POINTER, content, etag) if etag else store.create(POINTER, content)
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
