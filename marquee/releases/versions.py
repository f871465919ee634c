"""A trained bundle becomes a release: pushed, promoted, taken back, verified, pruned.

    versions/<16 hex of model_version>/   the bundle's files and MODEL_CARD.md, never changed again.
                                          bundle.json comes last: without it there is no version
    current.json                          which version serves: the one object that ever changes

A version's name is its content, so pushing twice is pushing once. Whoever promotes names the
pointer that was read; of two at the same time one wins.
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
from marquee.releases.store import Store, Stored, Told

CARD = "MODEL_CARD.md"
REMEMBERED = 10
"""Versions that `rollback` finds its way back through."""
Progress = Callable[[str, int], Told]
"""Called with a file's name and size, gives what hears of its bytes."""


def unseen(name: str, size: int) -> Told:
    """No progress shown."""
    return lambda taken: None


@dataclass(frozen=True)
class Version:
    """One release, as `releases` lists it."""

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
    progress: Progress = unseen,
) -> tuple[str, bool]:
    """Bring a bundle to the store -> (version, whether it is new there).

    The bundle is read and verified first. What was broken off goes on where it was; what is there
    already in its size is not sent again, but with `repair`, which mends a version that `verify`
    finds damaged.
    """
    folder = Path(bundle)
    manifest = read_bundle(folder).manifest
    version, raw = manifest["model_version"][:NAME_LENGTH], (folder / MANIFEST).read_bytes()
    where = f"versions/{version}"
    sizes = {each.key: each.size for each in store.listed(f"{where}/")}
    for name in PARTS:
        path, key = folder / name, f"{where}/{name}"
        size = path.stat().st_size
        if repair or sizes.get(key) != size:
            store.upload(path, key, progress(name, size))
    if f"{where}/{CARD}" not in sizes:
        store.create(f"{where}/{CARD}", card.encode())
    there = store.read(f"{where}/{MANIFEST}")
    if there is None and store.create(f"{where}/{MANIFEST}", raw):
        return version, True
    there = there or store.read(f"{where}/{MANIFEST}")
    if there is not None and there.content != raw and repair:
        store.swap(f"{where}/{MANIFEST}", raw, there.etag)
    elif there is None or there.content != raw:
        raise InputError(f"{store.url}/{where}/{MANIFEST}: damaged, or another's; {again(store)}")
    return version, False


def releases(store: Store) -> list[Version]:
    """Every whole version, the newest first."""
    sizes: dict[str, int] = {}
    pushed: dict[str, float] = {}
    for each in store.listed("versions/"):
        version, _, name = each.key.removeprefix("versions/").partition("/")
        if not NAME.fullmatch(version):  # a note, or what S3's console makes for a folder
            continue
        sizes[version] = sizes.get(version, 0) + each.size
        if name == MANIFEST:
            pushed[version] = each.modified
    found = [Version(version, sizes[version], at) for version, at in pushed.items()]
    return sorted(found, key=lambda one: (-one.pushed, one.version))


def current(store: Store) -> Pointer | None:
    """Which version serves; None where none has been promoted."""
    found = store.read(POINTER)
    return None if found is None else Pointer.of(found.content, store.url)


def find(store: Store, version: str) -> Pointer:
    """A version by the beginning of its name, as a pointer would name it."""
    names = [one.version for one in releases(store)]
    found = [name for name in names if name.startswith(version[:NAME_LENGTH])]
    if len(found) > 1:
        raise InputError(f"{store.url}: {version!r} begins {', '.join(found[:5])}; give more of it")
    if not found:
        there = ", ".join(names[:5]) or "none: marquee releases push BUNDLE " + store.url
        raise InputError(f"{store.url}: no version {version!r}; there are {there}")
    raw = _manifest(store, found[0])
    model_version = str(read_manifest(raw, store, found[0])["model_version"])
    if len(version) > NAME_LENGTH and version != model_version:
        raise InputError(f"{store.url}: no version {version}; there is {model_version}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Pointer(found[0], model_version, hashlib.sha256(raw).hexdigest(), now)


def promote(store: Store, version: str, seen: Pointer | None) -> Pointer:
    """Make a version the one that serves.

    seen: what `current` said when the decision was made; where somebody has promoted since, nothing
    happens and InputError names their version.
    """
    there = store.read(POINTER)
    before = None if there is None else Pointer.of(there.content, store.url)
    wanted = find(store, version)
    if before != seen:
        raise _lost(store)
    if before is not None:
        if before.version == wanted.version:
            return before
        wanted = replace(wanted, previous=(before.version, *before.previous)[:REMEMBERED])
    _refuse_unconditional(store)
    return _put(store, wanted, there)


def rollback(store: Store) -> Pointer:
    """Back to the version before the current one, and again to the one before that."""
    there = store.read(POINTER)
    if there is None:
        raise InputError(f"{store.url}: nothing has been promoted, so there is no way back")
    before = Pointer.of(there.content, store.url)
    if not before.previous:
        raise InputError(
            f"{store.url}: nothing is known to have been before {before.version}; "
            f"promote another: marquee releases list {store.url}"
        )
    first, *rest = before.previous
    return _put(store, replace(find(store, first), previous=tuple(rest)), there)


def prune(store: Store, keep: int) -> list[str]:
    """Delete all but the `keep` newest versions -> what is gone. The current one and those that
    `rollback` needs next stay whatever their age, and so does what is half pushed.

    Raises InputError where the store does not say what serves: services go on with something then.
    """
    if keep < 1:
        raise InputError(f"keep {keep}: needed 1 or more")
    found, gone = releases(store), []
    for version in [one.version for one in found][keep:]:
        if version not in _held(store, found):  # asked each time: somebody may promote meanwhile
            keys = [each.key for each in store.listed(f"versions/{version}/")]
            # The manifest first: half a version must not look like a whole one.
            store.delete(sorted(keys, key=lambda key: not key.endswith(f"/{MANIFEST}")))
            gone.append(version)
    return gone


def again(store: Store) -> str:
    """What mends a damaged version, to end a sentence with."""
    return f"marquee releases push BUNDLE {store.url} --repair"


def _held(store: Store, found: list[Version]) -> set[str]:
    pointer = current(store)
    if pointer is None or pointer.version not in {one.version for one in found}:
        what = f"{pointer.version} is promoted and gone" if pointer else "nothing is promoted"
        raise InputError(
            f"{store.url}: {what}, so what serves is not known and nothing is deleted; first: "
            f"marquee releases promote VERSION {store.url}"
        )
    return {pointer.version, *pointer.previous[:1]}


def _manifest(store: Store, version: str) -> bytes:
    found = store.read(f"versions/{version}/{MANIFEST}")
    if found is None:
        raise InputError(f"{store.url}: version {version} is gone; promote another")
    return found.content


def _put(store: Store, wanted: Pointer, there: Stored | None) -> Pointer:
    """The pointer in the place of what was read, or InputError."""
    content = wanted.to_json()
    if there is None:
        done = store.create(POINTER, content)
    else:
        done = store.swap(POINTER, content, there.etag)
    if not done:  # or done all the same: the answer was lost, and asking again found it changed
        now = store.read(POINTER)
        if now is None or now.content != content:
            raise _lost(store)
    return wanted


def _lost(store: Store) -> InputError:
    now = current(store)
    by = f"{now.version} at {now.promoted_at}" if now else "nothing"
    return InputError(
        f"{store.url}: somebody else was first: {by} has been promoted meanwhile; look at it and "
        "decide again"
    )


def _refuse_unconditional(store: Store) -> None:
    if not store.conditional():
        raise InputError(
            f"{store.url}: this server takes a conditional write without looking, so two who "
            "promote at once may overwrite each other; where only one does: --allow-unconditional"
        )


def read_manifest(raw: bytes, store: Store, version: str) -> dict[str, Any]:
    """The manifest of a stored version. Raises InputError where it is damaged."""
    try:
        manifest: dict[str, Any] = json.loads(raw)
        if set(manifest["files"]) != set(PARTS):
            raise ValueError(f"it lists {sorted(manifest['files'])}")
        if not is_intact(manifest, raw):
            raise ValueError("its content does not give its model_version")
        if not manifest["model_version"].startswith(version):
            raise ValueError(f"it is that of {manifest['model_version'][:NAME_LENGTH]}")
        return manifest
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        where = f"{store.url}/versions/{version}/{MANIFEST}"
        raise InputError(f"{where}: damaged ({error}); {again(store)}") from error
