"""Compare two versions on one test part, user by user: lists and predicted ratings.

    compare_on_test_part(candidate, current, "ml-1m")     # [(sentence, is the candidate worse), …]

Worse: below MIN_METRIC_RATIO of the current version's metric, or the whole interval of the
difference on the wrong side. The squared error is that of the targets' ratings, given the context.
"""

from math import isfinite
from typing import Any

import numpy as np

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.core.bootstrap import paired
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.ids import IdIndex, Ids
from marquee.evaluation.protocols import PROTOCOLS, ranking_protocols
from marquee.evaluation.ranker import evaluate
from marquee.evaluation.too_small import reason_too_small
from marquee.promotion.gate_limits import MIN_METRIC_RATIO
from marquee.recommender.recommender import Recommender
from marquee.training.evaluate import test_queries

COMPARABLE = [name for name, protocol in ranking_protocols().items() if protocol.is_split]
"""Protocols of recipes whose lists are compared, by their headline metric."""


def compare_on_test_part(
    candidate: Recommender, current: Recommender, data: str
) -> list[tuple[str, bool]]:
    """Return a sentence, and whether the candidate is worse, in lists and ratings.

    data: the data set of the candidate's recipe. Raises InputError for another one, or another copy
    of it.
    """
    split = _test_part(candidate, data)
    queries, ids = _queries(split), split.dataset.movies.movie_id[: split.dataset.num_items]
    protocol = split.config.protocol
    place = f"on the test part of {data} `{protocol}` ({len(queries):,} users)"
    new, old = BundleScorer(candidate, ids), BundleScorer(current, ids)
    name = PROTOCOLS[protocol].headline
    new_ranked, old_ranked = (
        evaluate(scorer, queries, protocol)[protocol] for scorer in (new, old)
    )
    if reason := reason_too_small(name, len(queries), new_ranked.num_candidates):
        lists = (f"{name} {place} says nothing (n/a): {reason}", False)
    else:
        lists = _compare_lists(name, new_ranked.metrics[name], old_ranked.metrics[name], place)
    if not (new.has_ratings and old.has_ratings):
        return [lists, (f"stars {place} are not compared: a version has no ratings", False)]
    ratings = _compare_ratings(new.squared_errors(queries), old.squared_errors(queries), place)
    return [lists, ratings]


def _queries(split: InteractionDataModule) -> EvalQueries:
    """Return the test part; of a data set without an order the random one."""
    if PROTOCOLS[split.config.protocol].has_random_holdout and not split.has_order:
        return split.random_test
    return test_queries(split, with_candidates=False)


def _test_part(candidate: Recommender, data: str) -> InteractionDataModule:
    settings = candidate.manifest.get("config", {}).get("data", {})
    if settings.get("name") != data or settings["protocol"] not in COMPARABLE:
        raise InputError(
            f"--data {data}: this version was trained on {settings.get('name')} "
            f"`{settings.get('protocol')}`, expected its own data, with one of "
            f"{', '.join(COMPARABLE)}"
        )
    split = InteractionDataModule(DataConfig(**settings))
    sha256, expected = split.dataset.sha256, candidate.manifest["data"]["sha256"]
    if sha256 != expected:  # its last ratings may be in the training of this version
        raise InputError(
            f"--data {data}: sha256 {sha256[:12]}, expected {expected[:12]}, the copy that this "
            "version was trained on; set DATA_ROOT to it"
        )
    return split


def _compare_lists(name: str, new_U: np.ndarray, old_U: np.ndarray, place: str) -> tuple[str, bool]:
    difference = paired(new_U, old_U)
    sentence = (
        f"{name} {new_U.mean():.4f} {place}, the current version's {old_U.mean():.4f}, difference "
        f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    )
    is_below = bool(new_U.mean() < MIN_METRIC_RATIO * old_U.mean())
    return sentence, difference.high < 0 or is_below


def _compare_ratings(new_U: np.ndarray, old_U: np.ndarray, place: str) -> tuple[str, bool]:
    """Compare squared errors on the movies that both versions hold."""
    is_known_U = np.isfinite(new_U) & np.isfinite(old_U)
    if not is_known_U.any():
        return f"stars {place} cannot be compared: no movie is known to both", False
    new_U, old_U = new_U[is_known_U], old_U[is_known_U]
    difference, rmse = paired(new_U, old_U), np.sqrt([new_U.mean(), old_U.mean()])
    sentence = (
        f"stars' rmse {rmse[0]:.4f} {place}, the current version's {rmse[1]:.4f}, squared errors "
        f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    )
    is_below = bool(rmse[1] < MIN_METRIC_RATIO * rmse[0])
    return sentence, difference.low > 0 or is_below


class BundleScorer:
    """A scorer over the items of a data set, of which the bundle may hold only some.

    Items that it does not hold are left out of contexts and come last.
    """

    def __init__(self, recommender: Recommender, movie_ids: Ids) -> None:
        self._recommender, self._ids = recommender, movie_ids
        row, self._is_held = IdIndex(recommender.movie_ids).rows(movie_ids)
        self._column = row[self._is_held]
        self.has_ratings = recommender.manifest.get("scale") != []

    def __call__(self, queries: EvalQueries) -> np.ndarray:
        score_BI = np.full((len(queries), len(self._ids)), np.finfo(np.float32).min, np.float32)
        held_score_BC = self._recommender.score(self._histories(queries))
        score_BI[:, self._is_held] = held_score_BC[:, self._column]
        return score_BI

    def squared_errors(self, queries: EvalQueries) -> np.ndarray:
        """Return users' mean squared errors, (B,); NaN without a target in the bundle."""
        histories, error_B = self._histories(queries), np.full(len(queries), np.nan)
        targets = zip(histories, queries.targets(), queries.target_ratings(), strict=True)
        for b, (history, rows, ratings) in enumerate(targets):
            is_held = self._is_held[rows] & np.isfinite(ratings)
            if is_held.any():
                expected = self._recommender.predict_stars([history], self._ids[rows[is_held]])[0]
                error_B[b] = np.mean((expected - ratings[is_held]) ** 2)
        return error_B

    def _histories(self, queries: EvalQueries) -> list[list[Any]]:
        contexts = zip(queries.contexts(), queries.context_ratings(), strict=True)
        return [
            [
                (movie_id, rating if isfinite(rating) else None)
                for movie_id, rating in zip(
                    self._ids[rows[is_held]].tolist(), ratings[is_held].tolist(), strict=True
                )
            ]
            for rows, ratings in contexts
            for is_held in [self._is_held[rows]]
        ]
