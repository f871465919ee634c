"""A trained network as a bundle: arrays, an ONNX graph of the history encoder, golden answers.

The graph holds the encoder and the user half of the head; everything that grows with the catalogue
stays in plain arrays. Golden histories are drawn at random from the catalogue: a bundle holds no
person. Their scores come from PyTorch, so loading a bundle proves that ONNX Runtime agrees.

Shapes: B persons, L history entries, I movies, D embedding, H hidden, N training ratings.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.recommender.bundle import RECENT_SHARE, write_bundle
from models.bpmf.gibbs import Draws, Ratings, StarConfig
from models.bpmf.model import STAR_ARRAYS, fit_stars, implicit_features, outlook
from models.ncf import NCF, NetworkConfig
from models.towers import HistoryEncoder

NUM_GOLDEN = 4
GOLDEN_SEED = 20


class EncoderGraph(nn.Module):
    """What becomes encoder.onnx: entries of a history -> the person's halves of the head."""

    def __init__(self, network: NCF) -> None:
        super().__init__()
        assert isinstance(network.user, HistoryEncoder)
        self.user, self.head = network.user, network.head

    def forward(
        self, entry_BLD: Tensor, star_BL: Tensor, length_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        user_BD = self.user.last(entry_BLD, star_BL, length_B)
        return user_BD, self.head.user_half(user_BD)


@torch.no_grad()
def export_bundle(
    folder: str | Path,
    network: NCF,
    *,
    manifest: dict[str, Any],
    movies: Movies,
    scale: tuple[float, ...],
    train: tuple[np.ndarray, np.ndarray, np.ndarray],
    timestamp: np.ndarray,
    features: np.ndarray,
    stars: StarConfig,
    seed: int,
    prove: Callable[[Path], object],
) -> str:
    """Write the bundle of a network with the history user; returns its model version.

    manifest: name, recipe, config, data, refit, metrics, created. train: user and item rows and
    stars of the ratings the network was trained on, (N,) each: they give support and the star
    model. timestamp: int64 (N,), of each. features: float32 (I, F), what is known of each movie
    beside its ratings. stars, seed: how the star model is learned, on ml-1m in two minutes.
    prove: see `write_bundle`. Raises InputError for a network that cannot be served.
    """
    check_exportable(network.config)
    network = network.cpu().eval()
    user_N, item_N, stars_N = train
    star_arrays, star_scalars = fit_stars(user_N, item_N, stars_N, features, scale, stars, seed)
    arrays = item_arrays(network) | star_arrays
    newest_N = timestamp >= np.quantile(timestamp, 1 - RECENT_SHARE)
    for name, rows in (("num_ratings", item_N), ("num_recent", item_N[newest_N])):
        arrays[name] = np.bincount(rows, minlength=len(movies)).astype(np.int64)
    golden = golden_answers(network, movies, scale, arrays, star_scalars["mean"])
    arrays["star_item"] = arrays["star_item"].transpose(1, 0, 2)  # a movie's draws lie together
    extra = {
        "scale": list(scale),
        "history_length": network.config.history_length,
        "stars": star_scalars,
        "network": asdict(network.config),
    }
    return write_bundle(
        folder,
        manifest=manifest | extra,
        movies=movies,
        arrays=arrays,
        encoder=encoder_onnx(network),
        golden=golden,
        prove=prove,
    )


def check_exportable(config: NetworkConfig) -> None:
    """Raises InputError for a network that cannot be served: the classic user, or a deep MLP."""
    if config.user != "history":
        raise InputError(
            "this network knows people by a table (network.user: id), so it cannot serve a new "
            "person and is never exported; export a recipe with network.user: history"
        )
    if len(config.hidden_dims) != 1:
        raise InputError(
            f"network.hidden_dims {config.hidden_dims}: a bundle holds one hidden layer; "
            "train with one width, e.g. [16]"
        )


def item_arrays(network: NCF) -> dict[str, np.ndarray]:
    """The catalogue's half of the network, float32; see marquee/recommender/bundle.py for each array."""
    (vector_ID, bias_I), head = network.items(), network.head
    parts = {
        "item_vector": vector_ID,
        "item_gmf": head.item_gmf(vector_ID),
        "item_mlp": head.item_half(vector_ID),
        "mlp_out": head.out.weight[0],
        "item_bias": bias_I,
    }
    return {name: part.detach().numpy().copy() for name, part in parts.items()}


def encoder_onnx(network: NCF) -> bytes:
    """The ONNX graph, dynamic in persons and history length."""
    dim, batch, length = network.config.embedding_dim, torch.export.Dim("B"), torch.export.Dim("L")
    example = (torch.zeros(2, 3, dim), torch.zeros(2, 3, dtype=torch.int64), torch.tensor([3, 2]))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), deferred_signals():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            EncoderGraph(network).eval(),
            example,
            input_names=["entry_BLD", "star_BL", "length_B"],
            output_names=["user_gmf_BD", "user_mlp_BH"],
            dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}, {0: batch}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


@contextmanager
def deferred_signals() -> Iterator[None]:
    """SIGTERM and ctrl-C count when this is over: raised among torch.export's C++ frames, what
    their handlers raise would abort the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda n, _: heard.append(n)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for first in heard[:1]:
            signal.raise_signal(first)


def golden_answers(
    network: NCF,
    movies: Movies,
    scale: tuple[float, ...],
    arrays: dict[str, np.ndarray],
    mean_stars: float,
) -> list[dict[str, Any]]:
    """Requests with PyTorch's own answers: logits and stars of 20 movies, the ten best unseen."""
    num_ratings = arrays["num_ratings"]
    rng = np.random.default_rng(GOLDEN_SEED)
    chance = (num_ratings + 1) / (num_ratings + 1).sum()
    answers = []
    for number in range(NUM_GOLDEN):
        size = min(1 + 8 * number, network.config.history_length, max(1, len(movies) // 2))
        item_L = rng.choice(len(movies), size, replace=False, p=chance)
        star_L = rng.integers(0, len(scale) + 1, size)
        batch = {
            "item_BL": torch.from_numpy(item_L)[None],
            "star_BL": torch.from_numpy(star_L)[None],
            "length_B": torch.tensor([size]),
        }
        score_I = network.score(batch)[0].numpy()
        best = np.argsort(-score_I, kind="stable")
        asked = np.concatenate([best[:10], rng.choice(len(movies), min(10, len(movies)))])
        top = best[~np.isin(best, item_L)][:10]
        stars = [None if star == 0 else scale[star - 1] for star in star_L]
        over_L = np.array([0, *scale], np.float32)[star_L] - np.float32(mean_stars)
        expected = mean_stars + expected_over(arrays, item_L, over_L, star_L > 0, asked)
        ids = movies.movie_id
        answers.append(
            {
                "history": [[int(ids[i]), s] for i, s in zip(item_L, stars, strict=True)],
                "movie_ids": ids[asked].tolist(),
                "scores": score_I[asked].tolist(),
                "stars": np.clip(expected, scale[0], scale[-1]).tolist(),
                "top": ids[top].tolist(),
            }
        )
    return answers


def expected_over(
    arrays: dict[str, np.ndarray],
    item_L: np.ndarray,
    over_L: np.ndarray,
    rated_L: np.ndarray,
    asked: np.ndarray,
) -> np.ndarray:
    """Expected stars, over the mean, of one who watched `item_L` and gave `over_L` to some."""
    draws = Draws(**{own: torch.from_numpy(arrays[name]) for name, own in STAR_ARRAYS.items()})
    alone_L = torch.zeros(len(item_L), dtype=torch.int64)
    watched = Ratings(alone_L, torch.from_numpy(item_L), torch.from_numpy(over_L))
    given, asked_N = watched.where(torch.from_numpy(rated_L)), torch.from_numpy(asked)
    set_1C = implicit_features(draws.set_IC, given.user_N, given.item_N, 1)
    middle_SN = outlook(draws, given, set_1C, torch.zeros_like(asked_N), asked_N).middle
    return middle_SN.mean(0).numpy()
