"""The evaluation protocols: one registry of their splits, metrics and baselines.

A protocol is a split and a way to measure: `next` and `ncf-paper` share one split, and one pass of
scores answers both. docs/evaluation.md describes their queries.
"""

from dataclasses import dataclass
from typing import Literal

LOWER_IS_BETTER = frozenset({"rmse", "mae", "ece"})  # of all other metrics a larger value is better
_NEIGHBORS = ("popularity", "item-knn", "ease")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to measure a model; the defaults rank one target among all items."""

    name: str
    split: str
    """Name of the split in datamodules/splits; `data.protocol` of a recipe."""
    targets: Literal["one", "many", "ratings"] = "one"
    """The targets of a query: one item, several items, or the values of hidden ratings."""
    ranks_all_items: bool = True
    """All items outside the history are ranked; else drawn candidates or held-out items alone."""
    metrics: tuple[str, ...] = ("hit_rate@10", "ndcg@10")
    """Metrics of a results file, in the order of printed tables."""
    headline: str = "ndcg@10"
    """The metric that chooses settings on validation and compares two versions."""
    monitor: str = "val/ndcg@10"
    """The logged metric of validation that chooses the epoch; higher is always better."""
    baselines: tuple[str, ...] = _NEIGHBORS
    """Baselines that are tuned and measured beside the model."""
    has_random_holdout: bool = False
    """The test users are measured a second time, with a random 20% of their history held out. Of a
    data set without an order that is the only measurement."""

    @property
    def has_lists(self) -> bool:
        """The ten best of all items are a list that a user could be shown."""
        return self.ranks_all_items and self.targets != "ratings"

    @property
    def is_split(self) -> bool:
        """A recipe can name it as its `data.protocol`."""
        return self.name == self.split


_ALL = (
    Protocol(name="next", split="next", metrics=("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50")),
    Protocol(name="ncf-paper", split="next", ranks_all_items=False),
    Protocol(name="time", split="time"),
    Protocol(
        name="new-users",
        split="new-users",
        targets="many",
        metrics=("recall@20", "recall@50", "ndcg@100"),
        headline="ndcg@100",
        monitor="val/ndcg@100",
        baselines=(*_NEIGHBORS, "ials"),
        has_random_holdout=True,
    ),
    Protocol(
        name="new-movies",
        split="new-movies",
        ranks_all_items=False,
        metrics=("hit_rate@10", "auc"),
        headline="auc",
        monitor="val/auc",
        baselines=("genre-popularity",),
    ),
    Protocol(
        name="stars",
        split="stars",
        targets="ratings",
        metrics=("rmse", "mae", "ece", "coverage@90"),
        headline="rmse",
        # Validation of the network ranks the items of the hidden ratings.
        monitor="val/ndcg@100",
        baselines=("biases", "item-knn", "svd++"),
    ),
    Protocol(
        name="fixed",
        split="fixed",
        targets="many",
        metrics=("precision@10", "recall@10", "hit_rate@10", "map@10", "ndcg@10"),
        headline="map@10",
        monitor="val/map@10",
        baselines=("popularity", "item-knn", "rp3beta", "rp3beta-tuned"),
    ),
)
PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}


def ranking_protocols() -> dict[str, Protocol]:
    return {name: protocol for name, protocol in PROTOCOLS.items() if protocol.targets != "ratings"}


def protocols_of_split(split: str) -> list[str]:
    return sorted(name for name, protocol in PROTOCOLS.items() if protocol.split == split)
