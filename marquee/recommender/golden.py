"""The golden answers of a bundle: they prove that this machine computes as the training did."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import AnyFloat, Float32
from marquee.core.errors import InputError
from marquee.recommender.bundle import Bundle
from marquee.recommender.bundle_checks import REMEDY
from marquee.recommender.item_content import ItemAttributes, ItemContent

GOLDEN_TOLERANCE = 1e-4
"""Of answers that lie within 1 of each other; of wider ones in proportion. The sums of a network
with large weights cancel, and float32 rounds each of them."""


class GoldenRecommender(Protocol):
    """The answers of a Recommender that the golden file holds."""

    item_content: ItemContent
    has_ratings: bool

    def score(self, histories: Any, movie_ids: Any = None, /) -> Float32: ...

    def predict_stars(self, histories: Any, movie_ids: Any, /) -> Float32: ...

    def recommend(self, history: Any, /) -> Any: ...


def check_golden(recommender: GoldenRecommender, bundle: Bundle) -> None:
    """Raise InputError that names the query or item whose answer is off."""
    path = bundle.folder / "golden.json"
    for n, query in enumerate(bundle.golden):
        _check_query(f"{path}: answer {n}", recommender, query)
    for n, item in enumerate(bundle.golden_items):
        attributes = {key: item[key] for key in ("title", "year", "genres", "features")}
        arrays = recommender.item_content.arrays([ItemAttributes(**attributes)])
        answers = {name: array[0] for name, array in arrays.items()}
        _check_close(f"{path}: item {n}", item["arrays"], answers)


def _check_query(name: str, recommender: GoldenRecommender, golden: Mapping[str, Any]) -> None:
    history, movie_ids = [tuple(entry) for entry in golden["history"]], golden["movie_ids"]
    answers = {"scores": recommender.score([history], movie_ids)[0]}
    if recommender.has_ratings:
        answers["stars"] = recommender.predict_stars([history], movie_ids)[0]
    _check_close(name, golden, answers)
    top = [item["movie_id"] for item in recommender.recommend(history)["items"]]
    if len(top) == len(golden["top"]):
        score_K, golden_K = recommender.score([history] * 2, [top, golden["top"]])
        # Two items may swap places on another processor, but only where their scores agree.
        if np.allclose(score_K, golden_K, rtol=0, atol=tolerance(golden["scores"])):
            return
    raise InputError(f"{name} is {top}, expected {golden['top']}; {REMEDY}")


def _check_close(name: str, golden: Mapping[str, Any], answers: Mapping[str, AnyFloat]) -> None:
    for key, answer in answers.items():
        error = float(np.abs(answer - np.asarray(golden[key], np.float32)).max(initial=0.0))
        if not error <= tolerance(golden[key]):
            raise InputError(
                f"{name} is off by {error:.2g} in its {key}, "
                f"expected at most {tolerance(golden[key]):.2g}; {REMEDY}"
            )


def tolerance(answers: npt.ArrayLike) -> float:
    """Return the largest error that rounding explains."""
    return GOLDEN_TOLERANCE * max(1.0, float(np.ptp(answers)) if np.size(answers) else 0.0)
