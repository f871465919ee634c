"""Files appear whole: concurrent writers of one file do not meet, an error leaves the old one."""

from pathlib import Path

import pytest

from marquee.core.files import atomic_path, write_atomic


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.json"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second and {first.parent, second.parent} == {path.parent}
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # its rename came last
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = write_atomic(tmp_path / "a", "old", fsync=True)
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_file_of_a_killed_writer_blocks_no_other(tmp_path: Path) -> None:
    (tmp_path / ".a.0123.part").write_text("half")
    write_atomic(tmp_path / "a", "new\n")
    assert (tmp_path / "a").read_bytes() == b"new\n"
