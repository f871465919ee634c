"""A bundle of ten films made by hand, so that the serving tests need no training.

The encoder is a graph of ten nodes whose answer can be worked out on paper: a person is the mean
of the genre rows of the films watched, each weighted 1 + .1 x (place of its stars on the scale).
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HOME = tempfile.mkdtemp(prefix="marquee-tests-")
os.environ["BENTOML_HOME"] = _HOME  # before bentoml is imported anywhere
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
for _name in ("BUNDLE", "EVENTS_URL", "API_KEYS"):
    os.environ.pop(_name, None)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import pytest  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from marquee.core.movies import Movies  # noqa: E402
from marquee.feedback.store import EventStore  # noqa: E402
from marquee.recommender.bundle import write_bundle  # noqa: E402
from marquee.recommender.recommender import Recommender  # noqa: E402
from tests import postgres  # noqa: E402

FILMS = [  # movie_id, title, year, genres, training ratings
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
HIDDEN = 3


def films() -> Movies:
    movie_id, title, year, genres, _ = map(list, zip(*FILMS, strict=True))
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


def star_draws(num_items: int) -> np.ndarray:
    """(2, I, 2): taste from -1 to 1 and bias from -.5 to .5 along the films; the two draws agree,
    but for the film with one rating and the one with none, whose biases they put 2 apart."""
    one = np.stack([np.linspace(-1, 1, num_items), np.linspace(-0.5, 0.5, num_items)], 1)
    draws = np.stack([one, one])
    draws[:, [5, 9], 1] += [[1], [-1]]
    return draws


def tiny_parts() -> dict[str, Any]:
    """What `write_bundle` takes, without golden answers."""
    rng = np.random.default_rng(0)
    movies = films()
    genre_IG = movies.genre_matrix()
    I, D = genre_IG.shape  # noqa: E741
    arrays = {
        "item_vector": genre_IG,
        "item_gmf": genre_IG,
        "item_mlp": rng.normal(size=(I, HIDDEN)),
        "mlp_out": rng.normal(size=HIDDEN) * 0.1,
        "item_bias": np.arange(I) * 0.001,
        "star_set": np.eye(I, 1, 1 - I),  # the last film alone says something by being chosen
        "star_item": star_draws(I).transpose(1, 0, 2),
        "star_mean": np.zeros((2, 2)),
        "star_lean": np.full((2, 1, 2), [0.0, 0.5]),
        "star_precision": np.stack([np.diag([1, 4])] * 2),  # variance of taste 1, of the bias 1/4
        "star_alpha": np.ones(2),
    }
    counts = np.array([film[-1] for film in FILMS], dtype=np.int64)
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
        "encoder": encoder_bytes(rng.normal(size=(D, HIDDEN)).astype(np.float32)),
        "golden": [],
    }


def write_tiny(folder: Path) -> Path:
    """A whole bundle, its golden answers made by the recommender itself."""
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


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made bundle; tests that change a file copy it first."""
    return write_tiny(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def recommender(bundle_folder: Path) -> Recommender:
    return Recommender.load(bundle_folder)


@pytest.fixture(scope="session")
def events_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one person, "42": Heat (4 stars), then The Usual Suspects (5), 70 s later."""
    url = f"sqlite:///{tmp_path_factory.mktemp('events') / 'events.sqlite'}"
    EventStore(url).import_ratings([42, 42, 42], [6, 50, 999], [4.0, 5.0, 3.0], [100, 170, 180])
    return url


@pytest.fixture(scope="session")
def client(bundle_folder: Path, events_url: str) -> Iterator[Any]:
    """The whole service in this process, asked from the loopback address."""
    os.environ["BUNDLE"], os.environ["EVENTS_URL"] = str(bundle_folder), events_url
    from starlette.testclient import TestClient

    from service import Marquee

    with TestClient(
        Marquee.to_asgi(), client=("127.0.0.1", 50000), raise_server_exceptions=False
    ) as client:
        yield client
    del os.environ["BUNDLE"], os.environ["EVENTS_URL"]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL to make schemas in: that of TEST_POSTGRES_URL, else one of our own."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    with postgres.server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where nothing is stored yet, on either database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'events.sqlite'}"
        return
    with postgres.schema(request.getfixturevalue("postgres_url")) as url:
        yield url
