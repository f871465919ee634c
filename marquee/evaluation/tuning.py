"""The grids of the ranking baselines, and the choice of a setting on validation.

Validation decides by the protocol's headline metric. On one core, ml-1m takes a minute; iALS of
`new-users` takes 4.5.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import TypeAlias

from marquee.core.arrays import Float32
from marquee.core.command import say
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines import item_neighbors, ranking
from marquee.evaluation.baselines.interactions import Baseline, Interactions
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Scorer, evaluate

Settings: TypeAlias = Mapping[str, float]
Grid: TypeAlias = Mapping[str, tuple[float, ...]]


def expand_grid(grid: Grid) -> list[Settings]:
    """Return every combination: {"l2": (1, 2)} -> [{"l2": 1}, {"l2": 2}]."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


CLASSES: dict[str, Callable[..., Baseline]] = {
    "popularity": ranking.Popularity,
    "item-knn": item_neighbors.ItemKNN,
    "ease": ranking.EASE,
    "ials": ranking.IALS,
    "rp3beta": item_neighbors.RP3Beta,  # by published settings
    "rp3beta-tuned": item_neighbors.RP3Beta,
}
# Protocols with one target, soon after the context.
ONE_TARGET: dict[str, Grid] = {
    "item-knn": {"neighbours": (5, 10, 20, 50, 200), "shrink": (0, 20, 100)},
    "ease": {"l2": (20, 50, 100, 200, 500, 1000, 2000)},
}
# `new-users`: many targets, up to years later; wider neighborhoods are best.
MANY_TARGETS: dict[str, Grid] = {
    "item-knn": {"neighbours": (10, 20, 50, 100, 200, 500, 1000), "shrink": (0, 20, 100)},
    "ease": {"l2": (10, 20, 50, 100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)},
    "ials": {"factors": (128, 256), "alpha": (2, 5, 10), "regularization": (10, 30, 50)},
}
FIXED: dict[str, Grid] = {
    "item-knn": {"neighbours": (20, 50, 100, 200, 500), "shrink": (0, 20, 100)},
    "rp3beta-tuned": {
        "neighbours": (50, 100, 200),
        "alpha": (0.5, 0.7, 0.9),
        "beta": (0.2, 0.4, 0.6),
    },
}
STRENGTH: Grid = {"strength": (0, 1)}  # the power of the given strengths; 0 ignores them
TAKE_STRENGTH = ("item-knn", "ease", "ials", "rp3beta-tuned")


def ranking_baselines(
    protocol: str, genre_IG: Float32, has_strengths: bool = False
) -> dict[str, tuple[Callable[..., Baseline], list[Settings]]]:
    """Return a protocol's baselines with their grids; print those left out."""
    is_many = PROTOCOLS[protocol].targets == "many"
    grids = FIXED if protocol == "fixed" else MANY_TARGETS if is_many else ONE_TARGET
    classes = CLASSES | {"genre-popularity": partial(ranking.GenrePopularity, genre_IG)}
    names = list(PROTOCOLS[protocol].baselines)
    if "ials" in names and find_spec("implicit") is None:
        say("ials is left out: pip install -e '.[baselines]' brings the package implicit")
        names.remove("ials")
    if "genre-popularity" in names and not genre_IG.any():
        say("genre-popularity is left out: no movie has a genre")
        names.remove("genre-popularity")
    if has_strengths:
        grids = {
            name: {**grids.get(name, {}), **(STRENGTH if name in TAKE_STRENGTH else {})}
            for name in names
        }
    return {name: (classes[name], expand_grid(grids.get(name, {}))) for name in names}


def fit_scorer(make: Callable[..., Baseline], settings: Settings, train: Interactions) -> Scorer:
    """Fit a baseline; a user without a context gets the scores of popularity.

    Such users are only in `fixed`, as users of the test file alone.
    """
    baseline = make(**settings).fit(train)
    popularity = ranking.Popularity().fit(train)

    def score(queries: EvalQueries) -> Float32:
        score_BI = baseline.score(queries)
        is_empty_B = queries.context_length == 0
        if is_empty_B.any():
            score_BI[is_empty_B] = popularity.score_I
        return score_BI

    return score


def tune(
    make: Callable[..., Baseline],
    grid: Sequence[Settings],
    train: Interactions,
    valid: EvalQueries,
    protocol: str,
) -> dict[str, Settings]:
    """Fit every setting of a grid and choose on validation; the first wins a tie.

        tune(EASE, expand_grid({"l2": (20, 200)}), train, valid, "next")    # {"next": {"l2": 200}}

    If `valid` holds drawn candidates, `ncf-paper` gets a choice of its own.
    """
    best: dict[str, Settings] = {}
    maximum: dict[str, float] = {}
    for settings in grid:
        ranked = evaluate(fit_scorer(make, settings, train), valid, protocol)
        for name, ranks in ranked.items():
            mean = float(ranks.metrics[PROTOCOLS[name].headline].mean())
            if name not in best or mean > maximum[name]:
                best[name], maximum[name] = settings, mean
    return best
