"""Atomic files and folders: concurrent writers, errors, interrupted renames; JSON and hashes."""

import hashlib
from pathlib import Path

import pytest

from marquee.core.files import (
    atomic_folder,
    atomic_path,
    read_json,
    sha256_of,
    write_atomic,
    write_json,
)


def test_atomic_path_two_writers_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second and {first.parent, second.parent} == {path.parent}
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # its rename came last
    assert list(path.parent.iterdir()) == [path]


def test_atomic_path_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_atomic(tmp_path / "a", "old", fsync=True)
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_write_atomic_ignores_the_part_of_a_killed_writer(tmp_path: Path) -> None:
    (tmp_path / ".a.0123.part").write_text("half")
    write_atomic(tmp_path / "a", "new\n")
    assert (tmp_path / "a").read_bytes() == b"new\n"


@pytest.mark.parametrize("fsync", [False, True])
def test_atomic_folder_replaces_the_old_one(tmp_path: Path, fsync: bool) -> None:
    folder = tmp_path / "parent" / "b"
    for content in ("old", "new"):
        with atomic_folder(folder, fsync=fsync) as part:
            (part / content).write_text(content)
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(folder.parent.iterdir()) == [folder]


def test_atomic_folder_error_leaves_the_old_one(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "b") as part:
        (part / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "b") as part:
        (part / "a").write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "b" / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


@pytest.mark.parametrize("failing", [1, 2], ids=["moving-the-old", "moving-the-new"])
def test_atomic_folder_interrupted_rename_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    with atomic_folder(tmp_path / "b") as part:
        (part / "a").write_text("old")
    targets, rename = [], Path.rename

    def interrupt(path: Path, target: Path) -> Path:
        targets.append(target)
        if len(targets) == failing:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "b") as part:
        (part / "a").write_text("new")
    assert (tmp_path / "b" / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_json_round_trips_in_the_order_of_its_keys(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"b": 1, "a": [2]}, indent=None)
    assert path.read_text() == '{"b": 1, "a": [2]}\n'
    assert read_json(path) == {"b": 1, "a": [2]}


def test_read_json_missing_file_is_the_default(tmp_path: Path) -> None:
    assert read_json(tmp_path / "a.json", default=[]) == []


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = b"\x00" * 3_000_000
    path = write_atomic(tmp_path / "a", content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
