"""Preference elicitation: does `rate_next` learn a user sooner than other strategies?

    marquee rate-next --config recipes/ml-1m.new-users.yaml
                                        results/rate-next-ml-1m.new-users.json, 3 min on one core

Learning: the users are real, and were not trained on. Of each one with 40 ratings or more, a random
half of the items can be asked for, and the other half are the targets. A user starts without a
history, and is asked for one item at a time. The answer is the real rating for an item of the first
half, and "not seen" for any other. No strategy asks for targets. After 5, 10 and 15 answers the
model ranks all items but the first half; ndcg@10 and the error of the expected ratings are measured
on the targets. The settings of marquee/recommender/elicitation.py were chosen on validation users
with the model as selected; test users are asked through the bundle.

Catalog: the growth of a sparsely rated catalog, see marquee/training/studies/catalog_coverage.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import summarise, summarise_paired
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.elicitation import BASELINES
from marquee.evaluation.metrics.ranking import ndcg_multi, rank_counts_multi
from marquee.evaluation.results import code_commit, write_results
from marquee.recommender.elicitation import MIN_ITEM_RATINGS
from marquee.recommender.recommender import Recommender
from marquee.training.config import read_config
from marquee.training.evaluate import provenance
from marquee.training.pipeline import build_data
from marquee.training.run_bundles import verified_bundles
from marquee.training.run_folder import open_run
from marquee.training.selection import SelectionResult
from marquee.training.studies.catalog_coverage import catalog_coverage
from marquee.training.studies.elicitation_sessions import (
    RATE_NEXT,
    STRATEGIES,
    HeldOutUsers,
    Sessions,
    count_ratings,
    entries,
    run_sessions,
)
from marquee.training.studies.study_command import run_study, study_parser

ANSWERS = (5, 10, 15)
QUESTIONS = (10, 20, 40, 80)
NUM_SEEDS = 8
"""Halves, and draws of what is random; metrics are averaged over them first."""


def main(args: list[str]) -> int:
    """Run `marquee rate-next` and return its exit status."""
    return run_study("rate-next", measure_elicitation, args)


def measure_elicitation(args: list[str]) -> None:
    """Ask the held-out users and write `results/rate-next-NAME.new-users.json`.

    Raises InputError for a recipe of another protocol than `new-users`.
    """
    parser = study_parser("rate-next", "Compare ways to ask new users for ratings.")
    _, settings = parser.parse_known_args(args)
    config = read_config(settings)
    if config.data.protocol != "new-users":
        raise InputError(
            f"{config.name}: data.protocol {config.data.protocol}, expected new-users, by which "
            "rate_next is measured"
        )
    run = open_run(config, new=False)
    selection, data = SelectionResult.load(run.path), build_data(config)
    model = Recommender.load(verified_bundles(config, run, data, selection).refitted)
    train = data.base_split.with_refit("validation").train_histories
    counts_IV = count_ratings(train, data.dataset.scale, len(data.dataset.movies))
    content = {
        "recipe": config.recipe,
        "protocol": "rate-next",  # its metrics differ from those of new-users
        "data": data.dataset.name,
        **provenance(data, selection, "cpu"),
        "commit": code_commit(),
        "trained_by": selection.commit,
        "seeds": list(range(NUM_SEEDS)),
        **learning_metrics(model, data.base_split.test, counts_IV),
        "catalogue": catalog_coverage(model, data.base_split.test, data, NUM_SEEDS),
    }
    path = write_results(config.results, f"rate-next-{config.name}", "new-users", content)
    for line in result_lines(content):
        say(f"{path}: {line}")


def learning_metrics(
    model: Recommender, queries: EvalQueries, counts_IV: Float64
) -> dict[str, Any]:
    """Return the part of the results file that says how soon a user is learned.

    counts_IV: training ratings of each item and value.
    """
    values: dict[str, dict[str, list[Float64]]] = {name: {} for name in STRATEGIES}
    for seed in range(NUM_SEEDS):
        users = HeldOutUsers.from_queries(queries, len(counts_IV), seed)
        for name, by_metric in values.items():
            sessions = run_sessions(model, users, counts_IV, name, seed)
            for metric, value_U in session_metrics(model, users, sessions):
                by_metric.setdefault(metric, []).append(value_U)
    metrics = {
        name: {metric: np.array(value_SU) for metric, value_SU in by_metric.items()}
        for name, by_metric in values.items()
    }
    return {
        "num_users": len(users.rating_UI),
        "metrics": summarise(metrics[RATE_NEXT]),
        "baselines": {name: summarise(metrics[name]) for name in BASELINES},
        "paired": {name: summarise_paired(metrics[RATE_NEXT], metrics[name]) for name in BASELINES},
    }


def session_metrics(
    model: Recommender, users: HeldOutUsers, sessions: Sessions
) -> Iterator[tuple[str, Float64]]:
    """Yield every metric of every user, (U,) each."""
    for num in ANSWERS:
        rated_items = sessions.after_answers(num)
        yield f"ndcg@10/answers={num}", target_ndcg(model, users, rated_items)
        yield f"mse/answers={num}", rating_error(model, users, rated_items)
        counts = [float(counts[num - 1]) for counts in sessions.questions]
        yield f"questions/answers={num}", np.array(counts)
    for num in QUESTIONS:
        rated_items = sessions.after_questions(num)
        yield f"ndcg@10/questions={num}", target_ndcg(model, users, rated_items)
        yield f"answers/questions={num}", np.array([float(len(items)) for items in rated_items])


def target_ndcg(model: Recommender, users: HeldOutUsers, rated_items: list[list[int]]) -> Float64:
    """Return ndcg@10 of each user's targets, (U,). rated_items: by user."""
    score_UI = model.score([entries(model, users, u, items) for u, items in enumerate(rated_items)])
    user_N, item_N = np.nonzero(users.target_UI)
    better_N, tied_N = rank_counts_multi(score_UI, user_N, item_N, users.answerable_UI)
    return ndcg_multi(better_N, tied_N, user_N, 10)


def rating_error(model: Recommender, users: HeldOutUsers, rated_items: list[list[int]]) -> Float64:
    """Return the mean squared rating error over each user's targets, (U,)."""
    error_U = np.empty(len(rated_items))
    for u, items in enumerate(rated_items):
        rows = np.flatnonzero(users.target_UI[u])
        expected_n = model.predict_stars([entries(model, users, u, items)], model.movie_ids[rows])
        error_U[u] = np.mean((expected_n[0] - users.rating_UI[u, rows]) ** 2)
    return error_U


def result_lines(content: Mapping[str, Any]) -> Iterator[str]:
    for metric in (f"ndcg@10/answers={num}" for num in ANSWERS):
        yield f"{metric} {content['metrics'][metric]['mean']:.4f}"
        for name, part in content["paired"].items():
            diff, low, high = (part[metric][key] for key in ("diff", "low", "high"))
            yield f"  over {name:<20} {diff:+.4f} [{low:+.4f}, {high:+.4f}]"
    for unit in ("answers", "questions"):
        for name, share in content["catalogue"][f"share/equal_{unit}"].items():
            subject = f"movies with {MIN_ITEM_RATINGS} ratings at equal {unit}"
            yield f"{subject}: {name:<20} {share['mean']:.4f}"
