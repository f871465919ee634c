"""A bundle of ten movies by hand, so that serving tests need no training.

The encoder is a graph of ten nodes whose answer can be worked out on paper: a user is the mean
of the genre rows of the movies watched, each weighted 1 + .1 x (place of its rating on the scale).
An item's vector is its genre row, so that `item_content.onnx` is one product.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from marquee.core.feature_encodings import FeatureSpace
from marquee.core.movies import Movies
from marquee.recommender.bundle import write_bundle
from marquee.recommender.item_content import ItemAttributes
from marquee.recommender.recommender import Recommender

MOVIES = [  # movie_id, title, year, genres, training ratings
    (1, "Toy Story", 1995, ("Animation", "Comedy"), 50),
    (6, "Heat", 1995, ("Action", "Crime"), 40),
    (10, "GoldenEye", 1995, ("Action",), 30),
    (32, "Twelve Monkeys", 1995, ("Drama", "Thriller"), 20),
    (50, "The Usual Suspects", 1995, ("Crime", "Thriller"), 45),
    (110, "Heat of the Day", None, (), 1),
    (260, "Amélie", 2001, ("Comedy", "Drama"), 25),
    (296, "Pulp Fiction", 1994, ("Comedy", "Crime", "Drama"), 60),
    (480, "Blade Runner", 1982, ("Action", "Thriller"), 35),
    (541, "Blade Runner 2049", 2017, ("Action", "Thriller"), 0),
]
RECENT = [1, 2, 1, 1, 2, 0, 6, 2, 1, 0]  # Amélie is on the rise
SCALE = [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
HISTORY_LENGTH = 4
HIDDEN_DIM = 3


def tiny_movies() -> Movies:
    movie_id, title, year, genres, _ = map(list, zip(*MOVIES, strict=True))
    return Movies(np.array(movie_id, dtype=np.int64), title, year, genres)


def encoder_bytes(to_hidden_DH: np.ndarray) -> bytes:
    """user_gmf = mean over entries of (1 + .1 star) x entry; user_mlp = user_gmf @ to_hidden."""
    D, H = to_hidden_DH.shape
    node = helper.make_node
    nodes = [
        node("Cast", ["star_BL"], ["star"], to=TensorProto.FLOAT),
        node("Mul", ["star", "tenth"], ["extra"]),
        node("Add", ["extra", "one"], ["weight_BL"]),
        node("Unsqueeze", ["weight_BL", "two_axis"], ["weight_BL1"]),
        node("Mul", ["entry_BLD", "weight_BL1"], ["weighted"]),
        node("ReduceSum", ["weighted", "one_axis"], ["total"], keepdims=0),
        node("Cast", ["length_B"], ["count_B"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["count_B", "one_axis"], ["count_B1"]),
        node("Div", ["total", "count_B1"], ["user_gmf_BD"]),
        node("MatMul", ["user_gmf_BD", "to_hidden"], ["user_mlp_BH"]),
    ]
    constants = {
        "tenth": np.float32(0.1),
        "one": np.float32(1),
        "one_axis": np.array([1], dtype=np.int64),
        "two_axis": np.array([2], dtype=np.int64),
        "to_hidden": to_hidden_DH,
    }
    value = helper.make_tensor_value_info
    inputs = [
        value("entry_BLD", TensorProto.FLOAT, ["B", "L", D]),
        value("star_BL", TensorProto.INT64, ["B", "L"]),
        value("length_B", TensorProto.INT64, ["B"]),
    ]
    outputs = [
        value("user_gmf_BD", TensorProto.FLOAT, ["B", D]),
        value("user_mlp_BH", TensorProto.FLOAT, ["B", H]),
    ]
    return model_bytes(nodes, inputs, outputs, constants)


def item_content_bytes(arrays: dict[str, np.ndarray], has_ratings: bool) -> bytes:
    """item_vector = item_gmf = genres; item_mlp = item_bias = star_item = 0."""
    D, H = arrays["item_vector"].shape[1], arrays["item_mlp"].shape[1]
    node = helper.make_node
    nodes = [
        node("Identity", ["genres"], ["item_vector"]),
        node("Identity", ["genres"], ["item_gmf"]),
        node("MatMul", ["genres", "zero_DH"], ["item_mlp"]),
        node("MatMul", ["genres", "zero_D"], ["item_bias"]),
    ]
    value, floats = helper.make_tensor_value_info, TensorProto.FLOAT
    outputs = [
        value("item_vector", floats, ["B", D]),
        value("item_gmf", floats, ["B", D]),
        value("item_mlp", floats, ["B", H]),
        value("item_bias", floats, ["B"]),
    ]
    constants = {"zero_DH": np.zeros((D, H), np.float32), "zero_D": np.zeros(D, np.float32)}
    if has_ratings:
        S, E = arrays["star_item"].shape[1:]
        constants |= {"zero_DSE": np.zeros((D, S * E), np.float32), "shape": np.array([-1, S, E])}
        nodes += [
            node("MatMul", ["genres", "zero_DSE"], ["flat"]),
            node("Reshape", ["flat", "shape"], ["star_item"]),
        ]
        outputs.append(value("star_item", floats, ["B", S, E]))
    return model_bytes(nodes, [value("genres", floats, ["B", D])], outputs, constants)


def model_bytes(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, np.ndarray]
) -> bytes:
    tensors = [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    opset = helper.make_opsetid("", 17)
    model: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    return model


def rating_draws(num_items: int) -> np.ndarray:
    """(2, I, 2): taste from -1 to 1 and bias from -.5 to .5 along the items; the two draws agree,
    but for the item with one rating and the one with none, whose biases they put 2 apart."""
    item_ID = np.stack([np.linspace(-1, 1, num_items), np.linspace(-0.5, 0.5, num_items)], 1)
    draws = np.stack([item_ID, item_ID])
    draws[:, [5, 9], 1] += [[1], [-1]]
    return draws


def tiny_parts(*, text_ids: bool = False, has_ratings: bool = True) -> dict[str, Any]:
    """Return the arguments of `write_bundle`, without golden answers.

    text_ids: movie 6 is "tt0006/é". Without ratings there are no times either.
    """
    parts = full_parts()
    if text_ids:
        movies = parts["movies"]
        ids = np.array([text_id(movie_id) for movie_id in movies.movie_id], object)
        parts["movies"] = Movies(ids, movies.title, movies.year, movies.genres)
    if not has_ratings:
        del parts["manifest"]["stars"], parts["arrays"]["num_recent"]
        parts["manifest"]["scale"] = []
        for name in [name for name in parts["arrays"] if name.startswith("star_")]:
            del parts["arrays"][name]
        parts["item_content"] = item_content_bytes(parts["arrays"], has_ratings=False)
    return parts


def text_id(movie_id: int) -> str:
    return f"tt{movie_id:04}/é"


def full_parts() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    movies = tiny_movies()
    genre_IG = movies.genre_matrix()
    I, D = genre_IG.shape  # noqa: E741
    arrays = {
        "item_vector": genre_IG,
        "item_gmf": genre_IG,
        "item_mlp": rng.normal(size=(I, HIDDEN_DIM)),
        "mlp_out": rng.normal(size=HIDDEN_DIM) * 0.1,
        "item_bias": np.arange(I) * 0.001,
        "star_set": np.eye(I, 1, 1 - I),  # the last item alone says something by being rated
        "star_item": rating_draws(I).transpose(1, 0, 2),
        "star_mean": np.zeros((2, 2)),
        "star_lean": np.full((2, 1, 2), [0.0, 0.5]),
        "star_precision": np.stack([np.diag([1, 4])] * 2),  # variance of taste 1, of the bias 1/4
        "star_alpha": np.ones(2),
    }
    counts = np.array([movie[-1] for movie in MOVIES], dtype=np.int64)
    recent = np.array(RECENT, dtype=np.int64)
    float_arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {
        "manifest": {
            "name": "tiny",
            "created": "2026-11-22T00:00:00Z",
            "recipe": "tests",
            "config": {},
            "data": {"name": "tiny", "sha256": "0" * 64, "num_users": 3, "num_items": I},
            "refit": "none",
            "metrics": {},
            "scale": SCALE,
            "history_length": HISTORY_LENGTH,
            "stars": {
                "mean": 3.5,
                "cuts": [0.75 + 0.5 * n for n in range(9)],
                "noise_factor": 1.0,
                "steady": 10.0,
                "rounds": 2,
            },
        },
        "movies": movies,
        "arrays": float_arrays | {"num_ratings": counts, "num_recent": recent},
        "encoder": encoder_bytes(rng.normal(size=(D, HIDDEN_DIM)).astype(np.float32)),
        "item_content": item_content_bytes(float_arrays, has_ratings=True),
        "features": FeatureSpace(genres=movies.genre_names),
        "golden": [],
    }


def write_tiny(folder: Path, *, text_ids: bool = False, has_ratings: bool = True) -> Path:
    """Write the bundle, its golden answers computed by the recommender itself."""
    parts = tiny_parts(text_ids=text_ids, has_ratings=has_ratings)
    write_bundle(folder, **parts)
    recommender = Recommender.load(folder)
    movie_id = text_id if text_ids else int
    history = [(movie_id(6), 4.0 if has_ratings else None), (movie_id(50), None)]
    movie_ids = [movie_id(1), movie_id(480)]
    golden = {
        "history": history,
        "movie_ids": movie_ids,
        "scores": recommender.score([history], movie_ids)[0].tolist(),
        "top": [item["movie_id"] for item in recommender.recommend(history=history)["items"]],
    }
    if has_ratings:
        golden["stars"] = recommender.predict_stars([history], movie_ids)[0].tolist()
    item = {"title": "Heat", "year": 1995, "genres": ["Action", "Crime"], "features": {}}
    arrays = recommender.item_content.arrays([ItemAttributes(**item)])
    item |= {"arrays": {name: array[0].tolist() for name, array in arrays.items()}}
    write_bundle(folder, **parts | {"golden": [golden], "golden_items": [item]})
    return folder
