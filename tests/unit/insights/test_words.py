"""The words of a report, and how it writes the values of any scale."""

import numpy as np
import pytest

from marquee.evaluation.metrics.rating import RATER_KINDS, rater_kinds
from marquee.insights.words import Scale, words_of

STARS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
TENS = tuple(map(float, range(11)))
HUNDRED = tuple(map(float, range(101)))


@pytest.mark.parametrize(
    ("scale", "liked", "low"),
    [
        (STARS, "4 stars or more", "2 stars or less"),
        ((1.0, 2.0, 3.0, 4.0, 5.0), "4 stars or more", "2 stars or less"),
        (TENS, "8 of 10 or more", "4 of 10 or less"),
        (HUNDRED, "80 of 100 or more", "40 of 100 or less"),
        ((0.0, 1.0), "1", "0"),
        ((-10.0, 0.0, 10.0), "10", "-10"),
    ],
)
def test_scale_writes_liked_and_low(scale: tuple[float, ...], liked: str, low: str) -> None:
    words = Scale(scale)
    assert words.at_least(words.liked) == liked and words.at_most(words.low) == low


@pytest.mark.parametrize(
    ("scale", "step"), [(STARS, 0.25), (TENS, 0.5), (HUNDRED, 5.0), ((0.0, 1.0), 0.05)]
)
def test_scale_steps_are_round(scale: tuple[float, ...], step: float) -> None:
    edges = Scale(scale).edges(Scale(scale).step(20))
    assert np.diff(edges) == pytest.approx(step)
    assert (edges[0], edges[-1]) == (scale[0], scale[-1])


def test_long_scale_is_grouped_with_its_end_in_the_last_group() -> None:
    names, group = Scale(HUNDRED).groups
    assert names == ["0", "10", "20", "30", "40", "50", "60", "70", "80", "90"]
    assert (group[9], group[10], group[99], group[100]) == (0, 1, 9, 9)


@pytest.mark.parametrize(
    ("scale", "has_unrated", "text"),
    [
        (STARS, False, "a rating, rated"),
        ((), True, "a play, played"),
        (TENS, True, "an interaction, rated or played"),
        ((5.0,), False, "a rating, rated"),
    ],
)
def test_words_follow_the_data(scale: tuple[float, ...], has_unrated: bool, text: str) -> None:
    words = words_of("mine", scale, has_unrated=has_unrated)
    assert f"{words.a_rating}, {words.rated}" == text


@pytest.mark.parametrize(
    ("ratings", "kind"),
    [
        ([90] * 9 + [10], "high"),
        ([50] * 10, "harsh"),
        ([95] * 5 + [90] * 3 + [15, 5], "full-range"),
        ([70] * 10, "other"),
    ],
)
def test_rater_kinds_of_a_scale_of_hundred(ratings: list[int], kind: str) -> None:
    user = np.zeros(10, np.int64)
    (row,) = rater_kinds(user, np.array(ratings, np.float64), 1, HUNDRED)
    assert RATER_KINDS[row] == kind
