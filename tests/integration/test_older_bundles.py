"""Test that a bundle of an older format is refused with its remedy, and never served half."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.promotion.releases_command import main
from marquee.recommender import bundle
from marquee.recommender.bundle import FORMAT, MANIFEST
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from marquee.releases.pointer import POINTER, Pointer
from marquee.releases.store import Store
from tests.support import s3_server
from tests.support.release_files import release, version_of, write_named_bundle


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "folder":
        return str(tmp_path / "store")
    request.getfixturevalue("endpoint")
    return f"s3://{s3_server.new_bucket()}/models/tiny"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


@pytest.fixture
def old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle as another Marquee made it: of the format before, with fewer files."""
    with monkeypatch.context() as older:
        older.setattr(bundle, "FORMAT", FORMAT - 1)
        folder = write_named_bundle(tmp_path / "old")
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]["item_content.onnx"]
    manifest["model_version"] = bundle._model_version(manifest)
    (folder / MANIFEST).write_bytes(bundle._json(manifest))
    (folder / "item_content.onnx").unlink()
    return folder


def promote_unread(store: Store, folder: Path) -> str:
    """Store a bundle and point to it, as the Marquee that made it did."""
    version = version_of(folder)
    for path in folder.iterdir():
        store.upload(path, f"versions/{version}/{path.name}")
    manifest = (folder / MANIFEST).read_bytes()
    pointer = Pointer(
        version=version,
        model_version=json.loads(manifest)["model_version"],
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        promoted_at="2026-01-01T00:00:00+00:00",
    )
    current = store.read(POINTER)
    assert current is not None and store.swap(POINTER, pointer.to_json(), current.etag)
    return version


def test_older_format_is_refused_everywhere_and_not_served(
    store: Store, url: str, old_bundle: Path, tmp_path: Path, capsys: Any
) -> None:
    good, newer = release(store, *(write_named_bundle(tmp_path / name) for name in ("v1", "v2")))
    follower = ReleaseFollower(url, tmp_path / "cache")
    follower.mark_active(next(follower.candidates()))
    old = promote_unread(store, old_bundle)
    message = rf"{old}/bundle.json: bundle format {FORMAT - 1}, expected {FORMAT}; make the bundle"
    with pytest.raises(InputError, match=message):
        follower.fetch_newer()
    (folder,) = ReleaseFollower(url, tmp_path / "cache").candidates()
    assert folder.name == newer and not list((tmp_path / "cache").rglob(f"*{old}*"))
    with pytest.raises(InputError, match=message):
        next(ReleaseFollower(url, tmp_path / "other").candidates())
    cache = str(tmp_path / "pulled")
    for command in (["promote", old, url], ["pull", url, old, "--cache", cache], ["verify", url]):
        assert main(command) in (1, 2)
    output = capsys.readouterr()
    assert len(re.findall(message, output.out + output.err)) == 3
    assert "damaged" not in output.out + output.err
    assert main(["push", str(old_bundle), url]) == 2
    assert main(["promote", good, url, "--force"]) == 0
    fetched = follower.fetch_newer()
    assert fetched is not None and fetched.name == good
