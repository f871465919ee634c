"""Protocols `new-users` and `new-movies`: whole users, or whole movies, are held out.

`new-users`: the context is the first 80% of a held-out user's history, the targets are the last
20%; training reads nothing of that user (Liang et al. 2018, strong generalisation). `new-movies`:
training reads no rating of a held-out movie. Neither guarantees that training reads no rating, of
another user or movie, that is younger than a query.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, cut_queries
from datamodules.splits.repeats import first_interactions, without_repeats
from marquee.core.arrays import Int8, Int64
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories

MIN_NEW_USER = 5  # shortest history that is held out: four movies of context, one target
USERS_PERCENT = (5, 5)  # of the users with enough ratings: validation, test
MOVIES_PERCENT = (5, 10)  # of the rated movies: validation, test


def split_new_users(histories: UserHistories, num_items: int, seed: int = 0) -> Split:
    """Hold out 10% of the users with 5 ratings, half of them for validation.

    Refit `validation` trains on all ratings of the validation users.
    """
    num_items_U = histories.count_by_user(first_interactions(histories))
    eligible = np.flatnonzero(num_items_U >= MIN_NEW_USER)
    subset_U = _draw_subsets(eligible, len(histories), USERS_PERCENT, seed)
    length = histories.length
    queries = cut_queries(histories, length * 4 // 5, target_end=length)
    return Split(
        all_histories=histories,
        subset_N=np.repeat(subset_U, length),
        valid=without_repeats(queries.take(subset_U == VALID)),
        test=without_repeats(queries.take(subset_U == TEST)),
        num_items=num_items,
        protocol="new-users",
    ).check(f"{len(eligible)} users have {MIN_NEW_USER} ratings")


def random_holdout(histories: UserHistories, queries: EvalQueries, seed: int = 0) -> EvalQueries:
    """Hold out a random 20% of the same users' histories; the context keeps its order."""
    rng, user = np.random.default_rng(seed), queries.user
    is_target_N = np.zeros(len(histories.item), bool)
    context_length_U = np.where(
        np.isin(np.arange(len(histories)), user), histories.length * 4 // 5, histories.length
    )
    for rows, row_user in histories.iter_chunks():
        shuffled = np.lexsort((rng.random(len(row_user)), row_user))
        position = np.arange(rows.start, rows.stop) - histories.indptr[row_user]
        is_target_N[rows][shuffled] = position >= context_length_U[row_user]
    table = histories.sort_within_user(is_target_N)
    redrawn = cut_queries(table, context_length_U, target_end=histories.length)
    return without_repeats(redrawn.take(user))


def split_new_movies(histories: UserHistories, num_items: int, seed: int = 0) -> Split:
    """Hold out 15% of the rated movies, 5% for validation.

    A user who watched a held-out movie of a part, and a trained movie before it, has a query. Its
    target, the last such movie, is ranked among all movies of the part that the user had not
    watched. The context holds the movies that are trained on by then, at test also of validation.
    """
    rated = np.flatnonzero(histories.item_counts(num_items))
    subset_I = _draw_subsets(rated, num_items, MOVIES_PERCENT, seed)
    chunks = [subset_I[histories.item[rows]] for rows, _ in histories.iter_chunks()]
    return Split(
        all_histories=histories,
        subset_N=np.concatenate(chunks),
        valid=_last_held_out(histories, subset_I, VALID),
        test=_last_held_out(histories, subset_I, TEST),
        num_items=num_items,
        protocol="new-movies",
    ).check(f"too few of {len(rated)} rated movies were watched after a trained one")


def _draw_subsets(rows: Int64, num_rows: int, percent: tuple[int, int], seed: int) -> Int8:
    """Return the part of each of `num_rows` rows; of `rows` these percents are held out, >= 1."""
    num_valid, num_test = (max(1, len(rows) * share // 100) for share in percent)
    order = np.random.default_rng(seed).permutation(rows)
    subset = np.full(num_rows, TRAIN, np.int8)
    subset[order[:num_test]] = TEST
    subset[order[num_test : num_test + num_valid]] = VALID
    return subset


def _last_held_out(histories: UserHistories, subset_I: Int8, subset: int) -> EvalQueries:
    """Return each user's last movie of the part, after the movies of the parts before it."""
    # 0 excluded, 1 context, 2 the target, 3 behind it: the first three stay, in this order.
    section_N, last_U = np.empty(len(histories.item), np.int8), np.full(len(histories), -1)
    is_new_N = first_interactions(histories)
    for rows, user in histories.iter_chunks():
        item_subset, entry = subset_I[histories.item[rows]], np.arange(rows.start, rows.stop)
        is_held_out = (item_subset == subset) & is_new_N[rows]
        np.maximum.at(last_U, user, np.where(is_held_out, entry, -1))
        is_behind, is_target = entry > last_U[user], entry == last_U[user]
        section_N[rows] = np.where(is_behind, 3, np.where(is_target, 2, item_subset < subset))
    is_used_N = section_N < 3
    table = histories.filter(is_used_N).sort_within_user(section_N[is_used_N])
    target_U, context_length_U = table.length - 1, histories.count_by_user(section_N == 1)
    queries = cut_queries(
        table,
        target_U,
        context_start=target_U - context_length_U,
        ranked_items=np.flatnonzero(subset_I == subset),
    )
    return queries.take(context_length_U > 0)
