"""The logarithmic axis of the growth plot: a tick for each power of ten."""

import pytest

from benchmarks.serving.catalog_growth import log_axis


def test_log_axis_has_a_tick_for_each_power_of_ten() -> None:
    axis = log_axis([0.05, 2_000], 0, 100)
    assert [axis.label(tick) for tick in axis.ticks] == ["0.1", "1", "10", "100", "1,000"]
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(1_000) - axis.at(100))
