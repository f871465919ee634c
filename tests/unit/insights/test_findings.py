"""Every number of the findings, by arithmetic on small tables; ml-1m's against pandas."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from marquee.core.bootstrap import ratio
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.user_histories import build_histories
from marquee.evaluation.metrics.rating import rater_kinds, rater_kinds_of_counts
from marquee.insights.aggregates import SESSION_GAP_S, Aggregates, aggregate, shrunk_mean
from marquee.insights.findings import (
    genres,
    movies,
    rating_scale,
    rating_times,
    release_years,
    users,
)
from marquee.insights.history_chunk import year_of
from marquee.insights.report import make_report
from marquee.insights.resample import UserResamples, jackknife
from tests.support.ratings_files import SECOND, YEAR_S, Row, dataset_of, random_rows

FILMS = [
    (10, "Heat, The (1994)", "Drama|War"),
    (20, "Fargo (1990)", "Drama"),
    (30, "Nameless", "Comedy"),
    (40, "Late (1999)", "(no genres listed)"),
]
LATER = SECOND + 60 + SESSION_GAP_S + 1
ROWS: list[Row] = [
    (1, 10, 5.0, SECOND),
    (1, 20, 4.0, SECOND + 60),
    (1, 30, 3.0, LATER),
    (1, 40, 2.0, LATER + SESSION_GAP_S),
    (2, 10, 4.0, SECOND),
    (2, 20, 4.0, SECOND + 1),
    (3, 10, 1.0, SECOND),
    (3, 30, 5.0, SECOND + 1),
    (4, 10, 5.0, SECOND + YEAR_S + 86_400),
]
MEAN = 33 / 9


@pytest.fixture
def tables(tmp_path: Path) -> Aggregates:
    return tables_of(dataset_of(tmp_path, ROWS, FILMS))


def tables_of(dataset: Dataset) -> Aggregates:
    return aggregate(dataset, build_histories(dataset))


def draws_of(tables: Aggregates) -> UserResamples:
    return UserResamples(tables.num_users, num_draws=50)


def test_sums_by_person_and_by_film(tables: Aggregates) -> None:
    assert tables.length_U.tolist() == [4, 2, 2, 1]
    assert tables.count_I.tolist() == [4, 2, 2, 1]
    assert tables.rating_sum_I.tolist() == [15, 8, 8, 2]
    assert tables.movies.genre_names == ("Comedy", "Drama", "War")
    assert tables.genre_count_UG.tolist() == [[1, 2, 1], [0, 2, 1], [1, 1, 1], [0, 1, 1]]
    assert tables.genre_rating_sum_UG.tolist() == [[3, 9, 5], [0, 8, 4], [5, 1, 1], [0, 5, 5]]
    assert tables.value_count_UV[0].tolist() == [0, 0, 0, 1, 0, 1, 0, 1, 0, 1]
    assert tables.years.tolist() == [2000, 2001]
    assert tables.year_count_UY.tolist() == [[4, 0], [2, 0], [2, 0], [0, 1]]
    assert tables.early_count_I.tolist() == [0, 0, 0, 1]  # Late is of 1999, rated in 2000


def test_a_sitting_ends_with_more_than_an_hour(tables: Aggregates) -> None:
    assert tables.num_sessions_U.tolist() == [2, 1, 1, 1]
    assert tables.in_first_session_U.tolist() == [2, 2, 2, 1]


def test_three_tops_of_genres(tables: Aggregates) -> None:
    found = genres.genres(tables, draws_of(tables))
    assert found.number is not None
    assert found.number.mean == pytest.approx(100 * 6 / 9)  # Drama: the ratings of Heat and Fargo
    numbers = found.numbers
    assert numbers["titles_percent/Drama"] == pytest.approx(100 * 2 / 4)
    assert numbers["ratings_percent/Comedy"] == pytest.approx(100 * 2 / 9)
    assert numbers["mean_stars/Drama"] == pytest.approx((9 + 8 + 1 + 5 + 10 * MEAN) / (6 + 10))
    assert numbers["mean_stars/Comedy"] == pytest.approx((3 + 5 + 10 * MEAN) / (2 + 10))
    # In nearly half of all draws War, on one film of Drama, is as far as Drama.
    assert found.title == (
        "Drama fills the catalog; Drama and War are rated most; "
        "Drama, Comedy and War are liked best"
    )


def test_a_genre_leads_alone_only_beyond_chance() -> None:
    def first(column_UF: list[list[float]]) -> list[int]:
        found, leaders = genres.with_leaders(
            UserResamples(len(column_UF)), np.array(column_UF), lambda sum_SF: sum_SF
        )
        assert [one.mean for one in found] == np.sum(column_UF, 0).tolist()
        return leaders

    assert first([[1.0, 2.0, 0.0]] * 30) == [1]
    assert first([[0.0, 2.0, 0.0]] * 16 + [[2.0, 0.0, 0.0]] * 14) == [1, 0]  # 32 against 28


@pytest.mark.parametrize(
    ("rated", "liked", "title"),
    [
        (["Drama"], ["Drama"], "Drama leads in titles, in ratings and in stars"),
        (["Drama"], ["War"], "Drama has the most titles and the most ratings; War is liked best"),
        (["War"], ["War"], "Drama fills the catalog, War is rated most, War is liked best"),
        (
            ["Drama", "War"],
            ["War", "Crime", "Noir", "Drama"],
            "Drama fills the catalog; Drama and War are rated most; no genre is clearly liked best",
        ),
    ],
)
def test_the_verdict_on_genres(rated: list[str], liked: list[str], title: str) -> None:
    assert genres.verdict("Drama", rated, liked) == title


def test_the_distribution_of_ratings(tables: Aggregates) -> None:
    found = rating_scale.ratings(tables, draws_of(tables))
    assert found.number is not None and found.chart is not None
    assert found.number.mean == pytest.approx(100 * 6 / 9)
    assert found.numbers["low_percent"] == pytest.approx(100 * 2 / 9)
    shares = {row[0]: row[1] for row in found.chart.rows}
    assert shares["4"] == pytest.approx(100 * 3 / 9) and shares["4.5"] == 0


def test_a_film_is_not_liked_for_a_single_five(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 10, 5.0, SECOND), *((u, 20, 3.0, SECOND) for u in range(1, 5))]
    tables = tables_of(dataset_of(tmp_path, rows, FILMS[:2]))
    assert tables.shrunk_mean_I[0] == pytest.approx((5 + 10 * 17 / 5) / 11)  # 3.5, not 5
    found = rating_scale.movies_by_mean(tables)
    assert found.numbers["films_liked"] == 0
    assert "1 have a plain mean of 4 or more, 1 of them by fewer than 5 ratings" in found.sentence
    assert movies.few_among_best(tables, 1) == (1, 1)


def test_drawing_means_in_takes_rare_films_off_the_top(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 10, 5.0, SECOND), (1, 30, 1.0, SECOND)]
    rows += [(u, 20, 4.5, SECOND) for u in range(1, 21)]
    rows += [(u, 30, 1.0, SECOND) for u in range(2, 21)]
    tables = tables_of(dataset_of(tmp_path, rows, FILMS[:3]))
    assert movies.few_among_best(tables, 1) == (1, 0)


def test_the_skew_of_raters(tables: Aggregates) -> None:
    every = users.lorenz_of(tables.length_U, (0.25, 0.5, 1.0))(np.ones((1, 4)))
    assert every[0] == pytest.approx([4 / 9, 6 / 9, 1])
    part = users.lorenz_of(tables.length_U, (0.01,))(np.ones((1, 4)))
    assert part[0, 0] == pytest.approx(0.04 * 4 / 9)  # four hundredths of the busiest person
    differences = 2 * (2 + 2 + 3 + 0 + 1 + 1)  # of 4, 2, 2, 1, each pair in both orders
    gini = users.gini_of(tables.length_U)(np.ones((1, 4)))
    assert gini[0, 0] == pytest.approx(differences / (2 * 4 * 9))
    twice = users.gini_of(tables.length_U)(np.array([[2.0, 2, 2, 2]]))
    assert twice == pytest.approx(gini)


def test_the_bound_counts_nobody_for_more(tables: Aggregates) -> None:
    found = users.skew(tables, draws_of(tables), cap=2)
    assert found.chart is not None
    half = found.chart.rows[-1]
    assert half[1:3] == pytest.approx((100 * 6 / 9, 100 * 4 / 7))
    assert found.numbers["busiest"] == 4


def test_films_by_support(tables: Aggregates) -> None:
    found = movies.few_ratings(tables)
    assert found.number is not None and found.chart is not None
    assert found.number.mean == 25
    assert [row[1] for row in found.chart.rows] == [25, 75, 0, 0, 0]
    assert [row[4] for row in found.chart.rows] == pytest.approx([100 / 9, 800 / 9, 0, 0, 0])


def test_the_share_of_the_head(tables: Aggregates, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not movies.concentration(tables, draws_of(tables)).available  # four films have no tenth
    monkeypatch.setattr(movies, "MIN_MOVIES", 4)
    found = movies.concentration(tables, draws_of(tables))
    assert found.number is not None
    assert found.number.mean == pytest.approx(100 * 4 / 9)
    assert "The Heat (1994)" in found.sentence


def test_more_ratings_are_never_said_to_make_a_film_liked(tables: Aggregates) -> None:
    found = movies.liking_and_popularity(tables)
    assert not found.available and found.number is None
    assert found.chart is not None
    single = next(row for row in found.chart.rows if row[0] == "1")
    assert single[1] == pytest.approx((2 + 10 * MEAN) / 11)  # no mean over one rating


def without(rows: list[Row], user: int) -> list[Row]:
    return [row for row in rows if row[0] != user]


def test_what_is_gone_without_a_person_is_what_is_gone(tmp_path: Path) -> None:
    rows, catalogue = (
        random_rows(25, 40),
        [(m, f"F ({1995 + m % 14})", "Drama") for m in range(1, 41)],
    )
    tables = tables_of(dataset_of(tmp_path / "all", rows, catalogue))
    mean, loved = tables.mean_rating, int((tables.shrunk_mean_I >= 4).sum())
    for place, user in enumerate(tables.user_id.tolist()):
        left = tables_of(dataset_of(tmp_path / str(user), without(rows, user), catalogue))
        gone = len(tables.movies) - len(left.movies)
        assert tables.edge_count_UX[place, 0] == gone
        groups = np.bincount(left.support_I, minlength=5)
        moved = np.append(tables.edge_count_UX[place, 1:], 0) - tables.edge_count_UX[place]
        assert (np.bincount(tables.support_I, minlength=5) + moved).tolist() == groups.tolist()
        # The overall mean is held: one person hardly moves it, and it is no film of theirs.
        still = int((shrunk_mean(left.rating_sum_I, left.count_I, mean) >= 4).sum())
        assert loved + tables.liked_change_U[place] - tables.liked_only_U[place] == still
        assert tables.early_only_UY[place].sum() == early(tables) - early(left)


def early(tables: Aggregates) -> int:
    is_within = (tables.release_year_I >= 2000) & (tables.early_count_I > 0)
    return int(is_within.sum())


def test_draws_are_those_of_every_other_interval() -> None:
    rng = np.random.default_rng(1)
    part, whole = rng.random(30), 1 + rng.random(30)
    ours, theirs = (
        UserResamples(30, num_draws=200).share(part, whole),
        ratio(part, whole, draws=200),
    )
    expected = np.array([theirs.mean, theirs.low, theirs.high]) * 100
    assert [ours.mean, ours.low, ours.high] == pytest.approx(expected)


def test_draws_of_many_people_are_made_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(10.0)
    whole = UserResamples(10, num_draws=40).share(values, np.ones(10))
    monkeypatch.setattr("marquee.insights.resample.CHUNK_VALUES", 70)
    assert [len(each) for each in UserResamples(10, num_draws=40).weights()] == [7] * 5 + [5]
    assert UserResamples(10, num_draws=40).share(values, np.ones(10)) == whole


def test_leaving_out_each_person_of_a_mean_is_its_standard_error() -> None:
    value = np.array([1.0, 2.0, 4.0, 9.0])
    without_each = (value.sum() - value) / 3
    found = jackknife(4.0, without_each)
    half = 1.96 * value.std(ddof=1) / 2
    assert (found.low, found.high) == pytest.approx((4 - half, 4 + half))


def test_kinds_of_raters_from_counts_are_those_of_ratings() -> None:
    rng, values = np.random.default_rng(0), tuple(np.arange(1, 11) / 2)
    user = np.repeat(np.arange(40), 12)
    stars = np.clip(np.round(2 * (rng.normal(3, 1.5, 480) + user % 3)) / 2, 0.5, 5)
    star_UK = np.stack([(stars.reshape(40, 12) == value).sum(1) for value in values], 1)
    kinds = rater_kinds_of_counts(star_UK, values)
    assert kinds.tolist() == rater_kinds(user, stars, 40, values).tolist()
    assert len(set(kinds.tolist())) > 2


@pytest.mark.parametrize(
    ("early", "late", "ratings", "title"),
    [
        pytest.param(3, 3, 30, "No decline in movies per year can be shown", id="same"),
        pytest.param(
            2, 6, 30, "Movies per year do not decline: the fall is the edge of the data", id="more"
        ),
        pytest.param(
            8,
            2,
            80,
            "Fewer movies per year are rated, even with the same time for each",
            id="fewer",
        ),
        pytest.param(
            8, 2, 5, "Fewer movies per year are rated, but fewer ratings are given too", id="raters"
        ),
    ],
)
def test_a_fall_at_the_edge_is_no_decline(
    tmp_path: Path, early: int, late: int, ratings: int, title: str
) -> None:
    rows, catalogue = per_year(early, late, ratings)
    tables = tables_of(dataset_of(tmp_path, rows, catalogue))
    found = release_years.movies_per_year(tables, None)
    assert found.title == title
    assert found.number is not None and found.number.mean == pytest.approx(late / early)
    assert "to 1 of 2012" in found.sentence  # the plain count falls whatever happens


def per_year(early: int, late: int, ratings: int) -> tuple[list[Row], list[tuple[int, str, str]]]:
    """Films of 2000 to 2009, each rated by four people in the year after; one film of 2012; other
    ratings that make every year as busy as asked."""
    rows: list[Row] = [(1, 1, 3.0, stamp(1999)), (1, 2, 3.0, stamp(2012))]
    catalogue = [(1, "Old (1950)", "Drama"), (2, "New (2012)", "Drama")]
    for year in range(2000, 2010):
        for _ in range(early if year < 2005 else late):
            catalogue.append((len(catalogue) + 1, f"F{len(catalogue)} ({year})", "Drama"))
            raters = [1 + (7 * len(catalogue) + each) % 40 for each in range(4)]
            rows += [(user, len(catalogue), 3.0, stamp(year + 1)) for user in raters]
    for year in range(2000, 2012):
        for each in range(30 if year < 2006 else ratings):
            catalogue.append((len(catalogue) + 1, f"Old {len(catalogue)} (1960)", "Drama"))
            rows.append((1 + each, len(catalogue), 3.0, stamp(year)))
    return sorted(rows), catalogue


def stamp(year: int) -> int:
    return int(np.datetime64(f"{year}-06-01").astype("datetime64[s]").astype(int))


def test_years_are_those_of_the_calendar() -> None:
    last_second = int(np.datetime64("2003-12-31T23:59:59").astype(int))
    assert year_of(np.array([0, last_second, last_second + 1])).tolist() == [1970, 2003, 2004]


def test_bursts_and_years(tables: Aggregates) -> None:
    found = rating_times.sessions(tables, draws_of(tables), None)
    assert found.number is not None
    assert found.number.mean == pytest.approx(100 * (2 / 4 + 1 + 1 + 1) / 4)
    assert found.numbers["one_sitting_percent"] == 75


def test_the_busiest_year_beside_an_even_one(tmp_path: Path) -> None:
    rows: list[Row] = [*ROWS, (4, 20, 3.0, SECOND + 3 * YEAR_S + 86_400)]
    tables = tables_of(dataset_of(tmp_path, rows, FILMS))
    found = rating_times.ratings_by_year(tables, draws_of(tables), None)
    assert found.number is not None and found.number.mean == pytest.approx(100 * 8 / 10)
    assert "an even year would have 25%" in found.sentence
    assert found.chart is not None
    assert [row[4] for row in found.chart.rows] == [3, 1, 0, 1]  # people who rated


ML_1M = Path(os.environ.get("DATA_ROOT", "data")) / "ml-1m"


def read_dat(path: Path, names: list[str]) -> pd.DataFrame:
    lines = pd.Series(path.read_text(encoding="latin-1").splitlines())
    return lines.str.split("::", expand=True).set_axis(names, axis=1)


@pytest.mark.skipif(not ML_1M.is_dir(), reason=f"no {ML_1M}: set DATA_ROOT to try the real data")
def test_ml_1m_agrees_with_pandas() -> None:
    dataset = load_dataset("ml-1m")
    report = make_report(dataset, build_histories(dataset)).to_json()
    found = {each["id"]: each for each in report["findings"]}
    ratings = read_dat(ML_1M / "ratings.dat", ["user", "movie", "stars", "time"])
    ratings = ratings.astype(np.int64)
    films_read = read_dat(ML_1M / "movies.dat", ["movie", "title", "genres"])
    films_read["movie"] = films_read["movie"].astype(np.int64)
    shares = (100 * ratings["stars"].value_counts(normalize=True)).round(2)
    assert report["rating_share_percent"]["1"] == shares[1] == 5.62
    assert found["ratings"]["value"] == pytest.approx(100 * (ratings["stars"] >= 4).mean(), 1e-5)

    joined = ratings.merge(films_read, on="movie")
    rated = films_read[films_read["movie"].isin(ratings["movie"])]
    for genre in ("Drama", "Comedy", "Film-Noir", "Children's"):
        numbers = found["genres"]["numbers"]
        has, titles = (each["genres"].str.contains(genre, regex=False) for each in (joined, rated))
        assert numbers[f"ratings_percent/{genre}"] == pytest.approx(100 * has.mean(), 1e-5)
        assert numbers[f"titles_percent/{genre}"] == pytest.approx(100 * titles.mean(), 1e-5)
        stars = joined.loc[has, "stars"]
        expected = (stars.sum() + 10 * ratings["stars"].mean()) / (len(stars) + 10)
        assert numbers[f"mean_stars/{genre}"] == pytest.approx(expected, 1e-5)

    by_user = ratings.groupby("user").size().sort_values(ascending=False)
    top = by_user.iloc[:60].sum() + 0.4 * by_user.iloc[60]  # a hundredth of 6,040 people
    assert found["skew"]["value"] == pytest.approx(100 * top / len(ratings), 1e-5)
    rising, size = by_user.to_numpy()[::-1], len(by_user)
    gini = 2 * (np.arange(1, size + 1) * rising).sum() / (size * rising.sum()) - (size + 1) / size
    assert found["skew"]["numbers"]["gini"] == pytest.approx(gini, 1e-5)

    by_film = ratings.groupby("movie")["stars"].agg(["size", "sum"])
    assert found["few-ratings"]["value"] == pytest.approx(100 * 114 / 3706, 1e-5)
    assert (by_film["size"] == 1).sum() == 114
    mean = (by_film["sum"] + 10 * ratings["stars"].mean()) / (by_film["size"] + 10)
    assert found["films-by-mean"]["value"] == pytest.approx(100 * (mean >= 4).mean(), 1e-5)
    head = by_film["size"].nlargest(371).sum()
    assert found["concentration"]["value"] == pytest.approx(100 * head / len(ratings), 1e-5)

    low, high = (ratings["stars"] <= 2), (ratings["stars"] >= 4)
    low, high = (is_so.groupby(ratings["user"]).mean() for is_so in (low, high))
    mean_of = ratings.groupby("user")["stars"].mean()
    wide = (low >= 0.1) & (high >= 0.1) & (high < 0.9) & (mean_of >= 3)
    assert found["raters"]["value"] == pytest.approx(100 * wide.mean(), 1e-5)
    for id in ("films-per-year", "over-time", "sittings", "segments", "served"):
        assert not found[id]["told"]
    assert "reconstructed" in found["sittings"]["sentence"]
