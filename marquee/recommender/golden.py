"""Check the golden answers of a bundle on this machine.

They prove that it computes what was trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32
from marquee.core.errors import InputError
from marquee.recommender.bundle import REMEDY, Bundle
from marquee.recommender.history import HistoryEntry
from marquee.recommender.responses import RecommendResponse

TOLERANCE = 1e-4


class GoldenModel(Protocol):
    """The methods of a recommender that the golden answers cover."""

    def score(
        self, histories: Sequence[Iterable[HistoryEntry]], movie_ids: npt.ArrayLike | None = None
    ) -> Float32:
        """Return logits, (B, C)."""

    def predict_stars(
        self, histories: Sequence[Iterable[HistoryEntry]], movie_ids: npt.ArrayLike
    ) -> Float32:
        """Return expected stars, (B, C)."""

    def recommend(self, history: Iterable[HistoryEntry] = ()) -> RecommendResponse:
        """Return the ten best items."""


def check_golden(model: GoldenModel, bundle: Bundle) -> None:
    """Raise InputError that names the answer which is off by more than TOLERANCE."""
    for n, golden in enumerate(bundle.golden):
        _check(model, bundle.folder / "golden.json", n, golden)


def _check(model: GoldenModel, path: Path, n: int, golden: Mapping[str, Any]) -> None:
    history = [tuple(entry) for entry in golden["history"]]
    answers = {
        "scores": model.score([history], golden["movie_ids"])[0],
        "stars": model.predict_stars([history], golden["movie_ids"])[0],
    }
    for name, answer in answers.items():
        expected = np.asarray(golden[name], dtype=np.float32)
        error = float(np.abs(answer - expected).max(initial=0.0))
        if not error <= TOLERANCE:
            raise InputError(
                f"{path}: answer {n} is off by {error:.2g} in its {name}, "
                f"expected at most {TOLERANCE:g}; {REMEDY}"
            )
    top = [item["movie_id"] for item in model.recommend(history)["items"]]
    if top == golden["top"]:
        return
    # Two items may swap places on another processor, but only where their scores agree.
    score = model.score([history], [*top, *golden["top"]])[0]
    if len(top) != len(golden["top"]) or not np.allclose(
        score[: len(top)], score[len(top) :], rtol=0, atol=TOLERANCE
    ):
        raise InputError(f"{path}: answer {n} is {top}, expected {golden['top']}; {REMEDY}")
