"""Batches: windows of histories, pairs with negatives, and cases, cut from a split."""

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
    """Person u watched movies 0, 1, 2, … in order and gave them 1 to 5 stars in turn."""
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
    return TrainingPairs(split, num_negatives=4, batch_size=20, seed=0, epoch=lambda: epoch)


def test_star_rows_leave_0_for_no_stars() -> None:
    assert rating_bins(np.array([0.5, 4.5, 5.0], np.float32), (0.5, 4.5, 5.0)).tolist() == [1, 2, 3]


@pytest.mark.parametrize("length", [1, 4, 9, 100])
def test_windows_ask_every_training_movie_but_the_first_once(length: int) -> None:
    split = make_split([12, 30, 5, 7])
    asked = []
    for batch in windows(split, length):
        assert batch["item_BL"].shape[1] <= length
        kept = batch["target_BL"] >= 0
        # Movies stand in the order 0, 1, 2, …: what comes next is one more.
        assert (batch["target_BL"][kept] == batch["item_BL"][kept] + 1).all()
        asked += batch["target_BL"][kept].tolist()
    # The last two of each person are test and validation.
    assert sorted(asked) == sorted(t for n in (12, 30, 5, 7) for t in range(1, n - 2))


def test_windows_never_show_the_held_out_movies() -> None:
    split = make_split([12, 30, 5])
    held_out = [{n - 2, n - 1} for n in (12, 30, 5)]
    for batch in windows(split, 50):
        for row in range(len(batch["item_BL"])):
            mine = batch["positive_item_N"][batch["positive_row_N"] == row]
            person = [10, 28, 3].index(len(mine))
            shown = set(batch["target_BL"][row].tolist()) | set(mine.tolist())
            assert not shown & held_out[person]


def test_windows_are_the_same_for_one_epoch_and_as_many_in_all() -> None:
    split = make_split([40, 50, 60], 60)
    once, again, later = (list(windows(split, 10, epoch)) for epoch in (1, 1, 2))
    assert len(once) == len(later) == len(windows(split, 10))
    assert all(torch.equal(a["item_BL"], b["item_BL"]) for a, b in zip(once, again, strict=True))
    shapes = [[tuple(batch["item_BL"].shape) for batch in epoch] for epoch in (once, later)]
    assert shapes[0] != shapes[1]


def test_windows_carry_stars_or_none_at_all() -> None:
    split = make_split([12, 30])
    bare = windows(split, 50, star_dropout=1.0)
    assert all((batch["star_BL"] == 0).all() for batch in bare)
    for batch in windows(split, 50, star_dropout=0.0):
        kept = batch["target_BL"] >= 0
        assert (batch["star_BL"][kept] == 1 + batch["item_BL"][kept] % 5).all()


def test_pairs_reject_train_positives_and_nothing_else() -> None:
    """Test movies may be drawn: rejecting them would tell the model what is held out."""
    split = make_split([28], 30)  # 26 train movies, 26 validation, 27 test, 28 and 29 unseen
    drawn: set[int] = set()
    for epoch in range(20):
        for batch in pairs(split, epoch):
            drawn |= set(batch["item_MB"][1:].ravel().tolist())
    assert drawn == {26, 27, 28, 29}


def test_pairs_ask_every_positive_once_with_its_negatives() -> None:
    split = make_split([12, 9], 30)
    batches = list(pairs(split))
    assert len(batches) == len(pairs(split))
    user_N = torch.cat([batch["user_B"] for batch in batches])
    item_KN = torch.cat([batch["item_MB"] for batch in batches], 1)
    assert item_KN.shape == (1 + 4, 10 + 7)
    asked = set(zip(user_N.tolist(), item_KN[0].tolist(), strict=True))
    user, item, _ = training_ratings(split)
    assert asked == set(zip(user.tolist(), item.tolist(), strict=True))


def test_cases_hold_the_history_before_the_target() -> None:
    split = make_split([12, 30, 5])
    cases = EvalLoader(split.test, SCALE, history_length=8, batch_size=2)
    found = {}
    for batch in cases:
        for row, user in enumerate(batch["user_B"].tolist()):
            length = int(batch["length_B"][row])
            seen = batch["seen_item_N"][batch["seen_row_N"] == row]
            found[user] = (
                batch["item_BL"][row, :length].tolist(),
                int(batch["target_B"][row]),
                len(seen),
            )
    # The latest 8 (fewer where there are fewer), the movie after them, and all that was seen.
    assert found == {
        0: (list(range(3, 11)), 11, 11),
        1: (list(range(21, 29)), 29, 29),
        2: ([0, 1, 2, 3], 4, 4),
    }


def test_cases_list_several_movies_to_be_found() -> None:
    split = make_split([12, 30, 5])
    length = split.all_histories.length
    start = split.test.start
    fifths = replace(
        split.test,
        context_end=start + length * 4 // 5,
        target_end=start + length,
        has_many_targets=True,
    )
    (batch,) = EvalLoader(fifths, SCALE, history_length=8)
    assert batch["user_B"].tolist() == [1, 0, 2]  # longest first
    found = [batch["target_item_N"][batch["target_row_N"] == row].tolist() for row in range(3)]
    assert found == [list(range(24, 30)), [9, 10, 11], [4]]
    assert batch["item_BL"].tolist()[:2] == [list(range(16, 24)), list(range(1, 9))]
    assert "target_B" not in batch


def test_cases_neither_show_nor_rank_what_stands_before_the_history() -> None:
    split = make_split([12, 5])
    among = np.array([0, 1, 2, 11, 4])
    context_start = split.test.start + np.array([3, 1])
    asked = replace(split.test, context_start=context_start, ranked_items=among)
    (batch,) = EvalLoader(asked, SCALE, history_length=20)
    rows = [batch["item_BL"][row, : batch["length_B"][row]].tolist() for row in range(2)]
    assert rows == [list(range(3, 11)), [1, 2, 3]]
    seen = [batch["seen_item_N"][batch["seen_row_N"] == row].tolist() for row in range(2)]
    assert seen == [list(range(11)), [0, 1, 2, 3]]
    assert batch["target_B"].tolist() == [11, 4]
    assert batch["ranked_item_C"].tolist() == among.tolist()


def test_targets_come_from_the_horizon() -> None:
    split = make_split([30])  # entry i of the only person is movie i; 28 of them are trained on
    source = windows(split, 50, horizon=3)
    ahead = set()
    for source.epoch in (lambda: 0, lambda: 1, lambda: 2):
        for batch in source:
            is_asked = batch["target_BL"] >= 0
            step = (batch["target_BL"] - batch["item_BL"])[is_asked]
            ahead |= set(step.tolist())
            assert batch["target_BL"].max() <= 27
    assert ahead == {1, 2, 3}


def test_shuffled_windows_hold_the_same_entries_in_another_order() -> None:
    split = make_split([30])
    plain = windows(split, 40)
    mixed = windows(split, 40, shuffled=True)
    (before,), (first,), (again,) = list(plain), list(mixed), list(mixed)
    entries = [b["item_BL"][0].tolist() + b["target_BL"][0, -1:].tolist() for b in (before, first)]
    assert entries[0] == list(range(28)) == sorted(entries[1]) != entries[1]
    assert torch.equal(first["item_BL"], again["item_BL"])
    assert (first["star_BL"] == 1 + first["item_BL"] % 5).all()
