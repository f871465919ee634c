"""Stars of the users, kinds of raters, and the share of the busiest."""

import numpy as np
import pytest

from marquee.core.bootstrap import Interval
from marquee.evaluation.metrics.rating import rater_kinds, rater_kinds_of_counts
from marquee.insights.aggregates import Aggregates
from marquee.insights.findings import users
from marquee.insights.resample import UserResamples
from marquee.insights.words import Scale

STARS = Scale((0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5))


def test_ratings_measures_the_distribution(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = users.ratings(aggregates, resamples, STARS)
    assert finding.number is not None and finding.chart is not None
    assert finding.number.mean == pytest.approx(100 * 6 / 9)
    low_share = finding.numbers["low_percent"]
    assert isinstance(low_share, Interval) and low_share.mean == pytest.approx(100 * 2 / 9)
    shares = {row[0]: row[1] for row in finding.chart.rows}
    assert shares["4"] == pytest.approx(100 * 3 / 9) and shares["4.5"] == 0


def test_raters_shares_add_up_to_all_users(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = users.raters(aggregates, resamples, STARS)
    assert finding.chart is not None and finding.chart.columns[1] == "% of users"
    shares = [float(str(row[1])) for row in finding.chart.rows]
    assert sum(shares) == pytest.approx(100) and finding.numbers["users_percent/high"] == 50


def test_rater_kinds_of_counts_match_those_of_ratings() -> None:
    rng, values = np.random.default_rng(0), tuple(np.arange(1, 11) / 2)
    user = np.repeat(np.arange(40), 12)
    stars = np.clip(np.round(2 * (rng.normal(3, 1.5, 480) + user % 3)) / 2, 0.5, 5)
    count_UV = np.stack([(stars.reshape(40, 12) == value).sum(1) for value in values], 1)
    kinds = rater_kinds_of_counts(count_UV, values)
    assert kinds.tolist() == rater_kinds(user, stars, 40, values).tolist()
    assert len(set(kinds.tolist())) > 2


def test_lorenz_shares_of_four_users(aggregates: Aggregates) -> None:
    shares = users.lorenz_of(aggregates.length_U, (0.25, 0.5, 1.0))(np.ones((1, 4)))
    assert shares[0] == pytest.approx([4 / 9, 6 / 9, 1])


def test_lorenz_share_within_a_user_takes_a_part(aggregates: Aggregates) -> None:
    share = users.lorenz_of(aggregates.length_U, (0.01,))(np.ones((1, 4)))
    assert share[0, 0] == pytest.approx(0.04 * 4 / 9)  # four hundredths of the busiest user


def test_gini_is_the_mean_difference(aggregates: Aggregates) -> None:
    differences = 2 * (2 + 2 + 3 + 0 + 1 + 1)  # of 4, 2, 2, 1, each pair in both orders
    gini = users.gini_of(aggregates.length_U)(np.ones((1, 4)))
    assert gini[0, 0] == pytest.approx(differences / (2 * 4 * 9))
    doubled = users.gini_of(aggregates.length_U)(np.array([[2.0, 2, 2, 2]]))
    assert doubled == pytest.approx(gini)


def test_skew_with_a_cap_counts_no_user_for_more(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = users.skew(aggregates, resamples, cap=2)
    assert finding.chart is not None
    half = dict(zip(finding.chart.columns, finding.chart.rows[-1], strict=True))
    assert half["% of ratings"] == pytest.approx(100 * 6 / 9)
    assert half["% with a cap of 2"] == pytest.approx(100 * 4 / 7)
    assert finding.numbers["busiest"] == 4
    assert "A cap of 2 ratings per user lowers the share of the busiest to" in finding.sentence


def test_skew_with_a_cap_above_all_says_it_changes_nothing(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    sentence = users.skew(aggregates, resamples, cap=4).sentence
    assert sentence.endswith(" A cap of 4 ratings per user would change nothing: no user has more.")
    assert "lowers" not in sentence
