"""Golden answers of a bundle, from PyTorch: loading it proves that ONNX Runtime agrees.

Histories are drawn at random from the catalog: a bundle holds no user.
Local letters: T targets, J all items, those without interactions included.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from marquee.core.arrays import AnyFloat, Float32, Int64
from marquee.core.feature_encodings import FeatureSpace
from marquee.core.movies import Movies
from marquee.recommender.item_content import ItemAttributes, graph_inputs
from marquee.training.export.graphs import ITEM_ARRAYS, ItemContentGraph
from models.bpmf.data import CenteredRatings, PosteriorDraws, implicit_features
from models.bpmf.posterior import predict_pairs
from models.ncf import NCF

NUM_GOLDEN = 4
GOLDEN_SEED = 20
NUM_BEST = 10  # targets of a golden answer: the best items, and as many drawn ones


def golden_queries(
    network: NCF,
    movies: Movies,
    scale: tuple[float, ...],
    arrays: Mapping[str, np.ndarray],
    mean_rating: float | None,
) -> list[dict[str, Any]]:
    """Return requests with PyTorch's answers: logits, ratings, ten best unseen.

    mean_rating: of the rating model, None without ratings.
    """
    num_items, ids = len(network.items.bias), movies.movie_id
    count_I = arrays["num_ratings"][:num_items]
    rng = np.random.default_rng(GOLDEN_SEED)
    probability_I = (count_I + 1) / (count_I + 1).sum()
    answers = []
    for number in range(NUM_GOLDEN):
        size = min(1 + 8 * number, network.config.history_length, max(1, num_items // 2))
        item_L = rng.choice(num_items, size, replace=False, p=probability_I)
        star_L = rng.integers(0, len(scale) + 1, size)
        score_J = score_all(network, arrays, item_L, star_L)
        best = np.argsort(-score_J, kind="stable")
        sample = rng.choice(num_items, min(NUM_BEST, num_items))
        target_T = np.concatenate([best[:NUM_BEST], sample])
        top = best[~np.isin(best, item_L)][:NUM_BEST]
        ratings = [None if star == 0 else scale[star - 1] for star in star_L]
        answer = {
            "history": [list(entry) for entry in zip(ids[item_L].tolist(), ratings, strict=True)],
            "movie_ids": ids[target_T].tolist(),
            "scores": score_J[target_T].tolist(),
            "top": ids[top].tolist(),
        }
        if mean_rating is not None:
            rating_L = np.array([np.nan, *scale], np.float32)[star_L]
            rating_T = expected_ratings(arrays, mean_rating, item_L, rating_L, target_T)
            answer["stars"] = np.clip(rating_T, scale[0], scale[-1]).tolist()
        answers.append(answer)
    return answers


def score_all(
    network: NCF, arrays: Mapping[str, np.ndarray], item_L: Int64, star_L: Int64
) -> Float32:
    """Return the logits of all items, (J,), for one history."""
    batch = {
        "item_BL": torch.from_numpy(item_L)[None],
        "star_BL": torch.from_numpy(star_L)[None],
        "length_B": torch.tensor([len(item_L)]),
    }
    vector_JD = torch.from_numpy(arrays["item_vector"])
    user_BD = network.user_vectors(batch, vector_JD)
    score_J: Float32 = network.head.score(user_BD, vector_JD)[0].numpy() + arrays["item_bias"]
    return score_J


def expected_ratings(
    arrays: Mapping[str, np.ndarray],
    mean_rating: float,
    item_L: Int64,
    rating_L: Float32,
    target_T: Int64,
) -> AnyFloat:
    """Return the expected ratings of the targets, (T,); a rating of nan is none."""
    draws = PosteriorDraws.from_arrays(arrays)
    history = CenteredRatings(
        user_N=torch.zeros(len(item_L), dtype=torch.int64),
        item_N=torch.from_numpy(item_L),
        centered_rating_N=torch.from_numpy(rating_L - np.float32(mean_rating)),
    ).select(torch.from_numpy(~np.isnan(rating_L)))
    target_N = torch.from_numpy(target_T)
    feature_1F = implicit_features(draws.implicit_IF, history.user_N, history.item_N, 1)
    predictive = predict_pairs(draws, history, feature_1F, torch.zeros_like(target_N), target_N)
    return mean_rating + predictive.mean_SN.mean(0).numpy()


def golden_items(
    graph: ItemContentGraph, features: FeatureSpace, items: list[ItemAttributes]
) -> list[dict[str, Any]]:
    """Return the attributes of some items with PyTorch's arrays for them."""
    rng = np.random.default_rng(GOLDEN_SEED)
    rows = rng.choice(len(items), min(NUM_GOLDEN, len(items)), replace=False)
    drawn = [items[row] for row in np.sort(rows)]
    arrays = content_arrays(graph, features, drawn)
    return [
        {
            "title": item.title,
            "year": item.year,
            "genres": list(item.genres),
            "features": dict(item.features),
            "arrays": {name: array[n].tolist() for name, array in arrays.items()},
        }
        for n, item in enumerate(drawn)
    ]


def content_arrays(
    graph: ItemContentGraph, features: FeatureSpace, items: list[ItemAttributes]
) -> dict[str, Float32]:
    """Return the arrays of items by their attributes alone."""
    inputs = [torch.from_numpy(array) for array in graph_inputs(features, items).values()]
    names = [*ITEM_ARRAYS, *(["star_item"] if graph.has_ratings else [])]
    outputs = graph(*inputs[:3], inputs[3:])
    return {name: array.numpy() for name, array in zip(names, outputs, strict=True)}
