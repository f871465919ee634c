"""Which baselines stand beside the model in each protocol, and how their settings are chosen.

    for name, (make, grid) in rivals("new-users", genre_IG).items():
        best, table = tune(make, grid, train, valid)        # valid: marquee.evaluation.ranker.Asked
        baseline = make(**best["new-users"]).fit(*train)

Every setting of the grid is fitted on train and judged on validation by the protocol's own figure.

    one core           next: item-knn, ease     new-users: item-knn, ease, ials
    ml-1m              30 s, 22 s               30 s, 30 s, 4.5 min
    ml-latest-small    28 s, 12 s               54 s, 28 s, 30 s
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.evaluation.baselines.ials import IALS
from marquee.evaluation.baselines.neighbors import (
    EASE,
    Baseline,
    GenrePopularity,
    Interactions,
    ItemKNN,
    Popularity,
)
from marquee.evaluation.ranker import CHOSEN_BY, Asked, evaluate

Settings = Mapping[str, float]
Rival = tuple[Callable[..., Baseline], Sequence[Settings]]


def settings(**values: Sequence[float]) -> list[Settings]:
    """Every combination: settings(shrink=(0, 20)) -> [{"shrink": 0}, {"shrink": 20}]."""
    return [dict(zip(values, each, strict=True)) for each in product(*values.values())]


NEXT: dict[str, Rival] = {
    "popularity": (Popularity, [{}]),
    "item-knn": (ItemKNN, settings(neighbours=(5, 10, 20, 50, 200), shrink=(0, 20, 100))),
    "ease": (EASE, settings(l2=(20, 50, 100, 200, 500, 1000, 2000))),
}
"""`next`, `ncf-paper` and `time`: one movie to be found, soon."""
NEW_USERS: dict[str, Rival] = {
    "popularity": (Popularity, [{}]),
    "item-knn": (
        ItemKNN,
        settings(neighbours=(10, 20, 50, 100, 200, 500, 1000), shrink=(0, 20, 100)),
    ),
    "ease": (
        EASE,
        settings(l2=(10, 20, 50, 100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)),
    ),
    "ials": (
        IALS,
        settings(factors=(128, 256), alpha=(2, 5, 10), regularization=(10, 30, 50)),
    ),
}
"""`new-users`: many movies to be found, up to years later; wider neighbourhoods are best."""


def rivals(protocol: str, genre_IG: NDArray[np.float32]) -> dict[str, Rival]:
    """The baselines of a data set's protocol by name: (make, grid).

    `ials` is left out, in one line, where the package implicit is missing.
    """
    if protocol == "new-movies":
        return {"genre-popularity": (partial(GenrePopularity, genre_IG), [{}])}
    if protocol != "new-users":
        return NEXT
    if find_spec("implicit") is None:
        print("ials is left out: pip install -e '.[bench]' brings the package implicit", flush=True)
        return {name: rival for name, rival in NEW_USERS.items() if name != "ials"}
    return NEW_USERS


def tune(
    make: Callable[..., Baseline], grid: Sequence[Settings], train: Interactions, valid: Asked
) -> tuple[dict[str, Settings], list[dict[str, Any]]]:
    """Fit every setting of the grid on train and choose by the protocol's figure on validation.

        best, table = tune(EASE, NEXT["ease"][1], train, Asked("next", histories, found))
        best                    # {"next": {"l2": 200}}
        table[0]                # {"settings": {"l2": 20}, "next": .0474}

    train: the ratings that training may read. valid: the questions of validation; with candidates,
    `ncf-paper` gets a choice of its own (EASE: another l2 is best). The first setting wins a tie.
    """
    table: list[dict[str, Any]] = []
    for one in grid:
        ranked = evaluate(make(**one).fit(*train).score, valid)
        found = {name: float(r.metrics[CHOSEN_BY[name]].mean()) for name, r in ranked.items()}
        table.append({"settings": dict(one), **found})
    protocols = [name for name in table[0] if name != "settings"]
    return {name: max(table, key=lambda row: row[name])["settings"] for name in protocols}, table
