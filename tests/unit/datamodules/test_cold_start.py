"""new-users and new-movies: the held-out users and movies, none of which reaches training."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.config import DataConfig
from datamodules.loaders import SequenceWindows, TrainingPairs
from datamodules.splits import (
    Split,
    random_holdout,
    split_new_movies,
    split_new_users,
    training_ratings,
)
from datamodules.splits.base import TEST, TRAIN, VALID
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries, cut
from marquee.data.user_histories import UserHistories


def make_histories(lengths: list[int], num_items: int = 40, seed: int = 0) -> UserHistories:
    """User u watched lengths[u] different movies at seconds 0, 1, 2, …"""
    rng = np.random.default_rng(seed)
    items = [rng.permutation(num_items)[:n] for n in lengths]
    return UserHistories(
        user_id=np.arange(100, 100 + len(lengths)),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        item=np.concatenate(items),
        rating=np.concatenate(items).astype(np.float32),  # tells the movie: they must move together
        timestamp=np.concatenate([np.arange(n) for n in lengths]),
    )


def entries(histories: UserHistories, user: int) -> list[int]:
    return histories.item[histories.indptr[user] : histories.indptr[user + 1]].tolist()


def cuts(queries: EvalQueries) -> dict[int, tuple[list[int], list[int], list[int]]]:
    """User -> watched but hidden, context, targets."""
    excluded = cut(queries.item_N, queries.start, queries.context_start)
    rows = zip(excluded, queries.contexts(), queries.targets(), strict=True)
    lists = [tuple(items.tolist() for items in row) for row in rows]
    return dict(zip(queries.user.tolist(), lists, strict=True))  # type: ignore[arg-type]


LENGTHS = [5, 9, 10, 30, 4, 11, 12, 13, 14, 6] * 4


def trained_on(split: Split) -> tuple[set[int], set[int]]:
    """Users and movies of every training rating, window and pair."""
    user, item, _ = training_ratings(split)
    users, items = set(user.tolist()), set(item.tolist())
    windows = SequenceWindows(
        split,
        np.ones(len(split.train_histories.item), np.int64),
        DataConfig(name="demo", history_length=7, targets_per_batch=32, star_dropout=0.0),
        epoch=lambda: 0,
    )
    for batch in windows:
        item_N = torch.cat([batch["item_BL"][batch["star_BL"] > 0], batch["target_BL"].ravel()])
        items |= set(item_N.tolist()) - {-1} | set(batch["positive_item_N"].tolist())
    config = DataConfig(name="demo", num_negatives=1, targets_per_batch=64)
    for pairs in TrainingPairs(split, config, epoch=lambda: 0):
        users |= set(pairs["user_B"].tolist())
        items |= set(pairs["item_MB"][0].tolist())
    return users, items


def test_new_users_context_is_first_80_percent() -> None:
    histories = make_histories([5, 9, 10, 12] * 10)
    split = split_new_users(histories, 40)
    context_length = {5: 4, 9: 7, 10: 8, 12: 9}  # .8 x length, rounded down
    for part in (split.valid, split.test):
        for user, (hidden, history, targets) in cuts(part).items():
            own = entries(histories, user)
            assert (hidden, history + targets) == ([], own)
            assert len(history) == context_length[len(own)]


def test_new_users_holds_out_5_and_5_percent() -> None:
    histories = make_histories([4] * 50 + [5] * 40 + [6] * 60)
    split = split_new_users(histories, 40)
    assert len(split.valid) == len(split.test) == 5
    assert not set(split.valid.user.tolist()) & set(split.test.user.tolist())
    assert min(split.valid.user.min(), split.test.user.min()) >= 50  # never one of the 4 ratings


def test_new_users_test_user_never_reaches_training() -> None:
    split = split_new_users(make_histories(LENGTHS), 40)
    test, valid = set(split.test.user.tolist()), set(split.valid.user.tolist())
    all_users = set(range(len(LENGTHS)))
    assert trained_on(split)[0] == all_users - test - valid
    refitted = split.with_refit("validation")
    assert trained_on(refitted)[0] == all_users - test
    for user in valid:  # with all their ratings
        assert entries(refitted.train_histories, user) == entries(split.all_histories, user)
    assert trained_on(split.with_refit("all"))[0] == all_users


def test_random_holdout_hides_as_many_and_keeps_order() -> None:
    split = split_new_users(make_histories(LENGTHS * 3), 40)
    in_time, mixed = cuts(split.test), cuts(random_holdout(split.all_histories, split.test, seed=1))
    assert mixed.keys() == in_time.keys()
    for user, (_, history, targets) in mixed.items():
        own = entries(split.all_histories, user)
        assert len(targets) == len(in_time[user][2])
        assert sorted(history + targets) == sorted(own)
        assert history == [item for item in own if item in history]
    assert any(mixed[user] != in_time[user] for user in mixed)
    assert mixed == cuts(random_holdout(split.all_histories, split.test, seed=1))
    assert mixed != cuts(random_holdout(split.all_histories, split.test, seed=2))


def test_random_holdout_is_uniform_over_positions() -> None:
    split = split_new_users(make_histories([10] * 4000), 40)
    queries = random_holdout(split.all_histories, split.test, seed=0)
    times = np.concatenate(cut(queries.timestamp_N, queries.start + 8, queries.start + 10))
    share = np.bincount(times, minlength=10) / len(queries)
    assert share == pytest.approx(np.full(10, 0.2), abs=0.09)  # 200 users: sd .028


def test_random_holdout_ratings_move_with_items() -> None:
    split = split_new_users(make_histories(LENGTHS), 40)
    queries = random_holdout(split.all_histories, split.test)
    assert (queries.rating_N == queries.item_N).all()


def test_new_movies_holds_out_10_and_5_percent() -> None:
    histories = make_histories([30] * 60)
    split = split_new_movies(histories, 50)  # movies 40 to 49 have no rating
    assert split.valid.ranked_items is not None
    assert split.test.ranked_items is not None
    assert (len(split.valid.ranked_items), len(split.test.ranked_items)) == (2, 4)
    assert not set(split.valid.ranked_items.tolist()) & set(split.test.ranked_items.tolist())
    assert max(split.valid.ranked_items.max(), split.test.ranked_items.max()) < 40


def test_new_movies_target_is_last_held_out_item() -> None:
    histories = make_histories(LENGTHS)
    split = split_new_movies(histories, 40, seed=3)
    part_I = np.full(40, TRAIN)
    part_I[split.valid.ranked_items], part_I[split.test.ranked_items] = VALID, TEST
    for part, queries in ((VALID, split.valid), (TEST, split.test)):
        user_cuts = cuts(queries)
        for user in range(len(LENGTHS)):
            own = entries(histories, user)
            positions = [at for at, item in enumerate(own) if part_I[item] == part]
            before = own[: positions[-1]] if positions else []
            history = [item for item in before if part_I[item] < part]
            if not history:
                assert user not in user_cuts
                continue
            assert user_cuts[user][1:] == (history, [own[positions[-1]]])
            # Watched earlier: not ranked again. (Movies of a later part may stand there too.)
            assert {own[at] for at in positions[:-1]} <= set(user_cuts[user][0])
            assert not set(user_cuts[user][0]) - {item for item in before if part_I[item] >= part}


def test_new_movies_held_out_item_never_reaches_training() -> None:
    split = split_new_movies(make_histories(LENGTHS), 40)
    assert split.valid.ranked_items is not None
    assert split.test.ranked_items is not None
    test, valid = set(split.test.ranked_items.tolist()), set(split.valid.ranked_items.tolist())
    rated = set(split.all_histories.item.tolist())
    assert trained_on(split)[1] == rated - test - valid
    assert trained_on(split.with_refit("validation"))[1] == rated - test
    assert trained_on(split.with_refit("all"))[1] == rated
    assert not valid & {item for _, history, _ in cuts(split.valid).values() for item in history}
    assert not test & {item for _, history, _ in cuts(split.test).values() for item in history}
    # At test the validation movies are known by then.
    assert valid & {item for _, history, _ in cuts(split.test).values() for item in history}


SPLITS = [split_new_users, split_new_movies]


@pytest.mark.parametrize("split", SPLITS)
def test_cold_start_split_depends_on_seed_alone(split: Callable[..., Split]) -> None:
    histories = make_histories(LENGTHS)
    once, again, other = (split(histories, 40, seed=seed) for seed in (0, 0, 1))
    assert (once.subset_N == again.subset_N).all()
    assert (once.subset_N != other.subset_N).any()


@pytest.mark.parametrize(
    ("split", "lengths", "message"),
    [
        pytest.param(split_new_users, [4, 4], "0 users have 5 ratings", id="none"),
        pytest.param(split_new_users, [5], "new-users: the validation part is empty", id="one"),
        pytest.param(split_new_users, [5, 5], "new-users: the training part is empty", id="two"),
        pytest.param(split_new_movies, [1, 1], "new-movies: the .* part is empty", id="movies"),
    ],
)
def test_cold_start_empty_part_is_refused(
    split: Callable[..., Split], lengths: list[int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        split(make_histories(lengths), 40)


@pytest.mark.parametrize("split", SPLITS)
def test_cold_start_unordered_history_is_refused(split: Callable[..., Split]) -> None:
    histories = make_histories(LENGTHS)
    histories.timestamp[:5] = [3, 2, 1, 0, 0]
    with pytest.raises(
        InputError, match=r"user 100: history goes back in time, .* no test precedes its training"
    ):
        split(histories, 40)


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=25),
    split=st.sampled_from(SPLITS),
    seed=st.integers(0, 5),
)
def test_cold_start_queries_share_nothing_with_training(
    lengths: list[int], split: Callable[..., Split], seed: int
) -> None:
    try:
        result = split(make_histories(lengths, 14, seed), 14, seed)
    except InputError:
        return
    for queries, reads in ((result.valid, result), (result.test, result.with_refit("validation"))):
        trained = {
            (user, item)
            for user in range(len(lengths))
            for item in entries(reads.train_histories, user)
        }
        for user, (hidden, history, targets) in cuts(queries).items():
            assert history
            assert targets
            assert not {(user, item) for item in hidden + targets} & trained
            assert len({*hidden, *history, *targets}) == len(hidden + history + targets)
