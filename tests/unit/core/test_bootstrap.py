"""Bootstrap intervals: known widths, seeds averaged, comparisons paired, shape of results files."""

import numpy as np
import pytest

import marquee.core.bootstrap
from marquee.core.bootstrap import (
    Interval,
    bootstrap,
    draw_counts,
    iter_draw_counts,
    paired,
    percentile_interval,
    summarise,
    summarise_paired,
)


def test_width_is_that_of_the_normal_approximation() -> None:
    found = bootstrap(np.repeat([0.0, 1.0], 5000))  # sd .5, 10,000 persons: .5 +- 1.96 * .005
    assert found.mean == 0.5
    assert found.low == pytest.approx(0.4902, abs=0.0006)
    assert found.high == pytest.approx(0.5098, abs=0.0006)


def test_interval_holds_the_truth_in_about_95_of_100() -> None:
    rng = np.random.default_rng(1)
    found = [bootstrap(rng.random(200), draws=400) for _ in range(300)]
    held = np.mean([one.low <= 0.5 <= one.high for one in found])
    assert 0.91 <= held <= 0.98


def test_percentile_interval_leaves_out_draws_without_a_value() -> None:
    # Of 0, 1, …, 40 the 2.5th percentile is the second value, and the 97.5th the last but one.
    value_S = np.append(np.arange(41.0), np.nan)
    assert percentile_interval(20.5, value_S) == Interval(20.5, 1.0, 39.0)
    empty = percentile_interval(np.nan, np.full(3, np.nan))
    assert np.isnan([empty.mean, empty.low, empty.high]).all()


def test_everybody_alike_leaves_no_width() -> None:
    assert bootstrap([0.25, 0.25, 0.25]) == Interval(0.25, 0.25, 0.25)


def test_seeds_are_averaged_per_person() -> None:
    assert bootstrap([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]) == Interval(0.5, 0.5, 0.5)


def test_same_seed_same_interval_and_another_differs() -> None:
    values = np.random.default_rng(0).random(50)
    assert bootstrap(values, seed=3) == bootstrap(values, seed=3)
    assert bootstrap(values, seed=3) != bootstrap(values, seed=4)


def test_blocks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    whole = bootstrap(values)
    monkeypatch.setattr(
        marquee.core.bootstrap, "BLOCK", 150
    )  # three draws at a time, the last: two
    blocks = bootstrap(values)
    assert [blocks.low, blocks.high] == pytest.approx([whole.low, whole.high], rel=1e-12)


def test_paired_is_far_narrower_than_two_intervals() -> None:
    theirs = np.random.default_rng(0).random(400)
    found = paired(theirs + 0.01, theirs)
    assert [found.mean, found.low, found.high] == pytest.approx([0.01, 0.01, 0.01])
    assert bootstrap(theirs).high - bootstrap(theirs).low > 0.05


def test_paired_takes_seeds_on_either_side() -> None:
    found = paired([[1.0, 0.0], [0.0, 1.0]], [0.25, 0.25])
    assert found == Interval(0.25, 0.25, 0.25)


def test_shapes_of_a_results_file() -> None:
    ours = {"ndcg@10": np.array([1.0, 1.0]), "mrr": np.array([0.5, 0.5])}
    theirs = {"ndcg@10": np.array([0.25, 0.25])}
    assert summarise(ours) == {
        "ndcg@10": {"mean": 1.0, "low": 1.0, "high": 1.0},
        "mrr": {"mean": 0.5, "low": 0.5, "high": 0.5},
    }
    assert summarise_paired(ours, theirs) == {"ndcg@10": {"diff": 0.75, "low": 0.75, "high": 0.75}}


def test_measures_share_their_draws() -> None:
    values = np.random.default_rng(0).random(60)
    found = summarise({"alone": values, "doubled": 2 * values})
    assert found["doubled"]["low"] == pytest.approx(2 * found["alone"]["low"])
    assert found["alone"]["low"] == pytest.approx(bootstrap(values).low)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param([], "shape", id="nobody"),
        pytest.param(0.5, "shape", id="a-number"),
        pytest.param([0.1, np.nan], "1 of 2 values are NaN", id="nan"),
    ],
)
def test_refused_values(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap(values)  # type: ignore[arg-type]


def test_other_persons_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="2 users against 3"):
        paired([0.1, 0.2], [0.1, 0.2, 0.3])


def test_counts_of_draws_are_one_stream_whatever_the_block() -> None:
    whole = draw_counts(np.random.default_rng(3), 7, 10)
    assert whole.shape == (10, 7)
    assert (whole.sum(1) == 7).all()
    for size in (1, 4, 99):
        blocks = iter_draw_counts(7, seed=3, draws=10, draws_per_block=size)
        assert (np.concatenate(list(blocks)) == whole).all()
