"""Protocol `fixed`: files of training, validation and test; and what each protocol needs."""

from typing import Any

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from datamodules.splits import split_fixed
from datamodules.splits.base import TEST, TRAIN, VALID
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset
from tests.support.eval_queries import cuts
from tests.support.small_datasets import dataset_in_memory

ITEMS = {"a": [1, 2, 3, 4, 0], "b": [4, 1, 2], "c": [3], "d": [0, 2]}
PARTS = [0, 0, 1, 2, 0, 2, 0, 1, 2, 0, 0]


def module(dataset: Dataset, **settings: Any) -> InteractionDataModule:
    data = InteractionDataModule(DataConfig(name="mine", **settings))
    data.__dict__["dataset"] = dataset
    return data


def mine(**settings: Any) -> Dataset:
    items: dict[Any, Any] = {f"u{u}": [(u + i) % 30 for i in range(8)] for u in range(30)}
    return dataset_in_memory(items, [f"tt{i:04}" for i in range(30)], **settings)


def test_split_fixed_asks_by_part() -> None:
    split = split_fixed(dataset_in_memory(ITEMS, range(5), part=PARTS).histories, 5, "mine")
    assert cuts(split.valid) == {0: ([1, 2, 0], [3]), 1: ([1], [2])}
    assert cuts(split.test) == {0: ([1, 2, 3, 0], [4]), 1: ([1, 2], [4]), 2: ([], [3])}
    assert split.train_histories.length.tolist() == [3, 1, 0, 2]
    assert split.with_refit("validation").train_histories.length.tolist() == [4, 2, 0, 2]


def test_split_fixed_without_validation_draws_a_share() -> None:
    part = np.repeat([0, 2], [200, 40]).tolist()
    items = {user: list(range(24)) for user in range(10)}
    histories = dataset_in_memory(items, range(24), part=part).histories
    splits = [split_fixed(histories, 24, "mine", seed) for seed in (0, 0, 1)]
    assert [(splits[0].subset_N == each).sum() for each in (TRAIN, VALID, TEST)] == [180, 20, 40]
    assert (splits[0].subset_N == splits[1].subset_N).all()
    assert (splits[0].subset_N != splits[2].subset_N).any()
    assert splits[0].with_refit("validation").train_histories.length.sum() == 200


@pytest.mark.parametrize("part", [None, [0] * 240])
def test_split_fixed_without_test_file_is_refused(part: list[int] | None) -> None:
    with pytest.raises(InputError, match=r"mine has no test interactions.*--test-interactions"):
        _ = module(Dataset(**vars(mine(part=part)) | {"name": "mine"}), protocol="fixed").base_split


@pytest.mark.parametrize(
    ("protocol", "settings", "message"),
    [
        ("next", {"has_times": False}, "neither times nor an order.*--time COLUMN, or --ordered"),
        ("time", {"has_times": False}, "has no times.*--time COLUMN, or data.protocol fixed"),
        ("time", {"has_times": False, "is_ordered": True}, "or data.protocol next"),
        ("stars", {}, "has no ratings.*--rating COLUMN"),
    ],
)
def test_protocol_without_what_it_needs_is_refused(
    protocol: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _ = module(mine(**settings), protocol=protocol).base_split


@pytest.mark.parametrize("protocol", ["new-users", "new-movies", "fixed"])
def test_protocol_without_order_runs(protocol: str) -> None:
    part = np.tile([0, 0, 0, 0, 0, 0, 1, 2], 30).tolist()
    data = module(mine(has_times=False, part=part), protocol=protocol)
    assert len(data.base_split.test) > 0
    assert not data.has_order


def test_ordered_data_keep_the_source_order() -> None:
    split = module(mine(has_times=False, is_ordered=True), protocol="next").base_split
    assert (split.all_histories.item == mine().histories.item).all()


@pytest.mark.parametrize("ties", ["hash", "file"])
def test_order_of_data_without_order_is_drawn(
    ties: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the file's order, nor one order in all epochs, tells a model anything."""
    data = module(mine(has_times=False), protocol="new-users", ties=ties, horizon=5)
    assert (data.base_split.all_histories.item != mine().histories.item).any()
    assert data.order_config.shuffled
    _ = module(mine(has_times=False), protocol="new-users").base_split
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 1 and all("another random order" in line for line in lines)


@pytest.mark.parametrize(
    ("items", "protocol"),
    [
        pytest.param({5: [0, 1]}, "next", id="one-user-two-items"),
        pytest.param({5: [0, 1]}, "new-movies", id="new-movies"),
        pytest.param({5: [0, 1]}, "new-users", id="new-users"),
        pytest.param({5: [0], 6: [1], 7: [0]}, "next", id="one-interaction-each"),
    ],
)
def test_smallest_data_are_refused_with_a_sentence(items: dict[Any, Any], protocol: str) -> None:
    with pytest.raises(InputError, match="part is empty, expected at least one"):
        _ = module(dataset_in_memory(items, range(2)), protocol=protocol).base_split


def test_one_user_of_five_items_is_split() -> None:
    split = module(dataset_in_memory({"only": [4, 3, 2, 1, 0]}, list("abcde"))).base_split
    assert cuts(split.test) == {0: ([4, 3, 2, 1], [0])}


@pytest.mark.parametrize("cut", ["2000-13-01", "yesterday", 0.0, 1.5])
def test_cut_that_is_no_date_or_share_is_refused(cut: Any) -> None:
    with pytest.raises(InputError, match=r"data.cut: .*, expected a date such as 2000-12-02"):
        DataConfig(name="mine", protocol="time", cut=cut)


def test_cut_of_another_protocol_is_refused() -> None:
    with pytest.raises(InputError, match="only time has a cut"):
        DataConfig(name="mine", protocol="next", cut=0.8)
