"""Intervals over resampled users, and the jackknife."""

import numpy as np
import pytest

from marquee.core.bootstrap import ratio
from marquee.insights import resample
from marquee.insights.resample import UserResamples, jackknife


def test_resamples_share_draws_with_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    part, total = rng.random(30), 1 + rng.random(30)
    interval = UserResamples(30, num_draws=200).share(part, total)
    expected = ratio(part, total, draws=200)
    assert interval.mean == pytest.approx(100 * expected.mean)
    assert (interval.low, interval.high) == pytest.approx((100 * expected.low, 100 * expected.high))


def test_resamples_of_many_users_are_drawn_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(10.0)
    expected = UserResamples(10, num_draws=40).share(values, np.ones(10))
    monkeypatch.setattr(resample, "CHUNK_VALUES", 70)
    assert [len(chunk) for chunk in UserResamples(10, num_draws=40).weights()] == [7] * 5 + [5]
    assert UserResamples(10, num_draws=40).share(values, np.ones(10)) == expected


def test_ratios_divide_by_one_total_or_by_each_its_own() -> None:
    resamples = UserResamples(2, num_draws=20)
    part_UF = np.array([[1.0, 2.0], [1.0, 4.0]])
    assert [interval.mean for interval in resamples.ratios(part_UF, np.array([4, 4]))] == [
        1 / 4,
        6 / 8,
    ]
    each = resamples.ratios(part_UF, np.array([[1, 2], [1, 2]]))
    assert [interval.mean for interval in each] == [2 / 2, 6 / 4]


def test_ratios_are_nan_without_a_total() -> None:
    (interval,) = UserResamples(2, num_draws=20).ratios(np.zeros((2, 1)), np.zeros(2))
    assert np.isnan([interval.mean, interval.low, interval.high]).all()


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    value = np.array([1.0, 2.0, 4.0, 9.0])
    interval = jackknife(4.0, (value.sum() - value) / 3)
    half = 1.96 * value.std(ddof=1) / 2
    assert (interval.low, interval.high) == pytest.approx((4 - half, 4 + half))


def test_jackknife_stays_within_its_limits() -> None:
    interval = jackknife(50.0, np.array([0.0, 100.0]), 0, 100)
    assert (interval.low, interval.high) == (0, 100)
