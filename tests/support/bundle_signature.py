"""Sign a bundle whose files a test has changed, as write_bundle would."""

import hashlib
import json
from pathlib import Path
from typing import Any

from marquee.recommender.bundle import MANIFEST, PARTS, is_intact


def sign(folder: Path, files: dict[str, str] | None = None) -> None:
    """Write a manifest that is right for the files of a folder, or that names `files`."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PARTS}
    manifest["files"] = digests if files is None else files
    del manifest["model_version"]
    content = [sorted(manifest["files"].items()), manifest]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    manifest["model_version"] = hashlib.sha256(text.encode()).hexdigest()
    manifest_bytes = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    assert is_intact(manifest, manifest_bytes)
    (folder / MANIFEST).write_bytes(manifest_bytes)
