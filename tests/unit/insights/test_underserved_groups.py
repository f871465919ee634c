"""Texts about groups of users and groups of movies."""

import pytest

from marquee.core.bootstrap import Interval
from marquee.insights.findings.underserved_groups import Measurement, summarise
from marquee.insights.words import words_of


def measurement(name: str, hits: Interval, of_movies: bool = False) -> Measurement:
    error = Interval(0.7, 0.6, 0.8)
    return Measurement(
        name=name, of_movies=of_movies, num_users=60, hits=hits, ndcg=hits, error=error
    )


RATINGS = words_of("ml-1m", (1.0, 2.0, 3.0, 4.0, 5.0), has_unrated=False)
EVERYONE = measurement("all users", Interval(10.0, 9.0, 11.0))
HARSH = measurement("users who rate harshly", Interval(4.0, 2.0, 6.0))
HORROR = measurement("Horror movies", Interval(1.0, 0.5, 2.0), of_movies=True)
CLOSE = measurement("Drama movies", Interval(9.0, 7.0, 11.0), of_movies=True)


def test_underserved_groups_are_named_in_the_title() -> None:
    finding = summarise([EVERYONE, HORROR, HARSH], RATINGS)
    assert finding.title == "Least well served: users who rate harshly and Horror movies"
    assert finding.number == HARSH.hits and finding.unit_of_n == "of 60 users"


def test_underserved_groups_within_chance_are_not_named() -> None:
    finding = summarise([EVERYONE, CLOSE], RATINGS)
    assert finding.title == "No group is clearly served worse than the others"
    assert finding.action.startswith("No group needs settings of its own")


@pytest.mark.parametrize(
    ("group", "action", "sentence"),
    [
        (HARSH, "Look first at the lists of users who rate", "For “users who rate harshly”, the"),
        (HORROR, "Recommend Horror movies more", "next movie is one of “Horror movies”, the"),
    ],
)
def test_underserved_action_is_for_users_or_for_movies(
    group: Measurement, action: str, sentence: str
) -> None:
    finding = summarise([EVERYONE, group], RATINGS)
    assert finding.action.startswith(action) and sentence in finding.sentence


def test_underserved_numbers_hold_every_group() -> None:
    numbers = summarise([EVERYONE, HARSH], RATINGS).numbers
    assert numbers["hit_percent/all users"] == EVERYONE.hits
    assert numbers["star_error/users who rate harshly"] == HARSH.error
