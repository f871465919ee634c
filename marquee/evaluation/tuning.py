"""The grids of the ranking baselines, and the choice of a setting on validation.

    for name, (make, settings) in ranking_baselines("new-users", genre_IG).items():
        best, table = tune(make, settings, train, valid, "new-users")    # valid: EvalQueries
        baseline = make(**best["new-users"]).fit(train)

Every setting of the grid is fitted on train and judged on validation by the protocol's headline
metric. Which baselines a protocol has stands in protocols.py.

    one core           next: item-knn, ease     new-users: item-knn, ease, ials
    ml-1m              30 s, 22 s               30 s, 30 s, 4.5 min
    ml-latest-small    28 s, 12 s               54 s, 28 s, 30 s
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any, TypeAlias

from marquee.core.arrays import Float32
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.base import Baseline, Interactions
from marquee.evaluation.baselines.ease import EASE
from marquee.evaluation.baselines.ials import IALS
from marquee.evaluation.baselines.item_knn import ItemKNN
from marquee.evaluation.baselines.popularity import GenrePopularity, Popularity
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import evaluate

Settings: TypeAlias = Mapping[str, float]
Tunable: TypeAlias = tuple[Callable[..., Baseline], Sequence[Settings]]
"""A baseline's class and its grid."""


def expand_grid(values: Mapping[str, Sequence[float]]) -> list[Settings]:
    """Return every combination of the values, by name.

    >>> expand_grid({"shrink": (0, 20)})
    [{'shrink': 0}, {'shrink': 20}]
    """
    combinations = product(*values.values())
    return [dict(zip(values, combination, strict=True)) for combination in combinations]


ONE_TARGET: dict[str, Tunable] = {
    "popularity": (Popularity, [{}]),
    "item-knn": (
        ItemKNN,
        expand_grid({"neighbours": (5, 10, 20, 50, 200), "shrink": (0, 20, 100)}),
    ),
    "ease": (EASE, expand_grid({"l2": (20, 50, 100, 200, 500, 1000, 2000)})),
}
"""Protocols with one target, soon after the context."""
MANY_TARGETS: dict[str, Tunable] = {
    "popularity": (Popularity, [{}]),
    "item-knn": (
        ItemKNN,
        expand_grid({"neighbours": (10, 20, 50, 100, 200, 500, 1000), "shrink": (0, 20, 100)}),
    ),
    "ease": (
        EASE,
        expand_grid({"l2": (10, 20, 50, 100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)}),
    ),
    "ials": (
        IALS,
        expand_grid({"factors": (128, 256), "alpha": (2, 5, 10), "regularization": (10, 30, 50)}),
    ),
}
"""`new-users`: many targets, up to years later; wider neighborhoods are best."""


def ranking_baselines(protocol: str, genre_IG: Float32) -> dict[str, Tunable]:
    """Return the baselines of a protocol by name, each with its grid.

    genre_IG: the genres of the data set. `ials` is left out, and a line says so, if the package
    implicit is missing.
    """
    grids = MANY_TARGETS if PROTOCOLS[protocol].targets == "many" else ONE_TARGET
    by_genre: dict[str, Tunable] = {"genre-popularity": (partial(GenrePopularity, genre_IG), [{}])}
    names = list(PROTOCOLS[protocol].baselines)
    if "ials" in names and find_spec("implicit") is None:
        say("ials is left out: pip install -e '.[bench]' brings the package implicit")
        names.remove("ials")
    return {name: (grids | by_genre)[name] for name in names}


def tune(
    make: Callable[..., Baseline],
    grid: Sequence[Settings],
    train: Interactions,
    valid: EvalQueries,
    protocol: str,
) -> tuple[dict[str, Settings], list[dict[str, Any]]]:
    """Fit every setting of a grid on train and choose one on validation.

    The headline metric decides.

        best, table = tune(EASE, ONE_TARGET["ease"][1], train, valid, "next")
        best                    # {"next": {"l2": 200}}
        table[0]                # {"settings": {"l2": 20}, "next": .0474}

    train: the interactions that training may read. valid: the queries of validation; with drawn
    candidates, `ncf-paper` gets a choice of its own (EASE: another l2 is best). The first setting
    wins a tie.
    """
    table: list[dict[str, Any]] = []
    for settings in grid:
        ranked = evaluate(make(**settings).fit(train).score, valid, protocol)
        values = {
            name: float(ranks.metrics[PROTOCOLS[name].headline].mean())
            for name, ranks in ranked.items()
        }
        table.append({"settings": dict(settings), **values})
    names = [name for name in table[0] if name != "settings"]
    return {name: max(table, key=lambda row: row[name])["settings"] for name in names}, table
