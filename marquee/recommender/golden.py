"""A bundle's golden questions: proof that this machine computes what was trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marquee.core.errors import InputError
from marquee.recommender.bundle import REMAKE, Bundle

if TYPE_CHECKING:
    from marquee.recommender.recommender import Recommender

TOLERANCE = 1e-4


def check_golden(recommender: "Recommender", bundle: Bundle) -> None:
    """Raises InputError that names the answer which differs by more than TOLERANCE."""
    for n, golden in enumerate(bundle.golden):
        _check(recommender, bundle.folder / "golden.json", n, golden)


def _check(recommender: "Recommender", path: Path, n: int, golden: Mapping[str, Any]) -> None:
    history = [tuple(entry) for entry in golden["history"]]
    found = {
        "scores": recommender.score([history], golden["movie_ids"])[0],
        "stars": recommender.predict_stars([history], golden["movie_ids"])[0],
    }
    for name, got in found.items():
        off = float(np.abs(got - np.asarray(golden[name], dtype=np.float32)).max(initial=0.0))
        if not off <= TOLERANCE:
            raise InputError(f"{path}: answer {n} is off by {off:.2g} in its {name}; {REMAKE}")
    top = [item["movie_id"] for item in recommender.recommend(history=history)["items"]]
    if top == golden["top"]:
        return
    # Two films may change places on another processor, but only where their scores agree.
    pair = recommender.score([history], [*top, *golden["top"]])[0]
    if len(top) != len(golden["top"]) or not np.allclose(
        pair[: len(top)], pair[len(top) :], rtol=0, atol=TOLERANCE
    ):
        raise InputError(f"{path}: answer {n} is {golden['top']}, found {top}; {REMAKE}")
