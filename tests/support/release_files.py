"""Make bundles of several versions, and a store that holds them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marquee.recommender.bundle import write_bundle
from marquee.releases import versions
from marquee.releases.store import Store
from tests.support.tiny_bundle import tiny_parts, write_tiny


def write_named_bundle(folder: Path, **manifest: Any) -> Path:
    """Write a bundle named as its folder, created now; `manifest` replaces fields."""
    write_tiny(folder)
    parts = tiny_parts()
    golden = json.loads((folder / "golden.json").read_text())
    created = datetime.now(UTC).isoformat(timespec="seconds")  # the gate refuses old ones
    fields = parts["manifest"] | {"name": folder.name, "created": created} | manifest
    answers = {"golden": golden["queries"], "golden_items": golden["items"]}
    write_bundle(folder, **parts | {"manifest": fields} | answers)
    return folder


def version_of(bundle: Path) -> str:
    return str(json.loads((bundle / "bundle.json").read_text())["model_version"][:16])


def release(store: Store, *bundles: Path) -> list[str]:
    """Push all, then promote them in turn; return their versions."""
    names = [versions.push(bundle, store)[0] for bundle in bundles]
    for version in names:
        versions.promote(store, version, versions.current(store))
    return names


def damage(store: Store, key: str, tmp_path: Path) -> None:
    """Change one byte of the object under a key."""
    path = tmp_path / "damaged"
    (listed,) = store.listed(key)
    store.download(key, path, listed.size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    store.upload(path, key)
