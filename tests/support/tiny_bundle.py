"""A bundle of ten movies by hand, so that serving tests need no training.

The encoder is a graph of ten nodes whose answer can be worked out on paper: a user is the mean
of the genre rows of the movies watched, each weighted 1 + .1 x (place of its rating on the scale).
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from marquee.core.movies import Movies
from marquee.recommender.bundle import write_bundle
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
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            value("entry_BLD", TensorProto.FLOAT, ["B", "L", D]),
            value("star_BL", TensorProto.INT64, ["B", "L"]),
            value("length_B", TensorProto.INT64, ["B"]),
        ],
        [
            value("user_gmf_BD", TensorProto.FLOAT, ["B", D]),
            value("user_mlp_BH", TensorProto.FLOAT, ["B", H]),
        ],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
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


def tiny_parts() -> dict[str, Any]:
    """Return the arguments of `write_bundle`, without golden answers."""
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
        "arrays": {k: v.astype(np.float32) for k, v in arrays.items()}
        | {"num_ratings": counts, "num_recent": recent},
        "encoder": encoder_bytes(rng.normal(size=(D, HIDDEN_DIM)).astype(np.float32)),
        "golden": [],
    }


def write_tiny(folder: Path) -> Path:
    """Write the bundle, its golden answers computed by the recommender itself."""
    parts = tiny_parts()
    write_bundle(folder, **parts)
    recommender = Recommender.load(folder)
    history = [(6, 4.0), (50, None)]
    golden = {
        "history": history,
        "movie_ids": [1, 480],
        "scores": recommender.score([history], [1, 480])[0].tolist(),
        "stars": recommender.predict_stars([history], [1, 480])[0].tolist(),
        "top": [item["movie_id"] for item in recommender.recommend(history=history)["items"]],
    }
    write_bundle(folder, **parts | {"golden": [golden]})
    return folder
