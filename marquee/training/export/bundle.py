"""A trained network as a bundle: arrays, two ONNX graphs, golden answers.

Items without interactions have no part in the training. Their attributes give them vectors here, as
a new title gets them in the service (marquee/recommender/item_content.py).
"""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules.datamodule import InteractionDataModule
from datamodules.item_features import content_vectors
from datamodules.splits import Split
from marquee.core.arrays import AnyFloat, Float32, shortest_decimal
from marquee.core.errors import InputError
from marquee.core.feature_encodings import FeatureSpace
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.recommender.bundle import RECENT_SHARE, read_bundle, write_bundle
from marquee.recommender.item_content import ItemAttributes
from marquee.recommender.recommender import Recommender
from marquee.training.config import RunConfig
from marquee.training.export.golden import content_arrays, golden_items, golden_queries
from marquee.training.export.graphs import (
    ITEM_ARRAYS,
    ItemContentGraph,
    encoder_onnx,
    item_arrays,
    item_content_onnx,
)
from marquee.training.run_folder import SelectionResult
from models.bpmf.model import ItemPrior, fit_rating_model
from models.config import NetworkConfig
from models.ncf import NCF

FILTER_TYPES = ("category", "categories", "number")
ITEMS_PER_BLOCK = 1024  # of items without interactions, whose attributes are encoded together


@torch.no_grad()
def export_bundle(
    folder: Path,
    network: NCF,
    *,
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
) -> None:
    """Write the bundle of a network; its rating model takes two minutes on ml-1m.

    data: as the network was trained on it. Without ratings there is no rating model. Replaces an
    older bundle only after its golden answers agree. Raises InputError for a network that cannot
    be served.
    """
    check_exportable(network.config)
    network, dataset, histories = network.cpu().eval(), data.dataset, data.split.train_histories
    features = used_features(data.feature_space, network.config)
    star_arrays, scalars, prior = rating_model(data, histories, config)
    graph = ItemContentGraph(network, features, prior)
    items = all_attributes(dataset)
    arrays = catalog_arrays(network, graph, features, items, star_arrays)
    arrays |= interaction_counts(dataset, histories)
    mean_rating = scalars.get("mean")
    scale = exact_scale(data.scale) if scalars else ()
    golden = golden_queries(network, dataset.movies, scale, arrays, mean_rating)
    if scalars:
        arrays["star_item"] = arrays["star_item"].transpose(1, 0, 2)  # an item's are adjacent
    write_bundle(
        folder,
        manifest={
            **run_manifest(config, data, selection),
            "scale": list(scale),
            "history_length": network.config.history_length,
            **({"stars": scalars} if scalars else {}),
            "network": asdict(network.config),
            "features": {
                "item": [encoding.name for encoding in features.item],
                "user": [encoding.name for encoding in features.user],
            },
        },
        movies=dataset.movies,
        attributes=filter_attributes(dataset, items),
        arrays=arrays,
        encoder=encoder_onnx(network),
        item_content=item_content_onnx(graph, features, data.sizes.text_dim),
        features=features,
        golden=golden,
        golden_items=golden_items(graph, features, items),
        prove=Recommender.load,
    )


def rating_model(
    data: InteractionDataModule, histories: UserHistories, config: RunConfig
) -> tuple[dict[str, AnyFloat], dict[str, Any], ItemPrior | None]:
    """Fit the rating model; nothing without a scale, or without training ratings."""
    rows = np.flatnonzero(~np.isnan(histories.rating)) if data.scale else np.zeros(0, np.int64)
    if not len(rows):
        return {}, {}, None
    return fit_rating_model(
        user_N=histories.user[rows],
        item_N=histories.item[rows].astype(np.int64),
        rating_N=np.asarray(histories.rating[rows]),
        feature_IX=content_vectors(data.item_content)[: data.dataset.num_items].numpy(),
        scale=data.scale,
        config=config.stars,
        seed=config.seed_everything,
    )


def exact_scale(scale: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(map(shortest_decimal, scale))


def used_features(features: FeatureSpace, config: NetworkConfig) -> FeatureSpace:
    return features if "data" in config.features else replace(features, item=())


def all_attributes(dataset: Dataset) -> list[ItemAttributes]:
    """Return the attributes of all items as a request would name them."""
    movies = dataset.movies
    return [
        ItemAttributes(
            title=movies.title[row],
            year=movies.year[row],
            genres=movies.genres[row],
            features={each.name: plain(each.values[row]) for each in dataset.item_features},
        )
        for row in range(len(movies))
    ]


def filter_attributes(dataset: Dataset, items: list[ItemAttributes]) -> dict[str, list[Any]]:
    """Return the features that filters can read: categories and numbers."""
    names = [each.name for each in dataset.item_features if each.type in FILTER_TYPES]
    values = {name: [item.features[name] for item in items] for name in names}
    return {
        name: [shortest_decimal(value) if isinstance(value, float) else value for value in column]
        for name, column in values.items()
    }


def plain(value: Any) -> Any:
    """Return a feature's value as JSON has it; None where it is unknown."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return None if value and value[0] != value[0] else list(value)
    return None if value != value else value


def catalog_arrays(
    network: NCF,
    graph: ItemContentGraph,
    features: FeatureSpace,
    items: list[ItemAttributes],
    star_arrays: dict[str, AnyFloat],
) -> dict[str, np.ndarray]:
    """Return the arrays of all items; `star_item` is (S, I, E) here.

    The rows of items without interactions, the last ones, are made of their attributes.
    """
    trained = zip(ITEM_ARRAYS, item_arrays(network.head, *network.items()), strict=True)
    arrays: dict[str, np.ndarray] = {name: part.numpy().copy() for name, part in trained}
    arrays |= {"mlp_out": network.head.out.weight[0].numpy().copy()} | star_arrays
    if star_arrays:
        arrays["star_item"] = arrays["star_item"].transpose(1, 0, 2)
    num_items = len(network.items.bias)
    blocks: list[dict[str, Float32]] = [
        content_arrays(graph, features, items[start : start + ITEMS_PER_BLOCK])
        for start in range(num_items, len(items), ITEMS_PER_BLOCK)
    ]
    for name in blocks[0] if blocks else ():
        arrays[name] = np.concatenate([arrays[name], *(block[name] for block in blocks)])
    if star_arrays:
        arrays["star_item"] = arrays["star_item"].transpose(1, 0, 2)
        unrated = np.zeros((len(items) - num_items, arrays["star_set"].shape[1]), np.float32)
        arrays["star_set"] = np.concatenate([arrays["star_set"], unrated])
    return arrays


def interaction_counts(dataset: Dataset, histories: UserHistories) -> dict[str, np.ndarray]:
    """Return counts of training interactions by item: all, with times the newest."""
    num_items, time_N = len(dataset.movies), histories.timestamp
    counts = {"num_ratings": histories.item_counts(num_items)}
    if dataset.has_times:
        is_recent_N = time_N >= np.quantile(time_N, 1 - RECENT_SHARE)
        counts["num_recent"] = np.bincount(histories.item[is_recent_N], minlength=num_items)
    return counts


def run_manifest(
    config: RunConfig, data: InteractionDataModule, selection: SelectionResult
) -> dict[str, Any]:
    """Return the manifest's facts of a run: validation metrics, and no test metric."""
    dataset, split = data.dataset, data.split
    sibling = read_bundle(config.bundle_folder) if data.refit == "all" else None
    return {
        "name": config.name,
        "recipe": config.recipe,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": selection.commit,
        "config": config.training_settings(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "num_users": num_trained_users(split, data.config.user_share),
            "num_items": split.num_items,
            "num_ratings": len(split.train_histories.item),
        },
        "refit": data.refit,
        "sibling": sibling.manifest["model_version"] if sibling else None,
        "epochs": selection.epochs,
        "metrics": selection.validation,
        **({"below_popularity": True} if selection.below_popularity else {}),
    }


def check_exportable(config: NetworkConfig) -> None:
    """Refuse what a bundle does not hold: a table of users, or a deep MLP."""
    if config.user != "history":
        raise InputError(
            f"model.network.user: {config.user}, expected history, because a table of users cannot "
            "serve a new user; export a recipe with model.network.user: history"
        )
    if len(config.hidden_dims) != 1:
        raise InputError(
            f"model.network.hidden_dims: {config.hidden_dims}, expected one hidden layer, as a "
            "bundle holds one; train with one width, e.g. [16]"
        )


def num_trained_users(split: Split, user_share: float) -> int:
    """Return the users of a training, without those whom a sample leaves out."""
    histories = split.train_histories
    return len(histories) if user_share == 1 else int(np.count_nonzero(histories.length))
