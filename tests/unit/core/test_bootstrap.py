"""Bootstrap intervals: known widths, seeds averaged, comparisons paired, shape of results files."""

import numpy as np
import pytest

from marquee.core import bootstrap as bootstrap_module
from marquee.core.bootstrap import (
    Interval,
    bootstrap,
    draw_counts,
    iter_draw_counts,
    paired,
    percentile_interval,
    ratio,
    summarise,
    summarise_paired,
)


def test_bootstrap_width_is_the_normal_approximation() -> None:
    interval = bootstrap(np.repeat([0.0, 1.0], 5000))  # sd .5, 10,000 users: .5 +- 1.96 * .005
    assert interval.mean == 0.5
    assert interval.low == pytest.approx(0.4902, abs=0.0006)
    assert interval.high == pytest.approx(0.5098, abs=0.0006)


def test_bootstrap_covers_the_truth_in_about_95_of_100() -> None:
    rng = np.random.default_rng(1)
    intervals = [bootstrap(rng.random(200), draws=400) for _ in range(300)]
    coverage = np.mean([interval.low <= 0.5 <= interval.high for interval in intervals])
    assert 0.91 <= coverage <= 0.98


def test_percentile_interval_skips_nan_draws() -> None:
    # Of 0, 1, …, 40 the 2.5th percentile is the second value, and the 97.5th the last but one.
    value_S = np.append(np.arange(41.0), np.nan)
    assert percentile_interval(20.5, value_S) == Interval(20.5, 1.0, 39.0)
    empty = percentile_interval(np.nan, np.full(3, np.nan))
    assert np.isnan([empty.mean, empty.low, empty.high]).all()


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert bootstrap([0.25, 0.25, 0.25]) == Interval(0.25, 0.25, 0.25)


def test_bootstrap_averages_seeds_per_user() -> None:
    assert bootstrap([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]) == Interval(0.5, 0.5, 0.5)


def test_bootstrap_is_reproducible_by_seed() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_bootstrap_draws_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    expected = bootstrap(values)
    monkeypatch.setattr(bootstrap_module, "BLOCK", 150)  # three draws at a time, the last: two
    interval = bootstrap(values)
    bounds = pytest.approx([expected.low, expected.high], rel=1e-12)
    assert [interval.low, interval.high] == bounds


def test_paired_is_narrower_than_two_intervals() -> None:
    reference = np.random.default_rng(0).random(400)
    interval = paired(reference + 0.01, reference)
    assert [interval.mean, interval.low, interval.high] == pytest.approx([0.01, 0.01, 0.01])
    assert bootstrap(reference).high - bootstrap(reference).low > 0.05


def test_paired_takes_seeds_on_either_side() -> None:
    interval = paired([[1.0, 0.0], [0.0, 1.0]], [0.25, 0.25])
    assert interval == Interval(0.25, 0.25, 0.25)


def test_summarise_sections_of_a_results_file() -> None:
    values = {"ndcg@10": np.array([1.0, 1.0]), "mrr": np.array([0.5, 0.5])}
    reference = {"ndcg@10": np.array([0.25, 0.25])}
    assert summarise(values) == {
        "ndcg@10": {"mean": 1.0, "low": 1.0, "high": 1.0},
        "mrr": {"mean": 0.5, "low": 0.5, "high": 0.5},
    }
    assert summarise_paired(values, reference) == {
        "ndcg@10": {"diff": 0.75, "low": 0.75, "high": 0.75}
    }


def test_summarise_metrics_share_their_draws() -> None:
    values = np.random.default_rng(0).random(60)
    section = summarise({"plain": values, "doubled": 2 * values})
    assert section["doubled"]["low"] == pytest.approx(2 * section["plain"]["low"])
    assert section["plain"]["low"] == pytest.approx(bootstrap(values).low)


def test_ratio_draws_the_same_users_on_both_sides() -> None:
    reference = np.random.default_rng(0).random(50) + 0.5
    interval = ratio(2 * reference, reference)
    assert [interval.mean, interval.low, interval.high] == pytest.approx([2, 2, 2])


def test_ratio_to_a_mean_of_zero_raises() -> None:
    with pytest.raises(ValueError, match="a ratio to a mean of 0"):
        ratio([1.0, 2.0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "shape", id="no-users"),
        pytest.param(0.5, "shape", id="a-number"),
        pytest.param([0.1, np.nan], "1 of 2 values are NaN", id="nan"),
    ],
)
def test_bootstrap_invalid_values_raise(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap(values)  # type: ignore[arg-type]


def test_paired_of_other_users_raises() -> None:
    with pytest.raises(ValueError, match="2 users against 3"):
        paired([0.1, 0.2], [0.1, 0.2, 0.3])


def test_draw_counts_are_one_stream_in_any_blocks() -> None:
    count_SU = draw_counts(np.random.default_rng(3), 7, 10)
    assert count_SU.shape == (10, 7)
    assert (count_SU.sum(1) == 7).all()
    for size in (1, 4, 99):
        blocks = iter_draw_counts(7, seed=3, draws=10, draws_per_block=size)
        assert (np.concatenate(list(blocks)) == count_SU).all()
