"""A training on a share of the users: the same ones each time, with the whole catalog."""

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule, sampled_users
from marquee.core.errors import InputError
from marquee.data.user_histories import UserHistories
from tests.support.small_datasets import dataset_in_memory


def histories_of(num_users: int, length: int) -> UserHistories:
    num = num_users * length
    return UserHistories(
        user_id=np.arange(num_users),
        indptr=np.arange(0, num + 1, length),
        item=np.arange(num, dtype=np.int32) % 7,
        rating=np.ones(num, np.float32),
        timestamp=np.arange(num, dtype=np.int64),
    )


def test_sampled_users_keep_their_histories_whole() -> None:
    histories = histories_of(1000, 5)
    sample = sampled_users(histories, 0.2, seed=0)
    assert len(sample) == 1000 and set(sample.length.tolist()) == {0, 5}
    assert 150 < np.count_nonzero(sample.length) < 250
    again = sampled_users(histories, 0.2, seed=0)
    np.testing.assert_array_equal(sample.timestamp, again.timestamp)
    rows = np.flatnonzero(np.repeat(sample.length > 0, 5))
    np.testing.assert_array_equal(sample.timestamp, histories.timestamp[rows])


def test_sampled_users_none_is_an_error() -> None:
    with pytest.raises(InputError, match="is none of them"):
        sampled_users(histories_of(3, 5), 1e-9, seed=0)


def test_datamodule_of_a_share_splits_fewer_users() -> None:
    items = {user: list(range(10)) for user in range(100)}
    dataset = dataset_in_memory(items, range(20))
    parts = [InteractionDataModule(DataConfig(name="x", user_share=share)) for share in (1.0, 0.3)]
    for part in parts:
        part.__dict__["dataset"] = dataset  # as if it was read
    full, sample = (part.base_split for part in parts)
    assert sample.num_items == full.num_items == 20
    assert len(full.test.user) == 100 and 15 < len(sample.test.user) < 45
