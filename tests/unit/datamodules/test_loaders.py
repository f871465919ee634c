"""Batches: windows of histories, pairs with negatives, and queries, cut from a split."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.config import DataConfig
from datamodules.loaders import EvalLoader, SequenceWindows, TrainingPairs, rating_bins
from datamodules.splits import Split, split_next, training_ratings
from marquee.data.user_histories import UserHistories

SCALE = (1.0, 2.0, 3.0, 4.0, 5.0)


def make_split(lengths: list[int], num_items: int = 30) -> Split:
    """User u watched movies 0, 1, 2, … in order and gave them 1 to 5 stars in turn."""
    item = np.concatenate([np.arange(n) % num_items for n in lengths])
    histories = UserHistories(
        user_id=np.arange(1, len(lengths) + 1),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        item=item,
        rating=(1 + item % 5).astype(np.float32),
        timestamp=np.concatenate([np.arange(n) for n in lengths]),
    )
    return split_next(histories, num_items)


def windows(
    split: Split, length: int, epoch: int = 0, per_batch: int = 16, **settings: Any
) -> SequenceWindows:
    return SequenceWindows(
        split,
        rating_bins(split.train_histories.rating, SCALE),
        DataConfig(
            name="demo",
            history_length=length,
            targets_per_batch=per_batch,
            **{"star_dropout": 0.0, "seed": 3, **settings},
        ),
        epoch=lambda: epoch,
    )


def pairs(split: Split, epoch: int = 0) -> TrainingPairs:
    config = DataConfig(name="demo", num_negatives=4, targets_per_batch=20)
    return TrainingPairs(split, config, epoch=lambda: epoch)


def test_rating_bins_reserve_0_for_no_rating() -> None:
    assert rating_bins(np.array([0.5, 4.5, 5.0], np.float32), (0.5, 4.5, 5.0)).tolist() == [1, 2, 3]


@pytest.mark.parametrize("length", [1, 4, 9, 100])
def test_windows_target_each_item_after_the_first_once(length: int) -> None:
    split = make_split([12, 30, 5, 7])
    targets = []
    for batch in windows(split, length):
        assert batch["item_BL"].shape[1] <= length
        has_target = batch["target_BL"] >= 0
        # Movies stand in the order 0, 1, 2, …: what comes next is one more.
        assert (batch["target_BL"][has_target] == batch["item_BL"][has_target] + 1).all()
        targets += batch["target_BL"][has_target].tolist()
    # The last two of each user are test and validation.
    assert sorted(targets) == sorted(t for n in (12, 30, 5, 7) for t in range(1, n - 2))


def test_windows_never_show_held_out_items() -> None:
    split = make_split([12, 30, 5])
    held_out = [{n - 2, n - 1} for n in (12, 30, 5)]
    for batch in windows(split, 50):
        for row in range(len(batch["item_BL"])):
            positives = batch["positive_item_N"][batch["positive_row_N"] == row]
            user = [10, 28, 3].index(len(positives))
            items = set(batch["target_BL"][row].tolist()) | set(positives.tolist())
            assert not items & held_out[user]


def test_windows_repeat_within_epoch_and_keep_their_number() -> None:
    split = make_split([40, 50, 60], 60)
    once, again, later = (list(windows(split, 10, epoch)) for epoch in (1, 1, 2))
    assert len(once) == len(later) == len(windows(split, 10))
    assert all(torch.equal(a["item_BL"], b["item_BL"]) for a, b in zip(once, again, strict=True))
    shapes = [[tuple(batch["item_BL"].shape) for batch in epoch] for epoch in (once, later)]
    assert shapes[0] != shapes[1]


def test_windows_star_dropout_hides_all_ratings_of_a_row() -> None:
    split = make_split([12, 30])
    bare = windows(split, 50, star_dropout=1.0)
    assert all((batch["star_BL"] == 0).all() for batch in bare)
    for batch in windows(split, 50, star_dropout=0.0):
        has_target = batch["target_BL"] >= 0
        assert (batch["star_BL"][has_target] == 1 + batch["item_BL"][has_target] % 5).all()


def test_pairs_negatives_exclude_only_training_items() -> None:
    """Test movies may be drawn: rejecting them would tell the model what is held out."""
    split = make_split([28], 30)  # 26 train movies, 26 validation, 27 test, 28 and 29 unseen
    negatives: set[int] = set()
    for epoch in range(20):
        for batch in pairs(split, epoch):
            negatives |= set(batch["item_MB"][1:].ravel().tolist())
    assert negatives == {26, 27, 28, 29}


def test_pairs_hold_each_positive_once_with_negatives() -> None:
    split = make_split([12, 9], 30)
    batches = list(pairs(split))
    assert len(batches) == len(pairs(split))
    user_N = torch.cat([batch["user_B"] for batch in batches])
    item_KN = torch.cat([batch["item_MB"] for batch in batches], 1)
    assert item_KN.shape == (1 + 4, 10 + 7)
    positives = set(zip(user_N.tolist(), item_KN[0].tolist(), strict=True))
    user, item, _ = training_ratings(split)
    assert positives == set(zip(user.tolist(), item.tolist(), strict=True))


def test_eval_loader_context_precedes_target() -> None:
    split = make_split([12, 30, 5])
    loader = EvalLoader(split.test, SCALE, history_length=8, batch_size=2)
    rows_by_user = {}
    for batch in loader:
        for row, user in enumerate(batch["user_B"].tolist()):
            length = int(batch["length_B"][row])
            history = batch["seen_item_N"][batch["seen_row_N"] == row]
            rows_by_user[user] = (
                batch["item_BL"][row, :length].tolist(),
                int(batch["target_B"][row]),
                len(history),
            )
    # The latest 8 (fewer where there are fewer), the movie after them, and all that was seen.
    assert rows_by_user == {
        0: (list(range(3, 11)), 11, 11),
        1: (list(range(21, 29)), 29, 29),
        2: ([0, 1, 2, 3], 4, 4),
    }


def test_eval_loader_many_targets() -> None:
    split = make_split([12, 30, 5])
    length = split.all_histories.length
    start = split.test.start
    queries = replace(
        split.test,
        context_end=start + length * 4 // 5,
        target_end=start + length,
        has_many_targets=True,
    )
    (batch,) = EvalLoader(queries, SCALE, history_length=8)
    assert batch["user_B"].tolist() == [1, 0, 2]  # longest first
    targets = [batch["target_item_N"][batch["target_row_N"] == row].tolist() for row in range(3)]
    assert targets == [list(range(24, 30)), [9, 10, 11], [4]]
    assert batch["item_BL"].tolist()[:2] == [list(range(16, 24)), list(range(1, 9))]
    assert "target_B" not in batch


def test_eval_loader_excludes_items_before_context() -> None:
    split = make_split([12, 5])
    candidates = np.array([0, 1, 2, 11, 4])
    context_start = split.test.start + np.array([3, 1])
    queries = replace(split.test, context_start=context_start, ranked_items=candidates)
    (batch,) = EvalLoader(queries, SCALE, history_length=20)
    rows = [batch["item_BL"][row, : batch["length_B"][row]].tolist() for row in range(2)]
    assert rows == [list(range(3, 11)), [1, 2, 3]]
    histories = [batch["seen_item_N"][batch["seen_row_N"] == row].tolist() for row in range(2)]
    assert histories == [list(range(11)), [0, 1, 2, 3]]
    assert batch["target_B"].tolist() == [11, 4]
    assert batch["ranked_item_C"].tolist() == candidates.tolist()


def test_windows_targets_come_from_horizon() -> None:
    split = make_split([30])  # entry i of the only user is movie i; 28 of them are trained on
    source = windows(split, 50, horizon=3)
    ahead = set()
    for source.epoch in (lambda: 0, lambda: 1, lambda: 2):
        for batch in source:
            has_target = batch["target_BL"] >= 0
            step = (batch["target_BL"] - batch["item_BL"])[has_target]
            ahead |= set(step.tolist())
            assert batch["target_BL"].max() <= 27
    assert ahead == {1, 2, 3}


def test_windows_shuffled_hold_same_entries() -> None:
    split = make_split([30])
    plain = windows(split, 40)
    mixed = windows(split, 40, shuffled=True)
    (before,), (first,), (again,) = list(plain), list(mixed), list(mixed)
    entries = [b["item_BL"][0].tolist() + b["target_BL"][0, -1:].tolist() for b in (before, first)]
    assert entries[0] == list(range(28)) == sorted(entries[1]) != entries[1]
    assert torch.equal(first["item_BL"], again["item_BL"])
    assert (first["star_BL"] == 1 + first["item_BL"] % 5).all()
