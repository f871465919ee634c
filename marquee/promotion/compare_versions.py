"""Two versions on one test part, person by person: lists and stars.

    side_by_side(candidate, current, "ml-1m")     # [(sentence, whether the candidate is worse), …]

Worse: below FLOOR of the current version's figure, or the whole interval of the difference on the
wrong side. The squared error of stars is that of the movies to be found, given all before.

Shapes: B people, I movies of the data set.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from datamodules.datamodule import InteractionDataModule
from marquee.core.bootstrap import paired
from marquee.core.errors import InputError
from marquee.evaluation.ranker import Asked, evaluate
from marquee.promotion.gate import FLOOR
from marquee.recommender.recommender import Recommender
from marquee.training.evaluate import questions

FIGURE = {"next": "ndcg@10", "time": "ndcg@10", "new-users": "ndcg@100", "new-movies": "auc"}
"""By protocol, what decides of lists."""


def side_by_side(candidate: Recommender, current: Recommender, data: str) -> list[tuple[str, bool]]:
    """Raises InputError where `data` is not what the candidate's recipe splits."""
    split = _test_part(candidate, data)
    asked, ids = questions(split, with_candidates=False), split.dataset.movies.movie_id
    where = f"on the test part of {data} `{split.protocol}` ({len(asked.histories):,} people)"
    both = [Known(candidate, ids), Known(current, ids)]
    return [_lists(both, asked, where), _stars(both, asked, _stars_of(split), where)]


def _test_part(candidate: Recommender, data: str) -> InteractionDataModule:
    settings = candidate.manifest.get("config", {}).get("data", {})
    if settings.get("name") != data or settings["protocol"] not in FIGURE:
        raise InputError(
            f"--data {data}: this version was trained on {settings.get('name')} "
            f"`{settings.get('protocol')}`; give its own data, of one of {', '.join(FIGURE)}"
        )
    split = InteractionDataModule(**settings)
    copy, wanted = split.dataset.sha256, candidate.manifest["data"]["sha256"]
    if copy != wanted:  # its last ratings may be among those that this version has seen
        raise InputError(
            f"--data {data}: this version was trained on the copy with sha256 {wanted[:12]}, but "
            f"the one found has {copy[:12]}; set DATA_ROOT to the copy it was trained on"
        )
    return split


def _stars_of(split: InteractionDataModule) -> list[np.ndarray]:
    """What each person gave the movies to be found."""
    test = split.plain_split.test
    bounds = zip((test.start + test.given).tolist(), (test.start + test.end).tolist(), strict=True)
    return [test.histories.stars[a:b] for a, b in bounds]


def _lists(both: Sequence["Known"], asked: Asked, where: str) -> tuple[str, bool]:
    name = FIGURE[asked.protocol]
    ours, theirs = (evaluate(each, asked)[asked.protocol].metrics[name] for each in both)
    found = paired(ours, theirs)
    told = (
        f"{name} {ours.mean():.4f} {where}, the current version's {theirs.mean():.4f}, difference "
        f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    )
    return told, found.high < 0 or float(ours.mean()) < FLOOR * float(theirs.mean())


def _stars(
    both: Sequence["Known"], asked: Asked, given: Sequence[np.ndarray], where: str
) -> tuple[str, bool]:
    """Of the films that both know."""
    ours, theirs = (each.squared_errors(asked, given) for each in both)
    told = np.isfinite(ours) & np.isfinite(theirs)
    if not told.any():
        return f"stars {where} cannot be compared: no film is known to both", False
    ours, theirs = ours[told], theirs[told]
    found, rmse = paired(ours, theirs), np.sqrt([ours.mean(), theirs.mean()])
    sentence = (
        f"stars' rmse {rmse[0]:.4f} {where}, the current version's {rmse[1]:.4f}, squared errors "
        f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    )
    return sentence, found.low > 0 or float(rmse[1]) < FLOOR * float(rmse[0])


class Known:
    """A scorer over the rows of a data set, of which the bundle may know some only: the others are
    left out of histories and come last."""

    def __init__(self, recommender: Recommender, movie_ids: np.ndarray) -> None:
        self._recommender, self._ids = recommender, movie_ids
        self._known = np.isin(movie_ids, recommender.movie_ids)
        self._column = np.searchsorted(recommender.movie_ids, movie_ids[self._known])

    def __call__(self, histories: Sequence[np.ndarray], stars: Any) -> np.ndarray:
        score_BI = np.full((len(histories), len(self._ids)), np.finfo(np.float32).min, np.float32)
        found = self._recommender.score(self._entries(histories, stars))
        score_BI[:, self._known] = found[:, self._column]
        return score_BI

    def squared_errors(self, asked: Asked, given: Sequence[np.ndarray]) -> np.ndarray:
        """Mean squared error of each person's stars, (B,); NaN where no film is known."""
        people = self._entries(asked.histories, asked.stars)
        error_B = np.full(len(people), np.nan)
        for b, (entries, rows, stars) in enumerate(zip(people, asked.found, given, strict=True)):
            known = self._known[rows]
            if known.any():
                said = self._recommender.predict_stars([entries], self._ids[rows[known]])[0]
                error_B[b] = np.mean((said - stars[known]) ** 2)
        return error_B

    def _entries(self, histories: Sequence[np.ndarray], stars: Any) -> list[list[Any]]:
        return [
            [
                (int(self._ids[row]), given)
                for row, given in zip(items.tolist(), each.tolist(), strict=True)
                if self._known[row]
            ]
            for items, each in zip(histories, stars, strict=True)
        ]
