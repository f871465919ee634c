"""The evaluation protocols: one registry of their splits, metrics and baselines.

    PROTOCOLS["new-users"].headline      # "ndcg@100": validation chooses by it
    PROTOCOLS["time"].has_lists          # True: a list for each user, judged beyond accuracy, too

| protocol | query |
|---|---|
| next | the next item among all that are not in the user's history |
| ncf-paper | the same item among 99 drawn candidates (He et al. 2017) |
| time | as next, after one cut through the time of all users |
| new-users | all later items of a user that was not trained on (Liang et al. 2018) |
| new-movies | one item that was not trained on, among all such items |
| stars | the ratings of hidden (user, item) pairs |

A protocol is a split and a way to measure: `next` and `ncf-paper` share one split, and one pass of
scores answers both.
"""

from dataclasses import dataclass
from typing import Literal

LOWER_IS_BETTER = frozenset({"rmse", "mae", "ece"})
"""Metrics that are errors; of all others a larger value is better."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to measure a model."""

    name: str
    split: str
    """Name of the split in datamodules/splits; `data.protocol` of a recipe."""
    targets: Literal["one", "many", "ratings"]
    """The targets of a query: one item, several items, or the values of hidden ratings."""
    ranks_all_items: bool
    """All items outside the history are ranked; else drawn candidates or held-out items alone."""
    metrics: tuple[str, ...]
    """Metrics of a results file, in the order of printed tables."""
    headline: str
    """The metric that chooses settings on validation and compares two versions."""
    table_metrics: tuple[str, str]
    """The two metrics that README.md shows."""
    monitor: str
    """The logged metric of validation that chooses the epoch; higher is always better."""
    baselines: tuple[str, ...]
    """Baselines that are tuned and measured beside the model."""
    has_random_holdout: bool = False
    """The test users are measured a second time, with a random 20% of their history held out."""

    @property
    def has_lists(self) -> bool:
        """Return whether the ten best of all items are a list that a user could be shown."""
        return self.ranks_all_items and self.targets != "ratings"

    @property
    def is_split(self) -> bool:
        """Return whether a recipe can name it as its `data.protocol`."""
        return self.name == self.split


_NEIGHBORS = ("popularity", "item-knn", "ease")

_ALL = (
    Protocol(
        name="next",
        split="next",
        targets="one",
        ranks_all_items=True,
        metrics=("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50"),
        headline="ndcg@10",
        table_metrics=("hit_rate@10", "ndcg@10"),
        monitor="val/ndcg@10",
        baselines=_NEIGHBORS,
    ),
    Protocol(
        name="ncf-paper",
        split="next",
        targets="one",
        ranks_all_items=False,
        metrics=("hit_rate@10", "ndcg@10"),
        headline="ndcg@10",
        table_metrics=("hit_rate@10", "ndcg@10"),
        monitor="val/ndcg@10",
        baselines=_NEIGHBORS,
    ),
    Protocol(
        name="time",
        split="time",
        targets="one",
        ranks_all_items=True,
        metrics=("hit_rate@10", "ndcg@10"),
        headline="ndcg@10",
        table_metrics=("hit_rate@10", "ndcg@10"),
        monitor="val/ndcg@10",
        baselines=_NEIGHBORS,
    ),
    Protocol(
        name="new-users",
        split="new-users",
        targets="many",
        ranks_all_items=True,
        metrics=("recall@20", "recall@50", "ndcg@100"),
        headline="ndcg@100",
        table_metrics=("ndcg@100", "recall@20"),
        monitor="val/ndcg@100",
        baselines=(*_NEIGHBORS, "ials"),
        has_random_holdout=True,
    ),
    Protocol(
        name="new-movies",
        split="new-movies",
        targets="one",
        ranks_all_items=False,
        metrics=("hit_rate@10", "auc"),
        headline="auc",
        table_metrics=("auc", "hit_rate@10"),
        monitor="val/auc",
        baselines=("genre-popularity",),
    ),
    Protocol(
        name="stars",
        split="stars",
        targets="ratings",
        ranks_all_items=True,
        metrics=("rmse", "mae", "ece", "coverage@90"),
        headline="rmse",
        table_metrics=("rmse", "mae"),
        # Validation of the network ranks the items of the hidden ratings.
        monitor="val/ndcg@100",
        baselines=("biases", "item-knn", "svd++"),
    ),
)
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}


def ranking_protocols() -> dict[str, Protocol]:
    """Return the protocols that rank items: all but the one of ratings."""
    return {name: protocol for name, protocol in PROTOCOLS.items() if protocol.targets != "ratings"}


def protocols_of_split(split: str) -> list[str]:
    """Return the protocols that one split can be measured by, in alphabetical order."""
    return sorted(name for name, protocol in PROTOCOLS.items() if protocol.split == split)
