"""Splits: training parts, ties, candidates; and invariants for any data (hypothesis)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.splits import Split, draw_candidates, split_next, split_time, time_cut
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.history_order import build_histories
from marquee.data.user_histories import UserHistories
from tests.support.eval_queries import cuts

NUM_ITEMS = 12


def dataset_of(rows: list[tuple[int, int, int]]) -> Dataset:
    """A data set of (user id, movie id, timestamp), in this order, every rating 4 stars."""
    user, movie, time = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    user_id, length = np.unique(user, return_counts=True)
    ids, item = np.unique(movie, return_inverse=True)
    order = np.lexsort((time, user))  # stable: equal times keep the order of the rows
    return Dataset(
        name="small",
        histories=UserHistories(
            user_id=user_id,
            indptr=np.concatenate([[0], np.cumsum(length)]),
            item=item[order].astype(np.int32),
            rating=np.full(len(user), 4, np.float32),
            timestamp=time[order],
        ),
        movies=Movies(ids, [str(i) for i in ids], [None] * len(ids), [()] * len(ids)),
        num_items=len(ids),
        scale=(4.0,),
        sha256="",
        report=(),
    )


def entries(histories: UserHistories, user: int) -> list[int]:
    return histories.item[histories.indptr[user] : histories.indptr[user + 1]].tolist()


THREE = [(7, 30, 3), (7, 10, 1), (7, 20, 2), (5, 10, 9), (5, 20, 8), (9, 20, 4), (9, 10, 1),
         (9, 30, 2), (9, 40, 3)]  # fmt: skip


def test_build_histories_sorts_by_user_and_time() -> None:
    histories = build_histories(dataset_of(THREE))
    assert histories.user_id.tolist() == [5, 7, 9]
    assert histories.indptr.tolist() == [0, 2, 5, 9]
    assert [entries(histories, user) for user in range(3)] == [[1, 0], [0, 1, 2], [0, 2, 3, 1]]
    assert histories.timestamp.tolist() == [8, 9, 1, 2, 3, 1, 2, 3, 4]


def test_histories_filter_and_sort_keep_users() -> None:
    histories = build_histories(dataset_of(THREE))
    early = histories.filter(histories.timestamp <= 2)
    assert [entries(early, user) for user in range(3)] == [[], [0, 1], [0, 2]]
    assert early.user_id.tolist() == [5, 7, 9]
    by_item = histories.sort_within_user(-histories.item)
    assert [entries(by_item, user) for user in range(3)] == [[1, 0], [2, 1, 0], [3, 2, 1, 0]]
    assert by_item.timestamp.tolist() == [8, 9, 3, 2, 1, 3, 2, 4, 1]


def test_split_next_holds_out_last_two() -> None:
    split = split_next(build_histories(dataset_of(THREE)), 4)
    # User 5 has two ratings: all for training.
    assert split.train_histories.length.tolist() == [2, 1, 2]
    assert [entries(split.train_histories, user) for user in range(3)] == [[1, 0], [0], [0, 2]]
    assert cuts(split.valid) == {1: ([0], [1]), 2: ([0, 2], [3])}
    assert cuts(split.test) == {1: ([0, 1], [2]), 2: ([0, 2, 3], [1])}
    assert split.test.user.tolist() == [1, 2]
    assert (split.protocol, split.num_items) == ("next", 4)


def test_split_refit_extends_training() -> None:
    split = split_next(build_histories(dataset_of(THREE)), 4)
    assert split.with_refit("none").train_histories.length.tolist() == [2, 1, 2]
    assert split.with_refit("validation").train_histories.length.tolist() == [2, 2, 3]
    assert split.with_refit("all").train_histories.length.tolist() == [2, 3, 4]
    assert cuts(split.with_refit("validation").test) == cuts(split.test)
    with pytest.raises(InputError, match="refit: 'test', expected none, validation or all"):
        split.with_refit("test")  # type: ignore[arg-type]


def test_split_time_cuts_all_users_at_one_second() -> None:
    before = [(1, movie, movie) for movie in range(1, 6)]
    rows = [*before, (1, 6, 100), (1, 7, 101)]  # tested on the rating of second 100
    rows += [(2, movie, movie) for movie in range(1, 5)] + [(2, 6, 100)]  # 4 before: no query
    rows += [(3, movie, movie) for movie in range(1, 7)]  # nothing after: trained on whole
    rows += [(4, 1, 100), (4, 2, 200)]  # nothing before: not in training at all
    split = split_time(build_histories(dataset_of(rows)), 7, cut=100)
    assert split.train_histories.length.tolist() == [4, 4, 6, 0]
    assert cuts(split.valid) == {0: ([0, 1, 2, 3], [4])}
    assert cuts(split.test) == {0: ([0, 1, 2, 3, 4], [5])}
    assert split.with_refit("validation").train_histories.length.tolist() == [5, 4, 6, 0]


TEN_DAYS = [(user, 10 * user + day, day * 86_400) for user in (1, 2) for day in range(10)]


@pytest.mark.parametrize(
    ("cut", "name", "day"),
    [
        pytest.param("1970-01-05", "ml-1m", 4, id="date"),
        pytest.param("1970-01-05T02:00:00+02:00", "ml-1m", 4, id="date-with-zone"),
        pytest.param(0.5, "mine", 5, id="half"),
        pytest.param(0.45, "mine", 5, id="equal-times-stay-together"),
        pytest.param(None, "mine", 9, id="default-share"),
        pytest.param(None, "ml-1m", 11_293, id="published-cut-of-ml-1m"),
    ],
)
def test_time_cut_is_date_or_share(cut: str | float | None, name: str, day: int) -> None:
    seconds = time_cut(build_histories(dataset_of(TEN_DAYS)), cut, name)
    # A share ends right after the last interaction before it.
    assert -(-seconds // 86_400) == day


def test_split_time_refusal_speaks_in_dates() -> None:
    histories = build_histories(dataset_of(TEN_DAYS))
    sentence = (
        "no user has 5 interactions before 1970-01-03 and a new movie after; the data go from "
        "1970-01-01 to 1970-01-10; set data.cut"
    )
    with pytest.raises(InputError, match=sentence):
        split_time(histories, 20, time_cut(histories, "1970-01-03", "mine"))


@pytest.mark.parametrize("ties", ["hash", "file"])
def test_split_of_another_row_order_is_the_same(ties: Any) -> None:
    """One split comes of every copy of a data set in which times decide."""
    rng = np.random.default_rng(0)
    rows = [
        (user, int(movie), int(time))
        for user in range(1, 30)
        for movie, time in zip(rng.permutation(20)[:9], rng.permutation(99)[:9], strict=True)
    ]
    by_user = sorted(rows, key=lambda row: (row[0], rng.random()))
    splits = [
        split_next(build_histories(dataset_of(each), ties), 20)
        for each in (rows, by_user, rows[::-1])
    ]
    for other in splits[1:]:
        assert cuts(other.test) == cuts(splits[0].test)
        assert cuts(other.valid) == cuts(splits[0].valid)
        assert (other.train_histories.item == splits[0].train_histories.item).all()


TIED = [(user, movie, 50) for user in range(1, 41) for movie in range(1, 9)]


def test_hash_ties_ignore_file_order_and_movie_id() -> None:
    histories = build_histories(dataset_of(TIED))
    assert (histories.item == build_histories(dataset_of(TIED[::-1])).item).all()
    orders = {tuple(entries(histories, user)) for user in range(40)}
    assert len(orders) > 30  # every person another order: no movie comes next by its id
    first = [order[0] for order in orders]
    assert len(set(first)) == 8


def test_hash_ties_follow_the_seed() -> None:
    again, other = (build_histories(dataset_of(TIED), seed=seed).item for seed in (0, 1))
    assert (again == build_histories(dataset_of(TIED), seed=0).item).all()
    assert (again != other).any()


def test_file_ties_keep_file_order() -> None:
    rows = [(1, 30, 5), (2, 10, 1), (1, 10, 5), (1, 20, 5), (1, 5, 6)]
    histories = build_histories(dataset_of(rows), ties="file")
    assert entries(histories, 0) == [3, 1, 2, 0]


def test_file_ties_sort_by_time_first() -> None:
    histories = build_histories(dataset_of(THREE), ties="file")
    assert histories.item.tolist() == build_histories(dataset_of(THREE)).item.tolist()


def test_build_histories_unknown_ties_is_refused() -> None:
    with pytest.raises(InputError, match=r"ties: .random., expected hash or file"):
        build_histories(dataset_of(THREE), ties="random")  # type: ignore[arg-type]


def test_split_empty_part_is_refused() -> None:
    histories = build_histories(dataset_of([(1, 1, 1), (1, 2, 2), (2, 1, 1)]))
    sentence = r"next: the test part is empty, .*; no user has 3 movies"
    with pytest.raises(InputError, match=sentence):
        split_next(histories, 2)
    with pytest.raises(
        InputError, match=r"time: the test part is empty, .*; no user has 5 interactions before"
    ):
        split_time(histories, 2, cut=2)


def test_split_next_unordered_history_is_refused() -> None:
    histories = build_histories(dataset_of(THREE))
    backwards = replace(histories, timestamp=histories.timestamp[::-1].copy())
    with pytest.raises(
        InputError, match=r"user 5: history goes back in time, .* no test precedes its training"
    ):
        split_next(backwards, 4)


def test_draw_candidates_takes_all_unseen_if_just_enough() -> None:
    split = split_next(build_histories(dataset_of(THREE)), NUM_ITEMS)
    item_TN = draw_candidates(split, num=8)
    assert sorted(item_TN[1].tolist()) == [4, 5, 6, 7, 8, 9, 10, 11]
    with pytest.raises(
        InputError, match="user 9: 8 unwatched movies, expected at least 9 candidates"
    ):
        draw_candidates(split, num=9)


def test_draw_candidates_is_uniform_over_unseen() -> None:
    rows = [(user, movie, movie) for user in range(2000) for movie in (0, 4, 9)]
    histories = replace(build_histories(dataset_of(rows)), item=np.tile([0, 4, 9], 2000))
    counts = np.bincount(draw_candidates(split_next(histories, NUM_ITEMS), num=3).ravel())
    assert counts[[0, 4, 9]].tolist() == [0, 0, 0]
    unseen = counts[[1, 2, 3, 5, 6, 7, 8, 10, 11]]
    assert unseen.min() > 550  # 2000 * 3 / 9 = 667 each, standard deviation 21
    assert unseen.max() < 780


rows_strategy = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, NUM_ITEMS), st.integers(0, 9)),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
)


def split_or_none(rows: list[tuple[int, int, int]], protocol: str) -> Split | None:
    histories = build_histories(dataset_of(rows))
    try:
        if protocol == "next":
            return split_next(histories, NUM_ITEMS)
        return split_time(histories, NUM_ITEMS, cut=5)
    except InputError:
        return None


@given(rows=rows_strategy)
def test_build_histories_holds_every_rating_once(rows: list[tuple[int, int, int]]) -> None:
    dataset = dataset_of(rows)
    histories = build_histories(dataset)
    user = np.repeat(histories.user_id, histories.length)
    movie = dataset.movies.movie_id[histories.item]
    assert sorted(zip(user, movie, histories.timestamp, strict=True)) == sorted(rows)
    for u in range(len(histories)):
        time = histories.timestamp[histories.indptr[u] : histories.indptr[u + 1]]
        assert (np.diff(time) >= 0).all()


@given(rows=rows_strategy, protocol=st.sampled_from(["next", "time"]))
def test_split_parts_are_disjoint_and_refits_nest(
    rows: list[tuple[int, int, int]], protocol: str
) -> None:
    split = split_or_none(rows, protocol)
    if split is None:
        return
    assert (split.valid.user == split.test.user).all()
    assert (split.train_histories.length[split.valid.user] == split.valid.context_length).all()
    assert (split.valid.context_length < split.test.context_length).all()
    assert (split.test.context_length < split.all_histories.length[split.test.user]).all()
    assert len(set(split.test.user.tolist())) == len(split.test)
    ends = [
        split.with_refit(refit).train_histories.length for refit in ("none", "validation", "all")
    ]
    assert (ends[0] <= ends[1]).all()
    assert (ends[1] <= ends[2]).all()
    assert (ends[2] == split.all_histories.length).all()
    assert (ends[1][split.test.user] <= split.test.context_length).all()


@given(rows=rows_strategy)
def test_split_time_trains_on_nothing_after_cut(rows: list[tuple[int, int, int]]) -> None:
    split = split_or_none(rows, "time")
    if split is None:
        return
    assert (split.with_refit("validation").train_histories.timestamp < 5).all()
    assert (split.all_histories.timestamp[split.test.context_end] >= 5).all()


@given(rows=rows_strategy, seed=st.integers(0, 5), num=st.integers(1, 4))
def test_draw_candidates_are_unseen_distinct_and_seeded(
    rows: list[tuple[int, int, int]], seed: int, num: int
) -> None:
    split = split_or_none(rows, "next")
    if split is None or split.all_histories.length.max() > NUM_ITEMS - num:
        return
    item_TN = draw_candidates(split, num, seed)
    assert (item_TN == draw_candidates(split, num, seed)).all()
    assert item_TN.min() >= 0
    assert item_TN.max() < NUM_ITEMS
    for user, candidates in zip(split.test.user, item_TN.tolist(), strict=True):
        assert len(set(candidates)) == num
        assert not set(candidates) & set(entries(split.all_histories, user))
