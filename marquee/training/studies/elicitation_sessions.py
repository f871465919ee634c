"""Elicitation sessions: held-out users are asked for ratings, one item after another.

    users = HeldOutUsers.from_queries(queries, num_items, seed=0)
    sessions = run_sessions(model, users, counts_IV, RATE_NEXT, seed=0)
    sessions.after_answers(5)               # item rows that each user has rated by then

A user answers with the real rating if there is one among the items that can be asked for, and
"not seen" otherwise. The ratings of a user decide the answers, never the questions.

Local letters: V rating values, n items of one user.
"""

from dataclasses import dataclass

import numpy as np

from marquee.core.arrays import Bools, Float64
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories
from marquee.evaluation.baselines.elicitation import BASELINES, question_order, simulate_session
from marquee.recommender.elicitation import RatingElicitation, sample_items
from marquee.recommender.history import History, HistoryEntry
from marquee.recommender.recommender import Recommender

RATE_NEXT = "rate_next"
STRATEGIES = (RATE_NEXT, *BASELINES)
MAX_ANSWERS = 15
MIN_RATINGS = 40
"""Ratings of a user, so that MAX_ANSWERS leave some to be asked for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutUsers:
    """Users who were not trained on, and their real ratings."""

    rating_UI: Float64
    """0 if there is no rating."""
    answerable_UI: Bools
    """Items that a user answers with a rating."""
    target_UI: Bools
    """Items that the model is tested on, never asked for."""

    @classmethod
    def from_queries(cls, queries: EvalQueries, num_items: int, seed: int) -> "HeldOutUsers":
        """Take users with MIN_RATINGS; a random half of their items is answerable."""
        rng = np.random.default_rng(seed)
        rows = queries.take(queries.target_end - queries.start >= MIN_RATINGS)
        rating_UI = np.zeros((len(rows), num_items))
        answerable_UI = np.zeros(rating_UI.shape, bool)
        for u, (start, end) in enumerate(zip(rows.start, rows.target_end, strict=True)):
            item_n = queries.item_N[start:end]
            rating_UI[u, item_n] = queries.rating_N[start:end]
            answerable_UI[u, rng.permutation(item_n)[: len(item_n) // 2]] = True
        target_UI = (rating_UI > 0) & ~answerable_UI
        return cls(rating_UI=rating_UI, answerable_UI=answerable_UI, target_UI=target_UI)

    def take(self, rows: slice) -> "HeldOutUsers":
        """Return some of the users."""
        return HeldOutUsers(
            rating_UI=self.rating_UI[rows],
            answerable_UI=self.answerable_UI[rows],
            target_UI=self.target_UI[rows],
        )


@dataclass(frozen=True, eq=False)
class Sessions:
    """The items that each of U users rated, in order, and the questions that it took."""

    items: list[list[int]]
    questions: list[list[int]]
    """For each rated item, the number of questions asked until then."""

    def after_answers(self, num_answers: int) -> list[list[int]]:
        """Return the items that each user has rated after so many answers."""
        return [items[:num_answers] for items in self.items]

    def after_questions(self, num_questions: int) -> list[list[int]]:
        """Return the items that each user has rated after so many questions."""
        return [
            [item for item, count in zip(items, counts, strict=True) if count <= num_questions]
            for items, counts in zip(self.items, self.questions, strict=True)
        ]


def run_sessions(
    model: Recommender, users: HeldOutUsers, counts_IV: Float64, strategy: str, seed: int
) -> Sessions:
    """Ask every user by one of STRATEGIES, until MAX_ANSWERS answers each.

    counts_IV: ratings of each item and value, which the baselines ask by.
    """
    if strategy == RATE_NEXT:
        return adaptive_sessions(model, model.elicitation, users, seed)
    sessions = Sessions([], [])
    masks = zip(users.answerable_UI, users.target_UI, strict=True)
    for u, (answerable_I, target_I) in enumerate(masks):
        order = question_order(strategy, counts_IV, np.random.default_rng([seed, u]))
        items, questions = simulate_session(order[~target_I[order]], answerable_I, MAX_ANSWERS)
        sessions.items.append(items.tolist())
        sessions.questions.append(questions.tolist())
    return sessions


def adaptive_sessions(
    model: Recommender, elicitation: RatingElicitation, users: HeldOutUsers, seed: int
) -> Sessions:
    """Ask as the service does with k = 1.

    An answer changes the weights, "not seen" does not.
    Items drawn one at a time from unchanged weights are one draw without replacement, so there is
    one draw an answer.
    """
    num_users = len(users.rating_UI)
    sessions = Sessions([[] for _ in range(num_users)], [[] for _ in range(num_users)])
    unasked_UI = ~users.target_UI
    rngs = [np.random.default_rng([seed, u]) for u in range(num_users)]
    for step in range(MAX_ANSWERS):
        histories = [entries(model, users, u, items) for u, items in enumerate(sessions.items)]
        logit_UI = model.score(histories) if step else None
        for u, unasked_I in enumerate(unasked_UI):
            factors = elicitation.factors(
                encoded_history(model, users, u, sessions.items[u]),
                None if logit_UI is None else logit_UI[u],
            )
            order = sample_items(factors.product_I, unasked_I, rngs[u])
            items, questions = simulate_session(order, users.answerable_UI[u], 1)
            unasked_I[order[: int(questions.sum())]] = False
            earlier = sessions.questions[u][-1] if sessions.questions[u] else 0
            sessions.items[u].extend(items.tolist())
            sessions.questions[u].extend((earlier + questions).tolist())
    return sessions


def entries(
    model: Recommender, users: HeldOutUsers, u: int, items: list[int]
) -> list[HistoryEntry]:
    """Return the rated items of a user as the library reads them."""
    return [(int(model.movie_ids[row]), float(users.rating_UI[u, row])) for row in items]


def encoded_history(model: Recommender, users: HeldOutUsers, u: int, items: list[int]) -> History:
    """Return the rated items of a user as rows."""
    bins = np.searchsorted(model.manifest["scale"], users.rating_UI[u, items]) + 1
    return History(item_L=np.array(items, np.int64), rating_bin_L=bins)


def count_ratings(histories: UserHistories, scale: tuple[float, ...], num_items: int) -> Float64:
    """Return the ratings of each item and value, (I, V)."""
    counts_IV = np.zeros((num_items, len(scale)))
    np.add.at(counts_IV, (histories.item, np.searchsorted(np.asarray(scale), histories.rating)), 1)
    return counts_IV
