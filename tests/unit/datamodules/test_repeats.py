"""Histories that hold items several times: no split asks for what a history holds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.splits import (
    Split,
    random_holdout,
    split_fixed,
    split_new_movies,
    split_new_users,
    split_next,
    split_ratings,
    split_time,
)
from datamodules.splits.repeats import first_interactions, single_interactions, without_repeats
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories
from tests.support.eval_queries import cuts, eval_queries
from tests.support.small_datasets import dataset_in_memory

NUM_ITEMS = 9


def histories_of(*items: list[int], **settings: Any) -> UserHistories:
    by_user = dict(enumerate(items, 100))
    return dataset_in_memory(by_user, range(NUM_ITEMS), **settings).histories


def train_items(split: Split, user: int) -> list[int]:
    histories = split.train_histories
    return histories.item[histories.indptr[user] : histories.indptr[user + 1]].tolist()


def test_first_and_single_interactions_of_users() -> None:
    histories = histories_of([1, 2, 1, 3], [1, 1])
    assert first_interactions(histories).tolist() == [True, True, False, True, True, False]
    assert single_interactions(histories).tolist() == [False, True, False, True, False, False]


def test_split_next_asks_for_last_new_movies() -> None:
    # New are 1, 2, 3 and 4; what follows 4 repeats what came before.
    split = split_next(histories_of([1, 2, 1, 3, 2, 4, 1, 3], [5, 5, 6, 5]), NUM_ITEMS)
    assert cuts(split.test) == {0: ([1, 2, 1, 3, 2], [4])}
    assert cuts(split.valid) == {0: ([1, 2, 1], [3])}
    assert train_items(split, 0) == [1, 2, 1]
    assert train_items(split, 1) == [5, 5, 6, 5]  # two movies: trained on, not asked
    assert train_items(split.with_refit("validation"), 0) == [1, 2, 1, 3, 2]
    assert train_items(split.with_refit("all"), 0) == [1, 2, 1, 3, 2, 4, 1, 3]


def test_split_time_asks_for_first_new_movie_after_cut() -> None:
    histories = histories_of([1, 2, 3, 4, 4, 1, 5, 6])
    cut = int(histories.timestamp[5])
    split = split_time(histories, NUM_ITEMS, cut)
    assert cuts(split.test) == {0: ([1, 2, 3, 4, 4, 1], [5])}
    assert cuts(split.valid) == {0: ([1, 2, 3], [4])}
    assert train_items(split, 0) == [1, 2, 3]
    assert train_items(split.with_refit("validation"), 0) == [1, 2, 3, 4, 4]


def test_without_repeats_leaves_out_seen_and_double_targets() -> None:
    queries = eval_queries(
        contexts=[[1, 2], [3], [4]],
        targets=[[2, 5, 5, 6], [3, 3], [1, 2]],
        has_many_targets=True,
    )
    assert cuts(without_repeats(queries)) == {0: ([1, 2], [5, 6]), 2: ([4], [1, 2])}


def test_without_repeats_of_unique_items_is_the_same() -> None:
    queries = eval_queries(contexts=[[1, 2]], targets=[[3, 4]], has_many_targets=True)
    assert without_repeats(queries) is queries


repeated = st.lists(
    st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=14), min_size=1, max_size=25
)


def queries_of_protocol(protocol: str, histories: UserHistories) -> list[EvalQueries]:
    match protocol:
        case "next":
            split = split_next(histories, NUM_ITEMS)
        case "time":
            split = split_time(histories, NUM_ITEMS, int(np.median(histories.timestamp)))
        case "new-movies":
            split = split_new_movies(histories, NUM_ITEMS)
        case "fixed":
            split = split_fixed(histories, NUM_ITEMS, "mine")
        case "stars":
            split = split_ratings(histories, NUM_ITEMS)
        case _:
            split = split_new_users(histories, NUM_ITEMS)
            return [split.valid, split.test, random_holdout(histories, split.test)]
    return [split.valid, split.test]


@pytest.mark.parametrize("protocol", ["next", "time", "new-users", "new-movies", "fixed", "stars"])
@given(items=repeated, seed=st.integers(0, 9))
def test_no_target_is_seen_or_asked_twice(protocol: str, items: list[list[int]], seed: int) -> None:
    num = sum(map(len, items))
    part = np.random.default_rng(seed).integers(3, size=num).tolist()
    histories = histories_of(*items, part=part, scale=(1.0, 2.0))
    try:
        parts = queries_of_protocol(protocol, histories)
    except InputError:  # too small for the protocol
        return
    for queries in parts:
        bounds = zip(queries.start, queries.context_end, queries.target_end, strict=True)
        for start, end, target_end in bounds:
            seen, targets = queries.item_N[start:end], queries.item_N[end:target_end]
            assert not set(seen.tolist()) & set(targets.tolist())
            assert 0 < len(targets) == len(set(targets.tolist()))
