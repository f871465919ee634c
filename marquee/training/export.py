"""A trained network as a bundle: arrays, an ONNX graph of the history encoder, golden answers.

The graph holds the encoder and the user half of the head; everything that grows with the catalog
stays in plain arrays. Golden histories are drawn at random from the catalog: a bundle holds no
user. Their scores come from PyTorch, so loading a bundle proves that ONNX Runtime agrees.

Local letters: F attributes of an item, T targets.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import AnyFloat, Float32, Int64
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.recommender.bundle import RECENT_SHARE, read_bundle, write_bundle
from marquee.recommender.recommender import Recommender
from marquee.training.config import RunConfig
from marquee.training.run_folder import SelectionResult
from models.bpmf.data import CenteredRatings, PosteriorDraws, implicit_features
from models.bpmf.model import fit_rating_model
from models.bpmf.posterior import predict_pairs
from models.config import NetworkConfig
from models.history_encoder import HistoryEncoder
from models.ncf import NCF

NUM_GOLDEN = 4
GOLDEN_SEED = 20
NUM_BEST = 10  # targets of a golden answer: the best items, and as many drawn ones


class EncoderGraph(nn.Module):
    """The graph of encoder.onnx: from a history to the user's halves of the head."""

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
    folder: Path,
    network: NCF,
    *,
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
) -> None:
    """Write the bundle of a network; its rating model takes two minutes on ml-1m.

    data: as the network was trained on it. Replaces an older bundle only after its golden answers
    agree. Raises InputError for a network that cannot be served.
    """
    check_exportable(network.config)
    network, movies, scale = network.cpu().eval(), data.dataset.movies, data.dataset.scale
    histories = data.split.train_histories
    item_N = histories.item.astype(np.int64)
    rating_arrays, rating_scalars = fit_rating_model(
        user_N=histories.user,
        item_N=item_N,
        rating_N=histories.rating,
        feature_IX=data.feature_IF.numpy(),
        scale=scale,
        config=config.stars,
        seed=config.seed_everything,
    )
    arrays = item_arrays(network) | rating_arrays
    time_N = histories.timestamp
    is_recent_N = time_N >= np.quantile(time_N, 1 - RECENT_SHARE)
    arrays["num_ratings"] = np.bincount(item_N, minlength=len(movies))
    arrays["num_recent"] = np.bincount(item_N[is_recent_N], minlength=len(movies))
    golden = golden_answers(network, movies, scale, arrays, rating_scalars["mean"])
    arrays["star_item"] = arrays["star_item"].transpose(1, 0, 2)  # an item's draws are adjacent
    write_bundle(
        folder,
        manifest={
            **run_manifest(config, data, selection),
            "scale": list(scale),
            "history_length": network.config.history_length,
            "stars": rating_scalars,
            "network": asdict(network.config),
        },
        movies=movies,
        arrays=arrays,
        encoder=encoder_onnx(network),
        golden=golden,
        prove=Recommender.load,
    )


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
            "num_users": len(split.train_histories),
            "num_items": split.num_items,
            "num_ratings": len(split.train_histories.item),
        },
        "refit": data.refit,
        "sibling": sibling.manifest["model_version"] if sibling else None,
        "epochs": selection.epochs,
        "metrics": selection.validation,
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


def item_arrays(network: NCF) -> dict[str, np.ndarray]:
    """Return the item half, float32, as marquee/recommender/bundle.py lists it."""
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
    """Return the ONNX graph of the encoder, dynamic in users and history length."""
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
    ClearMetadataAndDocStringPass()(program.model)  # stack traces hold paths of this machine
    return bytes(program.model_proto.SerializeToString())


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer SIGTERM and ctrl-C to the end of the block.

    Raised among torch.export's C++ frames, their exceptions would abort the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    handlers = {
        number: signal.signal(number, lambda signum, _: deferred.append(signum))
        for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if deferred:
            signal.raise_signal(deferred[0])


def golden_answers(
    network: NCF,
    movies: Movies,
    scale: tuple[float, ...],
    arrays: Mapping[str, np.ndarray],
    mean_rating: float,
) -> list[dict[str, Any]]:
    """Return requests with PyTorch's own answers: logits, ratings, ten best unseen."""
    num_ratings_I, ids = arrays["num_ratings"], movies.movie_id
    rng = np.random.default_rng(GOLDEN_SEED)
    probability_I = (num_ratings_I + 1) / (num_ratings_I + 1).sum()
    answers = []
    for number in range(NUM_GOLDEN):
        size = min(1 + 8 * number, network.config.history_length, max(1, len(movies) // 2))
        item_L = rng.choice(len(movies), size, replace=False, p=probability_I)
        star_L = rng.integers(0, len(scale) + 1, size)
        batch = {
            "item_BL": torch.from_numpy(item_L)[None],
            "star_BL": torch.from_numpy(star_L)[None],
            "length_B": torch.tensor([size]),
        }
        score_I = network.score(batch)[0].numpy()
        best = np.argsort(-score_I, kind="stable")
        sample = rng.choice(len(movies), min(NUM_BEST, len(movies)))
        target_T = np.concatenate([best[:NUM_BEST], sample])
        top = best[~np.isin(best, item_L)][:NUM_BEST]
        rating_L = np.array([np.nan, *scale], np.float32)[star_L]
        rating_T = expected_ratings(arrays, mean_rating, item_L, rating_L, target_T)
        ratings = [None if star == 0 else scale[star - 1] for star in star_L]
        answers.append(
            {
                "history": [[int(ids[i]), r] for i, r in zip(item_L, ratings, strict=True)],
                "movie_ids": ids[target_T].tolist(),
                "scores": score_I[target_T].tolist(),
                "stars": np.clip(rating_T, scale[0], scale[-1]).tolist(),
                "top": ids[top].tolist(),
            }
        )
    return answers


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
