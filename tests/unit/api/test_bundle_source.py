"""Test the sources of bundles."""

import shutil
from pathlib import Path

import pytest

from marquee.api.process.model_reloader import BundleFolder, folder_state, open_source
from marquee.releases.follower import ReleaseFollower


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "bundle.json").write_text("1")
    return folder


def test_open_source_folder_is_a_bundle(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder), str(tmp_path / "cache"))
    assert isinstance(source, BundleFolder)
    assert list(source.candidates()) == [folder] and source.unavailable is None


def test_open_source_folder_with_versions_is_a_store(tmp_path: Path) -> None:
    (tmp_path / "store" / "versions").mkdir(parents=True)
    source = open_source(str(tmp_path / "store"), str(tmp_path / "cache"))
    assert isinstance(source, ReleaseFollower) and source.unavailable is False


def test_bundle_folder_unchanged_is_not_newer(folder: Path) -> None:
    source = BundleFolder(str(folder))
    assert source.fetch_newer() is None
    source.mark_active(folder)
    assert source.fetch_newer() is None


def test_bundle_folder_changed_is_newer_once(folder: Path) -> None:
    source = BundleFolder(str(folder))
    (folder / "bundle.json").write_text("22")
    assert source.fetch_newer() == folder
    assert source.fetch_newer() is None


def test_bundle_folder_missing_for_a_moment_is_not_newer(folder: Path) -> None:
    source = BundleFolder(str(folder))
    shutil.move(folder, folder.with_name("old"))
    assert source.fetch_newer() is None
    shutil.move(folder.with_name("old"), folder)
    assert source.fetch_newer() is None


def test_folder_state_missing_folder_is_empty(tmp_path: Path) -> None:
    assert folder_state(tmp_path / "missing") == frozenset()


def test_folder_state_follows_replaced_files(folder: Path) -> None:
    before = folder_state(folder)
    assert folder_state(folder) == before
    (folder / "new").write_text("1")
    (folder / "new").rename(folder / "bundle.json")
    assert folder_state(folder) != before
