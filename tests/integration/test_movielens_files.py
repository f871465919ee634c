"""MovieLens folders as they come: every form loads, and a bad movies file is named line by line."""

from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,964982703\n1,20,4.5,964981247\n"
MOVIES = (
    'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n'
    "20,Amélie,(no genres listed)\n30,Unrated (2000),Western\n"
)


def load(
    root: Path, ratings: str = RATINGS, movies: str = MOVIES, name: str = "ml-latest-small"
) -> Dataset:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text(ratings)
    (folder / "movies.csv").write_text(movies)
    return load_dataset(name, root)


@pytest.mark.parametrize("name", ["ml-latest-small", "ml-20m", "my-movielens"])
def test_load_dataset_csv_form_under_any_name(tmp_path: Path, name: str) -> None:
    dataset = load(tmp_path, name=name)
    assert [dataset.movies.label(row) for row in range(3)] == [
        "The Matrix (1999)",
        "Amélie",
        "Unrated (2000)",
    ]
    assert dataset.movies.genres == [("Action", "Sci-Fi"), (), ("Western",)]
    assert dataset.num_items == 2
    assert dataset.histories.user_id.tolist() == [1]


def test_load_dataset_ml_10m_has_half_stars_and_tags(tmp_path: Path) -> None:
    folder = tmp_path / "ml-10m"
    folder.mkdir()
    (folder / "ratings.dat").write_text("1::10::4.5::964982703\n1::20::5::964981247\n")
    (folder / "movies.dat").write_text(
        "10::Heat (1995)::Crime\n20::Up (2009)::(no genres listed)\n"
    )
    (folder / "tags.dat").write_text('1::10::"heist::1215184630\n')
    dataset = load_dataset("ml-10m", tmp_path)
    assert dataset.scale[:2] == (0.5, 1.0)
    assert dataset.tags.tag.tolist() == ['"heist']
    assert dataset.user_features == ()


def test_load_dataset_movie_missing_in_the_file_shows_its_id(tmp_path: Path) -> None:
    dataset = load(tmp_path, RATINGS + "2,15,3.0,1445714836\n")
    assert dataset.movies.movie_id.tolist() == [10, 15, 20, 30]
    assert dataset.movies.label(1) == "15" and dataset.movies.genres[1] == ()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        pytest.param("40,Two (2000)\n", "movies.csv line 5: ", id="field-missing"),
        pytest.param("40,A, B,Drama\n", "movies.csv line 5: ", id="unquoted-comma"),
        pytest.param("x,Two,Drama\n", "line 5: id 'x', expected an integer", id="word"),
        pytest.param(",Two,Drama\n", "line 5: no id, expected one", id="no-id"),
        pytest.param(
            "20,Two,Drama\n",
            "line 5: id '20' again with title 'Two', expected 'Amélie'",
            id="twice",
        ),
    ],
)
def test_load_dataset_bad_movie_line_is_named(tmp_path: Path, lines: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, movies=MOVIES + lines)
    assert sentence in str(error.value)
    assert not list(tmp_path.glob("ml-latest-small/dataset.yaml"))


def test_load_dataset_fingerprint_changes_with_the_movies(tmp_path: Path) -> None:
    first = load(tmp_path / "a")
    assert load(tmp_path / "b").sha256 == first.sha256
    assert load(tmp_path / "c", RATINGS + "3,10,4.0,964982703\n").sha256 != first.sha256
    assert load(tmp_path / "d", movies=MOVIES + "40,New,Drama\n").sha256 != first.sha256
