"""Tags as GroupLens ships them: tags.csv, and tags.dat of ml-10m."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.core.ids import IdType
from marquee.data.attributes.storage import load_tags, save_tags
from marquee.data.dataset import load_dataset
from marquee.data.movielens.tags import Tags, open_tags, read_tags

HEADER = "userId,movieId,tag,timestamp\n"
CSV_RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n2,20,4.5,964981247\n"
CSV_MOVIES = "movieId,title,genres\n10,Heat (1995),Crime\n20,Fargo (1996),Crime\n"


def read(
    folder: Path,
    content: str,
    encoding: str = "utf-8",
    file: str = "tags.csv",
    item_type: IdType = "int",
) -> Tags:
    (folder / file).write_bytes(content.encode(encoding))
    with duckdb.connect() as connection:
        source = open_tags(connection, folder / file, folder / "scratch")
        return read_tags(connection, source, item_type=item_type)


def test_read_tags_keeps_tags_as_typed(tmp_path: Path) -> None:
    content = HEADER + '2,20,funny,1445714994\n2,20,"says ""uff, da""",5\n1,10,NA,6\n1,10,,7\n'
    tags = read(tmp_path, content)
    assert tags.user_id.tolist() == [2, 2, 1, 1] and tags.user_id.dtype == np.int64
    assert tags.movie_id.tolist() == [20, 20, 10, 10]
    assert tags.tag.tolist() == ["funny", 'says "uff, da"', "NA", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_read_tags_every_encoding_and_line_end(
    tmp_path: Path, encoding: str, line_end: str
) -> None:
    content = (HEADER + "1,10,Amélie,5\n1,10,film noir,6").replace("\n", line_end)
    assert read(tmp_path, content, encoding).tag.tolist() == ["Amélie", "film noir"]


def test_read_tags_of_ml_10m_has_another_form(tmp_path: Path) -> None:
    content = '15::4973::"excellent!::1215184630\n20::1747::politics, satire::1188263867\n'
    tags = read(tmp_path, content, file="tags.dat")
    assert tags.tag.tolist() == ['"excellent!', "politics, satire"]
    assert tags.movie_id.tolist() == [4973, 1747]


def test_read_tags_text_ids_stay_text(tmp_path: Path) -> None:
    tags = read(tmp_path, HEADER + "1,0114508,fun,5\n", item_type="text")
    assert tags.movie_id.tolist() == ["0114508"]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        pytest.param("1,10,fun\n", 3, "", id="missing"),
        pytest.param("1,10,a,b,5\n", 3, "", id="unquoted-comma"),
        pytest.param(",10,fun,5\n", 3, "no user id, expected one", id="no-user"),
        pytest.param("1,ten,fun,5\n", 3, "movie id 'ten', expected an integer", id="movie-word"),
        pytest.param('1,10,"two\nlines",5\n1,x,fun,5\n', 5, "movie id 'x'", id="after-two-lines"),
    ],
)
def test_read_tags_bad_line_is_named(tmp_path: Path, lines: str, line: int, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, HEADER + "1,20,fine,5\n" + lines + "9,20,fine,5\n")
    assert f"{tmp_path}/tags.csv line {line}: " in str(error.value)
    assert message in str(error.value)


def test_read_tags_other_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tags\.csv line 1: the header is 'a,b', expected"):
        read(tmp_path, "a,b\n1,2\n")


def test_tags_storage_gives_them_back(tmp_path: Path) -> None:
    tags = read(tmp_path, HEADER + "2,20,funny,1\n1,20,funny,2\n1,10,,3\n")
    save_tags(tags, tmp_path)
    again = load_tags(tmp_path)
    assert again.tag.tolist() == ["funny", "funny", ""] == tags.tag.tolist()
    assert again.user_id.tolist() == [2, 1, 1] and again.user_id.dtype == np.int64
    assert again.tag[0] is again.tag[1]
    (tmp_path / "empty").mkdir()
    assert len(load_tags(tmp_path / "empty")) == 0


def test_load_dataset_fingerprint_includes_tags(tmp_path: Path) -> None:
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    (folder / "ratings.csv").write_text(CSV_RATINGS)
    (folder / "movies.csv").write_text(CSV_MOVIES)
    without = load_dataset("ml-latest-small", tmp_path)
    (folder / "tags.csv").write_text(HEADER + "1,10,heist,5\n")
    with_tags = load_dataset("ml-latest-small", tmp_path)
    assert (len(without.tags), with_tags.tags.tag.tolist()) == (0, ["heist"])
    assert without.sha256 != with_tags.sha256
