"""Test a store in a folder: conditional writes, listings, and what is left of a killed writer."""

from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.releases.folder_store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_folder_store_read_of_a_missing_key_is_none(store: FolderStore) -> None:
    assert store.read("a") is None


def test_folder_store_read_of_a_known_etag_is_none(store: FolderStore) -> None:
    store.create("a", b"1")
    first = store.read("a")
    assert first is not None and first.content == b"1"
    assert store.read("a", known_etag=first.etag) is None
    assert store.swap("a", b"2", first.etag)
    second = store.read("a", known_etag=first.etag)
    assert second is not None and second.content == b"2"


def test_folder_store_create_twice_keeps_the_first(store: FolderStore) -> None:
    assert store.create("folder/a", b"1")
    assert not store.create("folder/a", b"2")
    stored = store.read("folder/a")
    assert stored is not None and stored.content == b"1"


def test_folder_store_swap_of_another_etag_writes_nothing(store: FolderStore) -> None:
    assert not store.swap("a", b"2", "0" * 64)
    store.create("a", b"1")
    assert not store.swap("a", b"2", "0" * 64)
    stored = store.read("a")
    assert stored is not None and stored.content == b"1"


def test_folder_store_download_is_what_was_uploaded(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)))
    store.upload(tmp_path / "file", "folder/a")
    store.download("folder/a", tmp_path / "copy", 256)
    assert (tmp_path / "copy").read_bytes() == bytes(range(256))


def test_folder_store_listed_is_sorted_without_hidden_files(
    store: FolderStore, tmp_path: Path
) -> None:
    for key in ("versions/b/2", "versions/b/1", "versions/a/1", "current.json"):
        store.create(key, key.encode())
    (tmp_path / "store" / "versions" / "a" / ".half").write_text("half")
    listed = store.listed("versions/")
    assert [entry.key for entry in listed] == ["versions/a/1", "versions/b/1", "versions/b/2"]
    assert [entry.size for entry in listed] == [12, 12, 12]
    assert [entry.key for entry in store.listed("versions/b")] == ["versions/b/1", "versions/b/2"]
    assert store.listed("absent/") == []


def test_folder_store_delete_of_last_object_removes_its_folder(
    store: FolderStore, tmp_path: Path
) -> None:
    for key in ("versions/a/1", "versions/a/2"):
        store.create(key, b"1")
    folder = tmp_path / "store" / "versions" / "a"
    (folder / ".half").write_text("half")
    store.delete(["versions/a/1", "versions/a/absent"])
    assert folder.is_dir()
    store.delete(["versions/a/2"])
    assert not folder.exists()


def test_folder_store_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file, expected a folder"):
        FolderStore(tmp_path / "file")


def test_folder_store_download_of_missing_key_is_refused(
    store: FolderStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="absent: No such file"):
        store.download("absent", tmp_path / "copy", 1)
