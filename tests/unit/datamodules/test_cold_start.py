"""new-users and new-movies: who and what is held out, and that none of it reaches training."""

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
    """Person u watched lengths[u] different movies at seconds 0, 1, 2, …"""
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
    """User -> watched but not shown, context, targets."""
    excluded = cut(queries.item_N, queries.start, queries.context_start)
    parts = zip(excluded, queries.contexts(), queries.targets(), strict=True)
    lists = [tuple(items.tolist() for items in each) for each in parts]
    return dict(zip(queries.user.tolist(), lists, strict=True))  # type: ignore[arg-type]


PEOPLE = [5, 9, 10, 30, 4, 11, 12, 13, 14, 6] * 4


def trained_on(split: Split) -> tuple[set[int], set[int]]:
    """People and movies of every training rating, window and pair."""
    user, item, _ = training_ratings(split)
    users, items = set(user.tolist()), set(item.tolist())
    windows = SequenceWindows(
        split,
        np.ones(len(split.train_histories.item), np.int64),
        DataConfig(name="demo", history_length=7, targets_per_batch=32, star_dropout=0.0),
        epoch=lambda: 0,
    )
    for batch in windows:
        shown = torch.cat([batch["item_BL"][batch["star_BL"] > 0], batch["target_BL"].ravel()])
        items |= set(shown.tolist()) - {-1} | set(batch["positive_item_N"].tolist())
    for pairs in TrainingPairs(split, num_negatives=1, batch_size=64, seed=0, epoch=lambda: 0):
        users |= set(pairs["user_B"].tolist())
        items |= set(pairs["item_MB"][0].tolist())
    return users, items


def test_new_users_give_the_first_four_fifths() -> None:
    histories = make_histories([5, 9, 10, 12] * 10)
    split = split_new_users(histories, 40)
    given = {5: 4, 9: 7, 10: 8, 12: 9}  # .8 x length, rounded down
    for part in (split.valid, split.test):
        for user, (hidden, history, found) in cuts(part).items():
            own = entries(histories, user)
            assert (hidden, history + found) == ([], own)
            assert len(history) == given[len(own)]


def test_new_users_are_5_percent_and_5_percent_of_those_with_5_ratings() -> None:
    histories = make_histories([4] * 50 + [5] * 40 + [6] * 60)
    split = split_new_users(histories, 40)
    assert len(split.valid) == len(split.test) == 5
    assert not set(split.valid.user.tolist()) & set(split.test.user.tolist())
    assert min(split.valid.user.min(), split.test.user.min()) >= 50  # never one of the 4 ratings


def test_no_test_person_reaches_training() -> None:
    split = split_new_users(make_histories(PEOPLE), 40)
    test, valid = set(split.test.user.tolist()), set(split.valid.user.tolist())
    everybody = set(range(len(PEOPLE)))
    assert trained_on(split)[0] == everybody - test - valid
    refitted = split.with_refit("validation")
    assert trained_on(refitted)[0] == everybody - test
    for user in valid:  # with all their ratings
        assert entries(refitted.train_histories, user) == entries(split.all_histories, user)
    assert trained_on(split.with_refit("all"))[0] == everybody


def test_a_random_holdout_hides_as_many_and_keeps_the_order() -> None:
    split = split_new_users(make_histories(PEOPLE * 3), 40)
    in_time, mixed = cuts(split.test), cuts(random_holdout(split.all_histories, split.test, seed=1))
    assert mixed.keys() == in_time.keys()
    for user, (_, history, found) in mixed.items():
        own = entries(split.all_histories, user)
        assert len(found) == len(in_time[user][2])
        assert sorted(history + found) == sorted(own)
        assert history == [item for item in own if item in history]
    assert any(mixed[user] != in_time[user] for user in mixed)
    assert mixed == cuts(random_holdout(split.all_histories, split.test, seed=1))
    assert mixed != cuts(random_holdout(split.all_histories, split.test, seed=2))


def test_a_random_holdout_hides_every_place_alike() -> None:
    split = split_new_users(make_histories([10] * 4000), 40)
    asked = random_holdout(split.all_histories, split.test, seed=0)
    times = np.concatenate(cut(asked.timestamp_N, asked.start + 8, asked.start + 10))
    share = np.bincount(times, minlength=10) / len(asked)
    assert share == pytest.approx(np.full(10, 0.2), abs=0.09)  # 200 people: sd .028


def test_random_stars_move_with_their_movies() -> None:
    split = split_new_users(make_histories(PEOPLE), 40)
    queries = random_holdout(split.all_histories, split.test)
    assert (queries.rating_N == queries.item_N).all()


def test_new_movies_are_10_percent_and_5_percent_of_the_rated() -> None:
    histories = make_histories([30] * 60)
    split = split_new_movies(histories, 50)  # movies 40 to 49 have no rating
    assert split.valid.ranked_items is not None
    assert split.test.ranked_items is not None
    assert (len(split.valid.ranked_items), len(split.test.ranked_items)) == (2, 4)
    assert not set(split.valid.ranked_items.tolist()) & set(split.test.ranked_items.tolist())
    assert max(split.valid.ranked_items.max(), split.test.ranked_items.max()) < 40


def test_new_movies_ask_for_the_last_one_after_what_is_trained_on() -> None:
    histories = make_histories(PEOPLE)
    split = split_new_movies(histories, 40, seed=3)
    part_I = np.full(40, TRAIN)
    part_I[split.valid.ranked_items], part_I[split.test.ranked_items] = VALID, TEST
    for part, questions in ((VALID, split.valid), (TEST, split.test)):
        found = cuts(questions)
        for user in range(len(PEOPLE)):
            own = entries(histories, user)
            held = [at for at, item in enumerate(own) if part_I[item] == part]
            before = own[: held[-1]] if held else []
            history = [item for item in before if part_I[item] < part]
            if not history:
                assert user not in found
                continue
            assert found[user][1:] == (history, [own[held[-1]]])
            # Watched earlier: not ranked again. (Movies of a later part may stand there too.)
            assert {own[at] for at in held[:-1]} <= set(found[user][0])
            assert not set(found[user][0]) - {item for item in before if part_I[item] >= part}


def test_no_held_out_movie_reaches_training() -> None:
    split = split_new_movies(make_histories(PEOPLE), 40)
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
def test_the_split_follows_its_seed_alone(split: Callable[..., Split]) -> None:
    histories = make_histories(PEOPLE)
    once, again, other = (split(histories, 40, seed=seed) for seed in (0, 0, 1))
    assert (once.subset_N == again.subset_N).all()
    assert (once.subset_N != other.subset_N).any()


@pytest.mark.parametrize(
    ("split", "lengths", "message"),
    [
        pytest.param(split_new_users, [4, 4], "0 users have 5 ratings", id="nobody"),
        pytest.param(split_new_users, [5], "new-users: the validation part is empty", id="one"),
        pytest.param(split_new_users, [5, 5], "new-users: the training part is empty", id="two"),
        pytest.param(split_new_movies, [1, 1], "new-movies: the .* part is empty", id="movies"),
    ],
)
def test_an_empty_part_is_refused(
    split: Callable[..., Split], lengths: list[int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        split(make_histories(lengths), 40)


@pytest.mark.parametrize("split", SPLITS)
def test_a_history_out_of_time_order_is_refused(split: Callable[..., Split]) -> None:
    histories = make_histories(PEOPLE)
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
def test_nothing_is_asked_that_training_reads(
    lengths: list[int], split: Callable[..., Split], seed: int
) -> None:
    try:
        made = split(make_histories(lengths, 14, seed), 14, seed)
    except InputError:
        return
    for questions, reads in ((made.valid, made), (made.test, made.with_refit("validation"))):
        trained = {
            (user, item)
            for user in range(len(lengths))
            for item in entries(reads.train_histories, user)
        }
        for user, (hidden, history, found) in cuts(questions).items():
            assert history
            assert found
            assert not {(user, item) for item in hidden + found} & trained
            assert len({*hidden, *history, *found}) == len(hidden + history + found)
