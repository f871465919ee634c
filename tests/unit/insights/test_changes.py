"""Popularity of lists against histories, in words."""

import pytest

from marquee.core.bootstrap import Interval
from marquee.insights.findings.changes import compare_popularity


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        pytest.param(Interval(1.2, 0.8, 1.6), "12% better known than", id="better"),
        pytest.param(Interval(-1.2, -1.6, -0.8), "12% less known than", id="less"),
        pytest.param(Interval(0.2, -0.1, 0.5), "as well known as", id="within-chance"),
    ],
)
def test_compare_popularity_names_direction_beyond_chance(gap: Interval, text: str) -> None:
    assert compare_popularity(gap, Interval(10.0, 9.0, 11.0)) == text
