"""Aggregates of nine ratings, and resamples of their four users."""

from pathlib import Path

import pytest

from marquee.data.history_order import build_histories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.resample import UserResamples
from tests.support.nine_ratings import MOVIES, ROWS
from tests.support.ratings_files import dataset_of


@pytest.fixture
def aggregates(tmp_path: Path) -> Aggregates:
    dataset = dataset_of(tmp_path, ROWS, MOVIES)
    return aggregate(dataset, build_histories(dataset))


@pytest.fixture
def resamples() -> UserResamples:
    return UserResamples(4, num_draws=50)
