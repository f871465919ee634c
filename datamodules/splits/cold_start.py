"""Splits that hold out whole people or whole movies: how the model meets what it has never seen.

    split = split_new_users(histories, num_items, seed=0)    # 5% of people test, 5% validation
    random_holdout(split.test, seed=0)                       # the same people, a random 20% hidden
    split_new_movies(histories, num_items, seed=0)           # 10% of movies test, 5% validation

`new-users`: of a person held out the first 80% of their history is given and the last 20% is to be
found; training reads nothing of them. `new-movies`: the histories that training reads do not hold a
movie held out, and who watched one is asked for the last of them. What this does not guarantee:
training reads ratings of other people, or of other movies, that are younger than a question.

    people asked (validation, test)      new-users       new-movies
    ml-100k                              47, 47          867, 912
    ml-1m                                302, 302        5,367, 5,976
    ml-latest-small                      30, 30          538, 601

Liang et al. 2018, "Variational Autoencoders for Collaborative Filtering": strong generalisation.
Shapes as in splits.py; I movies.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from datamodules.splits.leave_one_out import TEST, TRAIN, VALID, Questions, Split, checked
from marquee.data.interactions import Ints, UserHistories

MIN_NEW_USER = 5
"""Shortest history that `new-users` holds out: four movies given, one to be found."""
PEOPLE_PERCENT = (5, 5)
"""Of the people with enough ratings: validation, test."""
MOVIES_PERCENT = (5, 10)
"""Of the rated movies: validation, test."""


def split_new_users(histories: UserHistories, num_items: int, seed: int = 0) -> Split:
    """Protocol `new-users`: 10% of people are never trained on, half of them for validation.

    People with fewer than 5 ratings are trained on and never drawn. Refit `validation` trains on
    the validation people with all their ratings, and on the test people never. InputError where a
    part would be empty, or where a history does not stand in time order.
    """
    enough = np.flatnonzero(histories.length >= MIN_NEW_USER)
    part_U = _drawn(enough, len(histories), PEOPLE_PERCENT, seed)
    valid, test = (_last_fifth(histories, np.flatnonzero(part_U == part)) for part in (VALID, TEST))
    return checked(
        Split(histories, np.repeat(part_U, histories.length), valid, test, num_items, "new-users"),
        f"{len(enough)} people have {MIN_NEW_USER} ratings",
    )


def random_holdout(questions: Questions, seed: int = 0) -> Questions:
    """The same people with as many movies hidden, but drawn over the whole history: of `new-users`
    in the form of Liang et al. 2018. What is given keeps its order."""
    histories = questions.histories
    given_U = histories.length
    given_U[questions.user] = questions.given
    rng = np.random.default_rng(seed)
    is_hidden_N = np.zeros(len(histories.item), bool)
    for rows, user in histories.blocks():
        mixed = np.lexsort((rng.random(len(user)), user))
        place = np.arange(rows.start, rows.stop) - histories.indptr[user]
        is_hidden_N[rows][mixed] = place >= given_U[user]
    return replace(questions, histories=histories.arranged(is_hidden_N))


def split_new_movies(histories: UserHistories, num_items: int, seed: int = 0) -> Split:
    """Protocol `new-movies`: 15% of the rated movies are never trained on, 5% for validation.

    Who watched one of them, and a trained movie before it, is asked for the last one of the part,
    among all movies of the part that they had not watched earlier. The history holds what has been
    trained on by then: refit `validation` trains on the validation movies, so at test they are in
    it. InputError where a part would be empty, or where a history does not stand in time order.
    """
    rated = np.flatnonzero(histories.support(num_items))
    part_I = _drawn(rated, num_items, MOVIES_PERCENT, seed)
    valid, test = (_last_held_out(histories, part_I, part) for part in (VALID, TEST))
    part_N = np.concatenate([part_I[histories.item[rows]] for rows, _ in histories.blocks()])
    return checked(
        Split(histories, part_N, valid, test, num_items, "new-movies"),
        f"too few of {len(rated)} rated movies were watched after a trained one",
    )


def _drawn(rows: Ints, num_rows: int, percent: tuple[int, int], seed: int) -> npt.NDArray[np.int8]:
    """The part of each of `num_rows` rows: these shares of `rows`, one at least, held out."""
    num_valid, num_test = (max(1, len(rows) * share // 100) for share in percent)
    order = np.random.default_rng(seed).permutation(rows)
    part = np.full(num_rows, TRAIN, np.int8)
    part[order[:num_test]] = TEST
    part[order[num_test : num_test + num_valid]] = VALID
    return part


def _last_fifth(histories: UserHistories, user: Ints) -> Questions:
    length = histories.length[user]
    return Questions(histories, user, np.zeros_like(user), length * 4 // 5, length)


def _last_held_out(histories: UserHistories, part_I: npt.NDArray[np.int8], part: int) -> Questions:
    """For each person their last movie of the part, after the movies of the parts before it."""
    # Not shown, shown, the last one: cuts at `first` and `given`. Behind it nothing is kept.
    place_N, last_U = np.empty(len(histories.item), np.int8), np.full(len(histories), -1)
    for rows, user in histories.blocks():
        own, entry = part_I[histories.item[rows]], np.arange(rows.start, rows.stop)
        np.maximum.at(last_U, user, np.where(own == part, entry, -1))
        behind, here = entry > last_U[user], entry == last_U[user]
        place_N[rows] = np.where(behind, 3, np.where(here, 2, own < part))
    until = place_N < 3
    table = histories.where(until).arranged(place_N[until])
    given_U, shown_U = table.length - 1, histories.counted(place_N == 1)
    asked = np.flatnonzero(shown_U)
    given = given_U[asked]
    among = np.flatnonzero(part_I == part)
    return Questions(table, asked, given - shown_U[asked], given, given + 1, among)
