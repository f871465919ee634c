"""Text of movies that never tells of a held-out rating; features of a data set as numbers."""

import math
from typing import Any

import numpy as np
import pytest

from datamodules import item_features, text_features
from datamodules.feature_fitting import fit_features
from datamodules.user_features import UserFeatures
from marquee.core.feature_encodings import CategoryEncoding, FeatureSpace, NumberEncoding
from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.core.word_vectors import WordVectors
from marquee.data.dataset import Dataset
from marquee.data.features import Feature
from marquee.data.movielens.tags import Tags
from marquee.data.user_histories import UserHistories

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
    return text_and_words(titles, tags, trained, **settings)[0]


def text_and_words(
    titles: list[str], tags: Tags, trained: list[tuple[int, int]], dim: int = 2
) -> tuple[np.ndarray, WordVectors]:
    dataset = dataset_of(movies(titles), trained, tags)
    is_trained_I = np.isin(dataset.movies.movie_id, [movie for _, movie in trained])
    counted = text_features.counted_tags(dataset, dataset.histories)
    return text_features.text_features(dataset.movies, counted, is_trained_I, dim)


def dataset_of(movies: Movies, pairs: list[tuple[int, int]], tags: Tags) -> Dataset:
    user_id, count_U = np.unique([user for user, _ in sorted(pairs)], return_counts=True)
    size = len(pairs)
    return Dataset(
        name="d",
        histories=UserHistories(
            user_id=user_id.astype(np.int64),
            indptr=np.concatenate([[0], np.cumsum(count_U)]).astype(np.int64),
            item=movies.rows([movie for _, movie in sorted(pairs)]).astype(np.int32),
            rating=np.ones(size, np.float32),
            timestamp=np.zeros(size, np.int64),
        ),
        movies=movies,
        num_items=len(movies),
        scale=(),
        sha256="0" * 64,
        report=(),
        tags=tags,
    )


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
    np.testing.assert_array_equal(text(titles, tags(), trained), np.zeros((2, 2)))


def test_text_features_one_word_is_one_column() -> None:
    """TruncatedSVD refuses to reduce it."""
    text_IT = text(["Film", "Film", "Other"], tags(), [(1, 1), (1, 2), (1, 3)])
    np.testing.assert_array_equal(text_IT, [[1, 0], [1, 0], [0, 0]])


@pytest.mark.parametrize("ids", [[5, 7, 9], ["a 1", "a 2", "a 3"]], ids=["int", "text"])
def test_text_features_of_titles_that_are_ids_is_zero(ids: list[Any]) -> None:
    titles = [str(movie_id) for movie_id in ids]
    nameless = Movies(as_ids(ids), titles, [None] * 3, [()] * 3)
    text_IT, words = text_features.text_features(nameless, tags(), np.ones(3, bool), 2)
    assert not text_IT.any() and not words.column_of


def test_word_vectors_without_stemmer_equal_text_features() -> None:
    titles = ["Les Misérables", "The Miserable Runner", "Running, running!", "RUNS & runs"]
    pairs = [(1, movie) for movie in range(1, 5)]
    text_IT, words = text_and_words(titles, tags((1, 1, "runs"), (1, 4, "hens")), pairs)
    served_IT = words.encode(["Les Misérables runs", *titles[1:]])
    assert text_IT.any()
    np.testing.assert_allclose(served_IT, text_IT, atol=1e-6)
    np.testing.assert_array_equal(words.encode(["", "Zebra", "Fox"]), np.zeros((3, 2)))


def test_genres_of_items_without_interactions_add_no_column() -> None:
    catalog = Movies(
        np.arange(1, 4), ["A", "B", "C"], [None] * 3, [("Drama",), (), ("New", "Drama")]
    )
    names = item_features.genre_names(catalog, num_items=2)
    assert names == ("Drama",)
    assert item_features.genre_matrix(catalog, names).tolist() == [[1], [0], [1]]
    assert item_features.genre_matrix(catalog, ()).shape == (3, 1)


# Features of a data set.


def column(name: str, kind: Any, values: list[Any]) -> Feature:
    if kind in ("number", "vector"):
        return Feature(name, kind, np.array(values, np.float32))
    array = np.empty(len(values), object)
    array[:] = values
    return Feature(name, kind, array)


NAN = float("nan")
COUNTRY = column("country", "category", ["dk", "dk", "fr", None, "us"])  # the last: not fitted
CAST = column("cast", "categories", [("x", "y"), ("x",), (), ("x", "z", "y"), ("z",)])
LENGTH = column("length", "number", [90.0, 110.0, NAN, 100.0, 1e9])
IMAGE = column("image", "vector", [[3.0, 4.0], [0.0, 5.0], [NAN, NAN], [5.0, 0.0], [1.0, 1.0]])


def test_fit_features_encodes_every_type() -> None:
    encodings, rows = fit_features([COUNTRY, LENGTH, CAST, IMAGE], num_rows=5, num_fitted=4)
    assert [encoding.name for encoding in encodings] == ["country", "length", "cast", "image"]
    # One table: country has rows 1 (other) and 2 (dk), cast 3 + 1 (other), 3 + 2 (x), 3 + 3 (y).
    assert rows.value_RW.tolist() == [
        [2, 5, 6, 0],
        [2, 5, 0, 0],
        [1, 0, 0, 0],
        [0, 5, 4, 6],
        [1, 4, 0, 0],
    ]
    assert rows.weight_RW[3].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    deviation = math.sqrt(200 / 3)
    numbers = [[-10 / deviation, 0], [10 / deviation, 0], [0, 1], [0, 0], [5, 0]]
    np.testing.assert_allclose(rows.dense_RX[:, :2], numbers, atol=1e-6)
    images = [[0.6, 0.8], [0, 1], [0, 0], [1, 0], [0.2, 0.2]]
    np.testing.assert_allclose(rows.dense_RX[:, 2:], images, atol=1e-6)


def test_fit_features_without_any_is_empty() -> None:
    encodings, rows = fit_features([], num_rows=3, num_fitted=3)
    assert encodings == () and [array.shape for array in rows] == [(3, 0)] * 3


@pytest.mark.parametrize("name", ["items", "type", "a.b", "ä/ö", ""])
def test_feature_space_round_trips_any_name(name: str) -> None:
    text = column(name, "text", ["red hen", "red fox", "hens"])
    encodings, _ = fit_features([text, column("n", "number", [1.0, 2.0, 3.0])], 3, 3)
    space = FeatureSpace(genres=("Drama",), item=encodings, user=encodings)
    again = FeatureSpace.from_json(space.to_json(), space.arrays())
    np.testing.assert_array_equal(
        again.item[0].encode(["red hen", None]), encodings[0].encode(["red hen", None])
    )
    assert again.genres == ("Drama",) and again.item[1] == encodings[1]


def test_user_features_rows_equal_those_of_a_request() -> None:
    features = UserFeatures([COUNTRY, CAST, LENGTH, IMAGE], num_users=5)
    space = FeatureSpace(user=features.encodings)
    rows = features.rows(np.array([3, 0]))
    request = {"cast": ["x", "z", "y"], "length": 100, "image": [5.0, 0.0], "other": 1}
    np.testing.assert_allclose(rows[0], space.encode_user(request), atol=1e-6)
    request = {"country": "dk", "cast": ("x", "y"), "length": "90", "image": (3, 4)}
    np.testing.assert_allclose(rows[1], space.encode_user(request), atol=1e-6)
    assert not space.encode_user({"other": 1}).any()


@pytest.mark.parametrize("value", [None, NAN, "", [], {}, "abc", [1, 2, 3], 10**400, True])
def test_encodings_take_any_value_of_a_request(value: Any) -> None:
    encodings, _ = fit_features([COUNTRY, CAST, LENGTH, IMAGE], num_rows=5, num_fitted=5)
    for encoding in encodings:
        assert np.isfinite(encoding.encode([value])).all()
    assert isinstance(encodings[0], CategoryEncoding) and isinstance(encodings[2], NumberEncoding)


def test_text_features_stems_and_accents_match() -> None:
    text_IT = text(["Les Misérables", "Miserable", "Running", "RUNS"], tags(), EVERYTHING)
    cosine = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    words = text_IT / np.linalg.norm(text_IT, axis=1, keepdims=True)
    np.testing.assert_allclose(words @ words.T, cosine, atol=1e-6)
