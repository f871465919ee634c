"""Test where MovieLens sets are looked for (downloads: tests/integration/test_download.py)."""

from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.data.movielens.download import ZIP_MD5, base_url, data_root, locate
from marquee.data.movielens.presets import PRESETS

NAME = "ml-latest-small"


def test_data_root_prefers_argument_to_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_ROOT", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("DATA_ROOT", "/elsewhere")
    assert data_root() == Path("/elsewhere")
    assert data_root("here") == Path("here")


def test_base_url_defaults_to_grouplens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOVIELENS_URL", raising=False)
    assert base_url() == "https://files.grouplens.org/datasets/movielens"
    assert {*ZIP_MD5, "demo"} == set(PRESETS)


def test_base_url_of_another_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIELENS_URL", "file:///etc/")
    with pytest.raises(InputError, match="'file:///etc', expected an http:// or https:// address"):
        base_url()


def test_locate_incomplete_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "movies.csv").write_text("")
    with pytest.raises(
        InputError, match=r"ratings\.csv missing, expected in the folder; move it away"
    ):
        locate(NAME, tmp_path)
    assert [path.name for path in (tmp_path / NAME).iterdir()] == ["movies.csv"]


def test_locate_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    for name in (NAME, "demo"):
        with pytest.raises(InputError, match=r"cannot be written .* DATA_ROOT"):
            locate(name, tmp_path / "root")


def test_locate_unknown_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "plays.csv").write_text("")
    with pytest.raises(InputError, match=r"'mine': no such data set, .* `marquee data add mine"):
        locate("mine", tmp_path)


def test_locate_copy_under_another_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")
    (tmp_path / "mine" / "movies.csv").write_text("movieId,title,genres\n")
    assert locate("mine", tmp_path) == tmp_path / "mine"
