"""Histories as callers write them: forms of an entry, repeats, times, errors."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.core.movies import Movies
from marquee.recommender.bundle import write_bundle
from marquee.recommender.bundle_checks import ALL_SHAPES
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import HISTORY_LENGTH, MOVIES, tiny_parts

HEAT, GOLDENEYE, SUSPECTS, PULP = 6, 10, 50, 296
ALL_IDS = [movie[0] for movie in MOVIES]
UNKNOWN = 999
NUM_ENTRIES = 10_000
"""The longest history of a request."""


def ids(response: Any) -> list[int]:
    return [item["movie_id"] for item in response["items"]]


@pytest.mark.parametrize(
    ("entries", "equivalent"),
    [
        pytest.param([(HEAT, None)], [HEAT], id="no-stars"),
        pytest.param([(HEAT, None, None)], [HEAT], id="no-stars-no-share"),
        pytest.param([(HEAT,)], [HEAT], id="one-tuple"),
        pytest.param([[HEAT, 4.0]], [(HEAT, 4.0)], id="list"),
        pytest.param([np.int64(HEAT)], [HEAT], id="numpy-id"),
        pytest.param([(HEAT, np.float32(4.5))], [(HEAT, 4.5)], id="numpy-stars"),
        pytest.param([(HEAT, 4)], [(HEAT, 4.0)], id="integer-stars"),
        pytest.param([{"movie_id": HEAT}], [HEAT], id="mapping"),
        pytest.param([{"movie_id": HEAT, "stars": 4.0}], [(HEAT, 4.0)], id="mapping-stars"),
        pytest.param(
            [{"movie_id": HEAT, "watched": 0.95}], [(HEAT, None, 0.95)], id="mapping-share"
        ),
        pytest.param(
            [{"movie_id": HEAT, "stars": None, "watched": None, "at": None}], [HEAT], id="nulls"
        ),
        pytest.param([PULP, {"movie_id": HEAT, "stars": 2}], [PULP, (HEAT, 2.0)], id="mixed"),
        pytest.param((entry for entry in [{"movie_id": HEAT}, PULP]), [HEAT, PULP], id="iterator"),
        pytest.param(
            [{"movie_id": PULP, "at": "2026-01-31T20:15:00Z"}, HEAT], [PULP, HEAT], id="one-time"
        ),
        pytest.param(
            [HEAT, {"movie_id": PULP, "at": "2020-01-31T20:15:00Z"}], [HEAT, PULP], id="time-last"
        ),
        pytest.param([(HEAT, None, 0.9), 1], [(HEAT, 4.0), 1], id="finished-is-4-stars"),
        pytest.param([(HEAT, None, 0.5)], [HEAT], id="half-watched"),
        pytest.param([(HEAT, None, 0.1)], [HEAT], id="a-tenth-is-watched"),
        pytest.param([(HEAT, 2.0, 0.95)], [(HEAT, 2.0)], id="stars-before-finished"),
        pytest.param([(HEAT, 1.0, 0.05)], [(HEAT, 1.0)], id="stars-before-abandoned"),
        pytest.param([(HEAT, 2.0), PULP, (HEAT, 5.0)], [PULP, (HEAT, 5.0)], id="repeat"),
        pytest.param([(HEAT, 5.0), PULP, HEAT], [PULP, HEAT], id="repeat-without-stars"),
        pytest.param([PULP, HEAT, (HEAT, None, 0.05)], [PULP, (HEAT, None, 0)], id="repeat-left"),
        pytest.param([(HEAT, None, 0.05), PULP, HEAT], [PULP, HEAT], id="left-then-watched"),
        pytest.param(ALL_IDS * 1_000, ALL_IDS, id="ten-thousand-entries"),
    ],
)
def test_history_forms_are_parsed_alike(
    recommender: Recommender, entries: Any, equivalent: list[Any]
) -> None:
    parse = recommender.catalog.parse_history
    history, expected = parse(entries), parse(equivalent)
    np.testing.assert_array_equal(history.item_L, expected.item_L)
    np.testing.assert_array_equal(history.rating_bin_L, expected.rating_bin_L)
    np.testing.assert_array_equal(history.abandoned, expected.abandoned)


def test_history_of_an_abandoned_item_is_not_read_but_seen(recommender: Recommender) -> None:
    np.testing.assert_array_equal(
        recommender.score([[1, (HEAT, None, 0.05)]]), recommender.score([[1]])
    )
    response = recommender.recommend(history=[(PULP, None, 0.05)])
    assert response["strategy"] == "popular" and PULP not in ids(response)


@pytest.mark.parametrize(
    ("entry", "field", "message"),
    [
        pytest.param(7, "history.0.movie_id", "movie 7: not in the catalog", id="unknown"),
        pytest.param((7, 4.0), "history.0.movie_id", "movie 7: not in the catalog", id="pair"),
        pytest.param((1, 5.5), "history.0.stars", "off the scale", id="off-scale"),
        pytest.param((1, math.nan), "history.0.stars", "off the scale", id="nan"),
        pytest.param((1, "5"), "history.0.stars", "off the scale", id="text-stars"),
        pytest.param((1, True), "history.0.stars", "off the scale", id="bool-stars"),
        pytest.param(True, "history.0.movie_id", "expected an integer", id="bool-id"),
        pytest.param("1", "history.0.movie_id", "movie 1: not in the catalog", id="text-id"),
        pytest.param(1.0, "history.0.movie_id", "expected an integer", id="float-id"),
        pytest.param((1, 4.0, 1.5), "history.0.watched", "share from 0", id="watched"),
        pytest.param((1, None, True), "history.0.watched", "share from 0", id="bool-watched"),
        pytest.param((1, 4.0, 0.5, 9), "history.0", "4 parts", id="four-parts"),
        pytest.param((), "history.0", "0 parts", id="no-parts"),
    ],
)
def test_history_invalid_entry_names_its_field(
    recommender: Recommender, entry: Any, field: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as error:
        recommender.score([[entry]])
    assert error.value.field == field
    is_unknown = "not in the catalog" in message
    assert error.value.code == ("unknown_movie" if is_unknown else "invalid")


@pytest.mark.parametrize(
    ("entry", "field", "message"),
    [
        pytest.param(
            {"movie_id": PULP, "portion": 0.5}, "history.1.portion", "movie_id, stars", id="key"
        ),
        pytest.param({"stars": 4.0}, "history.1.movie_id", "no movie_id, expected one", id="no-id"),
        pytest.param({"movie_id": "6"}, "history.1.movie_id", "movie 6: not in", id="text-id"),
        pytest.param({"movie_id": 7}, "history.1.movie_id", "movie 7", id="unknown"),
        pytest.param({"movie_id": PULP, "stars": 9}, "history.1.stars", "off the", id="stars"),
        pytest.param({"movie_id": PULP, "watched": 2}, "history.1.watched", "share", id="watched"),
        pytest.param({"movie_id": PULP, "at": "noon"}, "history.1.at", "offset", id="no-time"),
        pytest.param({"movie_id": PULP, "at": 5}, "history.1.at", "offset", id="number"),
        pytest.param(
            {"movie_id": PULP, "at": "2026-01-31T20:15:00"}, "history.1.at", "offset", id="no-zone"
        ),
        pytest.param(
            {"movie_id": PULP, "at": datetime(2026, 1, 31)}, "history.1.at", "offset", id="naive"
        ),
    ],
)
@pytest.mark.parametrize("first", [HEAT, {"movie_id": HEAT, "at": "2030-01-31T20:15:00Z"}])
def test_history_invalid_mapping_names_its_key(
    recommender: Recommender, first: Any, entry: dict[str, Any], field: str, message: str
) -> None:
    """The place is that of the entry as written, also where entries are sorted by time."""
    with pytest.raises(RequestError, match=message) as error:
        recommender.recommend([first, entry])
    assert error.value.field == field


@pytest.mark.parametrize("flat", [[HEAT, SUSPECTS], [None]], ids=["one-history", "none"])
def test_history_that_is_no_list_raises(recommender: Recommender, flat: Any) -> None:
    with pytest.raises(RequestError, match=r"history: .*, expected a list of entries"):
        recommender.score(flat)


@pytest.mark.parametrize("entries", [[UNKNOWN], [HEAT, (UNKNOWN, 4.0)]], ids=["alone", "second"])
def test_history_unknown_movie_raises_in_every_verb(
    recommender: Recommender, entries: list[Any]
) -> None:
    for verb in (recommender.score, recommender.predict_stars):
        with pytest.raises(RequestError, match=f"movie {UNKNOWN}: not in the catalog"):
            verb([entries], [HEAT])


def test_history_with_times_is_sorted_stably(recommender: Recommender) -> None:
    """To the microsecond, across zones, equal times in their order."""
    entries = [
        {"movie_id": HEAT, "stars": 4.0, "at": "2026-01-31T20:15:00.000001Z"},
        {"movie_id": PULP, "stars": 5.0, "at": "2026-01-31T21:15:00+01:00"},
        {"movie_id": SUSPECTS, "stars": 3.0, "at": "2026-01-31t20:15:00z"},
        {"movie_id": GOLDENEYE, "watched": 0.05, "at": "2025-01-31T20:15:00Z"},
    ]
    history = recommender.catalog.parse_history(entries)
    assert recommender.movie_ids[history.item_L].tolist() == [PULP, SUSPECTS, HEAT]
    assert recommender.movie_ids[history.abandoned].tolist() == [GOLDENEYE]
    parsed = [entry | {"at": datetime.fromisoformat(str(entry["at"]).upper())} for entry in entries]
    np.testing.assert_array_equal(recommender.score([parsed]), recommender.score([entries]))


def test_history_drops_the_not_interested(recommender: Recommender) -> None:
    history = recommender.catalog.parse_history([HEAT, (PULP, None, 0.05)], [PULP, HEAT, PULP])
    assert len(history) == 0 and len(history.abandoned) == 0
    assert recommender.movie_ids[history.not_interested].tolist() == [HEAT, PULP]


def test_usable_entries_skip_unknown_movies_and_stars(recommender: Recommender) -> None:
    """Stars off the scale become none; the movie still counts."""
    stored = [(HEAT, 4.0, None, 100), (UNKNOWN, 5.0, None, 200), (PULP, 4.2, 0.5, 300)]
    usable = list(recommender.catalog.usable_entries(stored))
    assert usable == [(100, (HEAT, 4.0, None)), (300, (PULP, None, 0.5))]
    assert recommender.catalog.known_ids([UNKNOWN, HEAT]) == [HEAT]


def test_history_of_all_movies_gives_an_empty_page(recommender: Recommender) -> None:
    response = recommender.recommend(history=ALL_IDS)
    assert (response["items"], response["strategy"], response["next_offset"]) == (
        [],
        "history",
        None,
    )


def test_history_longer_than_the_encoder_reads_is_seen(tmp_path: Path) -> None:
    parts = tiny_parts()
    rows = np.arange(NUM_ENTRIES + 3) % len(MOVIES)
    titles = [f"Movie {row}" for row in range(len(rows))]
    movies = Movies(np.arange(1, len(rows) + 1), titles, [None] * len(rows), [()] * len(rows))
    item_axes = {name: axes.index("I") for name, axes in ALL_SHAPES.items() if "I" in axes}
    arrays = {name: parts["arrays"][name].take(rows, axis) for name, axis in item_axes.items()}
    write_bundle(tmp_path / "b", **parts | {"movies": movies, "arrays": parts["arrays"] | arrays})
    large = Recommender.load(tmp_path / "b")
    history = list(range(1, NUM_ENTRIES + 1))
    np.testing.assert_array_equal(large.score([history]), large.score([history[-HISTORY_LENGTH:]]))
    response = large.recommend(history=history, k=10)
    assert sorted(ids(response)) == [NUM_ENTRIES + 1, NUM_ENTRIES + 2, NUM_ENTRIES + 3]
    assert response["next_offset"] is None


@pytest.mark.parametrize("entries", [[], [(PULP, None, 0.05)]], ids=["empty", "abandoned"])
def test_score_without_a_readable_entry_is_popularity(
    recommender: Recommender, entries: list[Any]
) -> None:
    popularity = [math.log(1 + movie[-1]) for movie in MOVIES]
    np.testing.assert_allclose(recommender.score([entries])[0], popularity, rtol=1e-6)


def test_predict_stars_without_ratings_is_the_prior(recommender: Recommender) -> None:
    silent, prior = recommender.predict_stars([[HEAT, SUSPECTS, (PULP, None, 0.5)], []], ALL_IDS)
    np.testing.assert_array_equal(silent, prior)
    finished, rated = recommender.predict_stars([[(HEAT, None, 0.95)], [(HEAT, 4.0)]], ALL_IDS)
    np.testing.assert_array_equal(finished, rated)
