"""Preference elicitation: does `rate_next` learn a user sooner than other strategies?

    marquee rate-next --config recipes/ml-1m.new-users.yaml     3 min on one core

Of a real user who was not trained on, with 40 ratings or more, a random half of the items can be
asked for; the other half are the targets. The user starts without a history. The answer is the real
rating for an item of the first half, and "not seen" for any other: ratings decide the answers,
never the questions. The settings of marquee/recommender/elicitation.py were chosen on validation
users with the model as selected.

Local letters: V rating values, n items of one user, T groups of users asked so far.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import Bools, Float64
from marquee.core.bootstrap import summarise, summarise_paired
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories
from marquee.evaluation.baselines.elicitation import (
    BASELINES,
    question_order,
    share_with_ratings,
    simulate_session,
)
from marquee.evaluation.metrics.many_targets import ndcg_multi, rank_counts_multi
from marquee.evaluation.results import write_results
from marquee.recommender.elicitation import (
    MIN_ITEM_RATINGS,
    RatingElicitation,
    sample_items,
    sampling_weight,
)
from marquee.recommender.history import History, HistoryEntry
from marquee.recommender.recommender import Recommender
from marquee.training.studies.study_command import mean_and_range, open_finished_run, run_study

RATE_NEXT = "rate_next"
STRATEGIES = (RATE_NEXT, *BASELINES)
ANSWERS = (5, 10, 15)
MAX_ANSWERS = 15
MIN_RATINGS = 40  # of a user, so that MAX_ANSWERS leave some to be asked for
QUESTIONS = (10, 20, 40, 80)
NUM_SEEDS = 8  # halves, and draws of what is random; metrics are averaged over them first
NUM_INITIAL_USERS = 300  # whose ratings the sparsely rated catalog starts with
GROUP_SIZE = 10  # users who are asked by one state of the catalog


@dataclass(frozen=True, eq=False)
class HeldOutUsers:
    """Users who were not trained on, and their real ratings."""

    rating_UI: Float64  # 0 if there is no rating
    answerable_UI: Bools  # items that a user answers with a rating

    @cached_property
    def target_UI(self) -> Bools:
        """The other rated items, which the model is tested on; they are never asked for."""
        return np.asarray((self.rating_UI > 0) & ~self.answerable_UI)

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
        return cls(rating_UI, answerable_UI)

    def entries(self, model: Recommender, u: int, items: list[int]) -> list[HistoryEntry]:
        return [(int(model.movie_ids[row]), float(self.rating_UI[u, row])) for row in items]

    def history(self, model: Recommender, u: int, items: list[int]) -> History:
        bins = np.searchsorted(model.manifest["scale"], self.rating_UI[u, items]) + 1
        return History(item_L=np.array(items, np.int64), rating_bin_L=bins)


@dataclass(frozen=True, eq=False)
class Sessions:
    """The items that each of U users rated, in order, and the questions that it took."""

    items: list[list[int]]
    questions: list[list[int]]  # for each rated item, the number asked until then

    def after_answers(self, num_answers: int) -> list[list[int]]:
        return [items[:num_answers] for items in self.items]

    def after_questions(self, num_questions: int) -> list[list[int]]:
        return [
            [item for item, count in zip(items, counts, strict=True) if count <= num_questions]
            for items, counts in zip(self.items, self.questions, strict=True)
        ]


def main(args: list[str]) -> int:
    return run_study("rate-next", measure_elicitation, args)


def measure_elicitation(args: list[str]) -> None:
    """Ask the held-out users and write `results/rate-next-NAME.new-users.json`."""
    config, data, bundles, header = open_finished_run(
        "rate-next", "Compare ways to ask new users for ratings.", args, protocol="new-users"
    )
    model, queries = Recommender.load(bundles.refitted), data.base_split.test
    train = data.base_split.with_refit("validation").train_histories
    counts_IV = count_ratings(train, data.dataset.scale, len(data.dataset.movies))
    seeds = [HeldOutUsers.from_queries(queries, len(counts_IV), seed) for seed in range(NUM_SEEDS)]
    content = {
        **header,
        "protocol": "rate-next",  # its metrics differ from those of new-users
        "seeds": list(range(NUM_SEEDS)),
        "num_users": len(seeds[0].rating_UI),
        **learning_sections(model, seeds, counts_IV),
        "catalogue": catalog_coverage(model, seeds, data),
    }
    path = write_results(config.results, f"rate-next-{config.name}", "new-users", content)
    for line in result_lines(content):
        say(f"{path}: {line}")


def learning_sections(
    model: Recommender, seeds: Sequence[HeldOutUsers], counts_IV: Float64
) -> dict[str, Any]:
    """Return the sections of the results file that say how soon a user is learned."""
    metrics = {}
    for strategy in STRATEGIES:
        by_seed = [
            session_metrics(model, users, counts_IV, strategy, seed)
            for seed, users in enumerate(seeds)
        ]
        metrics[strategy] = {name: [each[name] for each in by_seed] for name in by_seed[0]}
    adaptive = metrics[RATE_NEXT]
    return {
        "metrics": summarise(adaptive),
        "baselines": {name: summarise(metrics[name]) for name in BASELINES},
        "paired": {name: summarise_paired(adaptive, metrics[name]) for name in BASELINES},
    }


def session_metrics(
    model: Recommender, users: HeldOutUsers, counts_IV: Float64, strategy: str, seed: int
) -> dict[str, Float64]:
    """Ask all users by one strategy, and return every metric, (U,) each."""
    sessions = run_sessions(model, users, counts_IV, strategy, seed)
    metrics = {}
    for num in ANSWERS:
        rated_items = sessions.after_answers(num)
        metrics[f"ndcg@10/answers={num}"] = target_ndcg(model, users, rated_items)
        metrics[f"mse/answers={num}"] = rating_error(model, users, rated_items)
        counts = [float(counts[num - 1]) for counts in sessions.questions]
        metrics[f"questions/answers={num}"] = np.array(counts)
    for num in QUESTIONS:
        rated_items = sessions.after_questions(num)
        metrics[f"ndcg@10/questions={num}"] = target_ndcg(model, users, rated_items)
        metrics[f"answers/questions={num}"] = np.array([float(len(items)) for items in rated_items])
    return metrics


def target_ndcg(model: Recommender, users: HeldOutUsers, rated_items: list[list[int]]) -> Float64:
    """Return ndcg@10 of each user's targets, (U,). rated_items: by user."""
    score_UI = model.score([users.entries(model, u, items) for u, items in enumerate(rated_items)])
    user_N, item_N = np.nonzero(users.target_UI)
    better_N, tied_N = rank_counts_multi(score_UI, user_N, item_N, users.answerable_UI)
    return ndcg_multi(better_N, tied_N, user_N, 10)


def rating_error(model: Recommender, users: HeldOutUsers, rated_items: list[list[int]]) -> Float64:
    """Return the mean squared rating error over each user's targets, (U,)."""
    error_U = np.empty(len(rated_items))
    for u, items in enumerate(rated_items):
        rows = np.flatnonzero(users.target_UI[u])
        expected_n = model.predict_stars([users.entries(model, u, items)], model.movie_ids[rows])
        error_U[u] = np.mean((expected_n[0] - users.rating_UI[u, rows]) ** 2)
    return error_U


def run_sessions(
    model: Recommender, users: HeldOutUsers, counts_IV: Float64, strategy: str, seed: int
) -> Sessions:
    """Ask every user by one of STRATEGIES, until MAX_ANSWERS answers each."""
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

    An answer changes the weights, "not seen" does not. Items drawn one at a time from unchanged
    weights are one draw without replacement, so there is one draw an answer.
    """
    unasked_UI = ~users.target_UI
    num_users = len(unasked_UI)
    sessions = Sessions([[] for _ in range(num_users)], [[] for _ in range(num_users)])
    rngs = [np.random.default_rng([seed, u]) for u in range(num_users)]
    for step in range(MAX_ANSWERS):
        histories = [users.entries(model, u, items) for u, items in enumerate(sessions.items)]
        logit_UI = model.score(histories) if step else [None] * num_users
        for u, (unasked_I, logit_I) in enumerate(zip(unasked_UI, logit_UI, strict=True)):
            history = users.history(model, u, sessions.items[u])
            weight_I = sampling_weight(elicitation.factors(history, logit_I))
            order = sample_items(weight_I, unasked_I, rngs[u])
            items, questions = simulate_session(order, users.answerable_UI[u], 1)
            unasked_I[order[: int(questions.sum())]] = False
            earlier = sessions.questions[u][-1] if sessions.questions[u] else 0
            sessions.items[u].extend(items.tolist())
            sessions.questions[u].extend((earlier + questions).tolist())
    return sessions


def count_ratings(histories: UserHistories, scale: tuple[float, ...], num_items: int) -> Float64:
    """Return the ratings of each item and value, (I, V)."""
    counts_IV = np.zeros((num_items, len(scale)))
    np.add.at(counts_IV, (histories.item, np.searchsorted(np.asarray(scale), histories.rating)), 1)
    return counts_IV


def catalog_coverage(
    model: Recommender, seeds: Sequence[HeldOutUsers], data: InteractionDataModule
) -> dict[str, Any]:
    """Return the share of items with MIN_ITEM_RATINGS ratings, as users answer.

    The ratings of NUM_INITIAL_USERS users who were trained on are all that is counted, so that many
    items have few. The answers of a group are counted before the next one is asked. What the
    network itself knows of items remains that of the whole training.
    """
    growths: dict[str, list[Float64]] = {name: [] for name in STRATEGIES}
    for seed, halves in enumerate(seeds):
        # All items can be asked for here: nothing is tested.
        users = HeldOutUsers(halves.rating_UI, answerable_UI=halves.rating_UI > 0)
        for name, by_seed in growths.items():
            by_seed.append(grow_catalog(model, users, initial_counts(data, seed), name, seed))
    questions, answers, shares = (
        {name: np.array(by_seed)[:, row] for name, by_seed in growths.items()} for row in range(3)
    )
    ends = questions[RATE_NEXT][:, -1]
    at_ends = {
        name: list(map(np.interp, ends, questions[name], shares[name])) for name in STRATEGIES
    }
    return {
        "persons": NUM_INITIAL_USERS,
        "share_at_start": mean_and_range(shares[RATE_NEXT][:, 0]),
        "questions": int(ends.mean()),
        "answers": int(answers[RATE_NEXT][:, -1].mean()),
        "share/equal_answers": {name: mean_and_range(each[:, -1]) for name, each in shares.items()},
        "share/equal_questions": {name: mean_and_range(each) for name, each in at_ends.items()},
        "questions_for_all": {name: int(each[:, -1].mean()) for name, each in questions.items()},
    }


def grow_catalog(
    model: Recommender, users: HeldOutUsers, counts_IV: Float64, strategy: str, seed: int
) -> Float64:
    """Ask group after group, each by what earlier groups answered.

    Returns questions, answers and the share of well-rated items around each group, (3, T).
    """
    num_users = len(users.rating_UI)
    growth = [(0, 0, share_with_ratings(counts_IV, MIN_ITEM_RATINGS))]
    for start in range(0, num_users, GROUP_SIZE):
        members, group_seed = slice(start, start + GROUP_SIZE), seed * num_users + start
        group = HeldOutUsers(users.rating_UI[members], users.answerable_UI[members])
        if strategy == RATE_NEXT:
            counts_I = counts_IV.sum(axis=1).astype(np.int64)
            elicitation = RatingElicitation(counts_I, NUM_INITIAL_USERS + start, model.rating_model)
            sessions = adaptive_sessions(model, elicitation, group, group_seed)
        else:
            sessions = run_sessions(model, group, counts_IV, strategy, group_seed)
        for u, items in enumerate(sessions.items):
            value_n = np.searchsorted(model.manifest["scale"], group.rating_UI[u, items])
            counts_IV[items, value_n] += 1
        num_questions = growth[-1][0] + sum(counts[-1] for counts in sessions.questions)
        num_answers = growth[-1][1] + sum(map(len, sessions.items))
        growth.append((num_questions, num_answers, share_with_ratings(counts_IV, MIN_ITEM_RATINGS)))
    return np.array(growth).T


def initial_counts(data: InteractionDataModule, seed: int) -> Float64:
    """Return the ratings of NUM_INITIAL_USERS users who were trained on, (I, V)."""
    train = data.base_split.train_histories
    users = np.random.default_rng(seed).permutation(np.flatnonzero(train.length))
    initial_histories = train.filter(np.isin(train.user, users[:NUM_INITIAL_USERS]))
    return count_ratings(initial_histories, data.dataset.scale, len(data.dataset.movies))


def result_lines(content: Mapping[str, Any]) -> Iterator[str]:
    for metric in (f"ndcg@10/answers={num}" for num in ANSWERS):
        yield f"{metric} {content['metrics'][metric]['mean']:.4f}"
        for name, part in content["paired"].items():
            difference = "{diff:+.4f} [{low:+.4f}, {high:+.4f}]".format(**part[metric])
            yield f"  over {name:<20} {difference}"
    for unit in ("answers", "questions"):
        for name, share in content["catalogue"][f"share/equal_{unit}"].items():
            subject = f"movies with {MIN_ITEM_RATINGS} ratings at equal {unit}"
            yield f"{subject}: {name:<20} {share['mean']:.4f}"
