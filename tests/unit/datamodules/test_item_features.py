"""Tags as GroupLens ships them, and text of movies that never tells of a held-out rating."""

import math
from pathlib import Path

import numpy as np
import pytest

from datamodules.item_features import text_features
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.dataset import load_dataset
from marquee.data.layouts import layout_of
from marquee.data.movie_files import Tags, read_tags

HEADER = "userId,movieId,tag,timestamp\n"
RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n2,20,4.5,964981247\n"
MOVIES = "movieId,title,genres\n10,Heat (1995),Crime\n20,Fargo (1996),Crime\n"


def read(folder: Path, content: str, encoding: str = "utf-8") -> Tags:
    (folder / "tags.csv").write_bytes(content.encode(encoding))
    return read_tags(folder, layout_of("ml-latest-small"))


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


def test_read_tags_without_file_returns_none(tmp_path: Path) -> None:
    assert len(read_tags(tmp_path, layout_of("ml-latest-small"))) == 0
    assert len(read_tags(tmp_path, layout_of("ml-1m"))) == 0
    assert len(read(tmp_path, HEADER)) == 0


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        pytest.param("1,10,fun\n", 3, "3 fields, expected 4 (userId,movieId,tag,", id="missing"),
        pytest.param("1,10,a,b,5\n", 3, "5 fields, expected 4", id="unquoted-comma"),
        pytest.param("0,10,fun,5\n", 3, "user id '0', expected a whole number from 1", id="user-0"),
        pytest.param(",10,fun,5\n", 3, "user id ''", id="no-user"),
        pytest.param("1,ten,fun,5\n", 3, "movie id 'ten'", id="movie-word"),
        pytest.param("1,99999999999,fun,5\n", 3, "movie id '99999999999'", id="movie-huge"),
        pytest.param("1,10,fun,-5\n", 3, "timestamp '-5', expected whole seconds", id="time"),
        pytest.param("1,10,fun,99999999999\n", 3, "timestamp '99999999999'", id="milliseconds"),
        pytest.param('1,10,"two\nlines",5\n1,10,fun\n', 5, "3 fields", id="after-two-lines"),
        pytest.param('1,10,"fun,5\n' + "1,10,fun,5\n" * 20_000, 3, "not closed", id="quote"),
    ],
)
def test_read_tags_bad_line_is_named(tmp_path: Path, lines: str, line: int, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, HEADER + "1,20,fine,5\n" + lines + "9,20,fine,5\n")
    assert str(error.value).startswith(f"{tmp_path}/tags.csv line {line}: ")
    assert message in str(error.value)


def test_read_tags_without_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tags\.csv: another form, expected userId,movieId,tag"):
        read(tmp_path, "")
    for content in ("1,10,fun,5\n", "userId,movieId,rating,timestamp\n"):
        with pytest.raises(
            InputError, match=r"tags\.csv line 1: the header is .*is this the tags\.csv"
        ):
            read(tmp_path, content)


def test_load_dataset_fingerprint_includes_tags(tmp_path: Path) -> None:
    folder = tmp_path / "ml-latest-small"
    folder.mkdir()
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "movies.csv").write_text(MOVIES)
    without = load_dataset("ml-latest-small", tmp_path)
    (folder / "tags.csv").write_text(HEADER + "1,10,heist,5\n")
    with_tags = load_dataset("ml-latest-small", tmp_path)
    assert (len(without.tags), with_tags.tags.tag.tolist()) == (0, ["heist"])
    assert without.sha256 != with_tags.sha256


# Text as numbers. Movies 1 to 4; words that two movies share are "red" and "hen".

TITLES = ["Red Fox", "The Red Hen", "Hens!", "Zebra"]
EVERYTHING = [(7, 1), (7, 2), (8, 3), (8, 4)]


def movies(titles: list[str]) -> Movies:
    size = len(titles)
    return Movies(np.arange(1, size + 1), titles, [None] * size, [()] * size)


def tags(*rows: tuple[int, int, str]) -> Tags:
    user, movie, tag = zip(*rows, strict=True) if rows else ((), (), ())
    words = np.array(tag, dtype=object)
    return Tags(np.array(user, dtype=np.int64), np.array(movie, dtype=np.int64), words)


def text(
    titles: list[str], tags: Tags, trained: list[tuple[int, int]], **settings: int
) -> np.ndarray:
    pairs = np.array(trained, dtype=np.int64).reshape(-1, 2)
    return text_features(movies(titles), tags, pairs[:, 0], pairs[:, 1], **settings)


def test_text_features_cosine_follows_shared_words() -> None:
    """Both words stand in two of four movies, so they weigh the same: (1, 0), (1, 1), (0, 1), 0."""
    text_IT = text(TITLES, tags(), EVERYTHING)
    assert text_IT.shape == (4, 2) and text_IT.dtype == np.float32
    half = 1 / math.sqrt(2)
    cosine = [[1, half, 0, 0], [half, 1, half, 0], [0, half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(text_IT @ text_IT.T, cosine, atol=1e-6)


def test_text_features_repeated_word_weighs_sublinearly() -> None:
    """The Red Hen, called "red" once more: (1 + ln 2, 1); Red Fox: (1, 0)."""
    text_IT = text(TITLES, tags((7, 2, "Red")), EVERYTHING)
    red = 1 + math.log(2)
    assert text_IT[0] @ text_IT[1] == pytest.approx(red / math.hypot(red, 1), abs=1e-6)


def test_text_features_one_dimension_keeps_leading_direction() -> None:
    text_IT = text(TITLES, tags(), EVERYTHING, dim=1)
    # The middle (1, 1) / sqrt(2) is the leading direction of (1, 0), (1, 1) / sqrt(2), (0, 1).
    np.testing.assert_allclose(abs(text_IT[:, 0]), [0.5**0.5, 1, 0.5**0.5, 0], atol=1e-6)


def test_text_features_repeat_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(50)]
    titles = [" ".join(rng.choice(words, 4)) for _ in range(200)]
    everything = [(1, movie) for movie in range(1, 201)]
    first, again = (text(titles, tags(), everything, dim=8) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (200, 8)
    assert np.linalg.norm(first, axis=1).max() <= 1 + 1e-6


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param((7, 3, "fox"), id="held-out-rating"),  # 7 and movie 3 are trained on, apart
        pytest.param((9, 3, "fox"), id="held-out-user"),
        pytest.param((7, 4, "red hen"), id="held-out-movie"),
        pytest.param((7, 99, "red hen"), id="unrated-movie"),
    ],
)
def test_text_features_held_out_tag_does_not_leak(leak: tuple[int, int, str]) -> None:
    trained = [(7, 1), (7, 2), (8, 3)]
    counted = (8, 3, "red")
    without = text(TITLES, tags(counted), trained)
    np.testing.assert_array_equal(text(TITLES, tags(counted, leak), trained), without)
    if leak[1] <= len(TITLES):  # trained on, the same tag counts
        trained_text = text(TITLES, tags(counted, leak), [*trained, leak[:2]])
        assert not np.array_equal(trained_text, without)


def test_text_features_held_out_movie_has_title_only() -> None:
    trained = EVERYTHING[:3]
    text_IT = text([*TITLES[:3], "The Red Fox"], tags((8, 4, "hen")), trained)
    # Its "fox" would be in two movies, and count, if a held-out title counted.
    np.testing.assert_allclose(text_IT[3], text_IT[0], atol=1e-6)
    np.testing.assert_array_equal(text_IT[:3], text(TITLES, tags(), trained)[:3])


@pytest.mark.parametrize(
    ("titles", "trained"),
    [
        pytest.param(["Red", "Hen"], [(7, 1), (7, 2)], id="no-word-shared"),
        pytest.param(["The", "Of"], [(7, 1), (7, 2)], id="stop-words"),
        pytest.param(["Red", "Red"], [], id="nothing-trained-on"),
    ],
)
def test_text_features_without_shared_words_is_zero(
    titles: list[str], trained: list[tuple[int, int]]
) -> None:
    np.testing.assert_array_equal(text(titles, tags(), trained), np.zeros((2, 1)))


def test_text_features_one_word_is_one_column() -> None:
    """TruncatedSVD refuses to reduce it."""
    text_I1 = text(["Film", "Film", "Other"], tags(), [(1, 1), (1, 2), (1, 3)])
    np.testing.assert_array_equal(text_I1, [[1], [1], [0]])


def test_text_features_stems_and_accents_match() -> None:
    text_IT = text(["Les Misérables", "Miserable", "Running", "RUNS"], tags(), EVERYTHING)
    cosine = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    words = text_IT / np.linalg.norm(text_IT, axis=1, keepdims=True)
    np.testing.assert_allclose(words @ words.T, cosine, atol=1e-6)
