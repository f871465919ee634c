"""Make bundles of several versions, and a store that holds them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from marquee.recommender.bundle import write_bundle
from marquee.releases import versions
from marquee.releases.store import Store
from tests.support.tiny_bundle import tiny_parts, write_tiny


def named(folder: Path) -> Path:
    write_tiny(folder)
    parts = tiny_parts()
    golden = json.loads((folder / "golden.json").read_text())
    now = datetime.now(UTC).isoformat(timespec="seconds")  # the gate refuses old ones
    manifest = parts["manifest"] | {"name": folder.name, "created": now}
    write_bundle(folder, **parts | {"manifest": manifest, "golden": golden})
    return folder


def version_of(bundle: Path) -> str:
    return str(json.loads((bundle / "bundle.json").read_text())["model_version"][:16])


def released(store: Store, *bundles: Path) -> list[str]:
    """Pushed and promoted in turn."""
    found = [versions.push(bundle, store)[0] for bundle in bundles]
    for version in found:
        versions.promote(store, version, versions.current(store))
    return found


def damage(store: Store, key: str, tmp_path: Path) -> None:
    """Change one byte of what is stored under a key."""
    path = tmp_path / "damaged"
    store.download(key, path, lambda taken: None)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    store.upload(path, key, lambda taken: None)
