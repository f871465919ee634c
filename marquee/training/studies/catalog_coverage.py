"""Growth of a sparsely rated catalog, as users answer what a strategy asks them.

    catalog_coverage(model, queries, data, num_seeds=8)["share/equal_answers"]["rate_next"]

The ratings of NUM_INITIAL_USERS users who were trained on are all that is counted, so that many
items have few. The test users come in groups of GROUP_SIZE, and give MAX_ANSWERS answers each,
which are counted before the next group. The share of items with 5 ratings is compared at
equal answers, and at equal questions. What the network itself knows of items remains that of the
whole training.

Local letters: V rating values.
"""

from typing import Any, NamedTuple

import numpy as np

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import Float64
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.elicitation import share_with_ratings
from marquee.recommender.elicitation import MIN_ITEM_RATINGS, RatingElicitation
from marquee.recommender.recommender import Recommender
from marquee.training.studies.elicitation_sessions import (
    RATE_NEXT,
    STRATEGIES,
    HeldOutUsers,
    adaptive_sessions,
    count_ratings,
    run_sessions,
)
from marquee.training.studies.study_command import mean_and_range

NUM_INITIAL_USERS = 300
GROUP_SIZE = 10
"""Users who are asked by one state of the catalog."""


class CatalogState(NamedTuple):
    """The catalog after some of the sessions."""

    questions: int
    answers: int
    share: float
    """Share of items with enough ratings."""


def catalog_coverage(
    model: Recommender, queries: EvalQueries, data: InteractionDataModule, num_seeds: int
) -> dict[str, Any]:
    """Return the share of items with enough ratings, as users answer."""
    runs: dict[str, list[list[CatalogState]]] = {name: [] for name in STRATEGIES}
    for seed in range(num_seeds):
        users = HeldOutUsers.from_queries(queries, len(data.dataset.movies), seed)
        # All items can be asked for here: nothing is tested.
        users = HeldOutUsers(
            rating_UI=users.rating_UI,
            answerable_UI=users.rating_UI > 0,
            target_UI=np.zeros_like(users.target_UI),
        )
        for name, states in runs.items():
            states.append(grow_catalog(model, users, initial_counts(data, seed), name, seed))
    ends = [states[-1] for states in runs[RATE_NEXT]]
    return {
        "persons": NUM_INITIAL_USERS,
        "share_at_start": mean_and_range([states[0].share for states in runs[RATE_NEXT]]),
        "questions": int(np.mean([end.questions for end in ends])),
        "answers": int(np.mean([end.answers for end in ends])),
        "share/equal_answers": {
            name: mean_and_range([states[-1].share for states in seeds])
            for name, seeds in runs.items()
        },
        "share/equal_questions": {
            name: mean_and_range(
                [share_at(states, end.questions) for states, end in zip(seeds, ends, strict=True)]
            )
            for name, seeds in runs.items()
        },
        "questions_for_all": {
            name: int(np.mean([states[-1].questions for states in seeds]))
            for name, seeds in runs.items()
        },
    }


def grow_catalog(
    model: Recommender, users: HeldOutUsers, counts_IV: Float64, strategy: str, seed: int
) -> list[CatalogState]:
    """Return the catalog after each group of users.

    A group is asked by what earlier groups answered.
    """
    questions = answers = 0
    states = [CatalogState(0, 0, share_with_ratings(counts_IV, MIN_ITEM_RATINGS))]
    num_users = len(users.rating_UI)
    for start in range(0, num_users, GROUP_SIZE):
        group, group_seed = users.take(slice(start, start + GROUP_SIZE)), seed * num_users + start
        if strategy == RATE_NEXT:
            counts_I = counts_IV.sum(axis=1).astype(np.int64)
            elicitation = RatingElicitation(counts_I, NUM_INITIAL_USERS + start, model.rating_model)
            sessions = adaptive_sessions(model, elicitation, group, group_seed)
        else:
            sessions = run_sessions(model, group, counts_IV, strategy, group_seed)
        for u, items in enumerate(sessions.items):
            value_n = np.searchsorted(model.manifest["scale"], group.rating_UI[u, items])
            counts_IV[items, value_n] += 1
        answers += sum(map(len, sessions.items))
        questions += sum(counts[-1] for counts in sessions.questions)
        states.append(
            CatalogState(questions, answers, share_with_ratings(counts_IV, MIN_ITEM_RATINGS))
        )
    return states


def share_at(states: list[CatalogState], questions: int) -> float:
    """Return the share after so many questions, interpolated between groups.

    It is the last share if no user is left.
    """
    counts, shares = [s.questions for s in states], [s.share for s in states]
    return float(np.interp(questions, counts, shares))


def initial_counts(data: InteractionDataModule, seed: int) -> Float64:
    """Return the ratings of NUM_INITIAL_USERS users who were trained on, (I, V)."""
    train = data.base_split.train_histories
    users = np.random.default_rng(seed).permutation(np.flatnonzero(train.length))
    initial_histories = train.filter(np.isin(train.user, users[:NUM_INITIAL_USERS]))
    return count_ratings(initial_histories, data.dataset.scale, len(data.dataset.movies))
