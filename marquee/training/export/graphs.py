"""The two ONNX graphs of a bundle: the history encoder, and the content of an item.

encoder.onnx holds the encoder and the user half of the head; item_content.onnx leads from the
attributes of an item to its vectors. All else that grows with the catalog stays in plain arrays.

Local letters: W values of an item in one category, X numbers of a row.
"""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from datamodules.item_features import FIRST_YEAR, NUM_PERIODS, PERIOD_YEARS
from marquee.core.feature_encodings import CategoryEncoding, FeatureSpace, width
from marquee.recommender.encoder import INPUTS, OUTPUTS, USER_INPUT
from marquee.recommender.item_content import FEATURE_PREFIX, UNKNOWN_YEAR
from models.bpmf.model import ItemPrior
from models.history_encoder import HistoryEncoder
from models.item_tower import genre_shares
from models.ncf import NCF

ITEM_ARRAYS = ("item_vector", "item_gmf", "item_mlp", "item_bias")


class EncoderGraph(nn.Module):
    """The graph of encoder.onnx: from a history to the user's halves of the head."""

    def __init__(self, network: NCF) -> None:
        super().__init__()
        assert isinstance(network.user, HistoryEncoder)
        self.user, self.head = network.user, network.head

    def forward(
        self, entry_BLD: Tensor, star_BL: Tensor, length_B: Tensor, user_BX: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        user_BD = self.user.last(entry_BLD, star_BL, length_B, user_BX)
        return user_BD, self.head.user_half(user_BD)


class ItemContentGraph(nn.Module):
    """The graph of item_content.onnx: from attributes to arrays of an item.

    The arrays have no id part. With a rating model, the prior of an item that nobody has rated is
    one more output.
    """

    star_weight_SXE: Tensor
    star_noise_SE: Tensor

    def __init__(self, network: NCF, features: FeatureSpace, prior: ItemPrior | None) -> None:
        super().__init__()
        self.items, self.head, self.features = network.items, network.head, features.item
        if prior is not None:
            self.register_buffer("star_weight_SXE", prior.weight_SXE.clone())
            self.register_buffer("star_noise_SE", prior.noise_SE.clone())
        self.has_ratings = prior is not None

    def forward(
        self, genre_BG: Tensor, year_B: Tensor, title_BT: Tensor, feature_inputs: list[Tensor]
    ) -> tuple[Tensor, ...]:
        share_BG, period_B = genre_shares(genre_BG), release_period(year_B)
        vector_BD = self.content(share_BG, period_B, title_BT, feature_inputs)
        bias_B = torch.zeros_like(vector_BD[:, 0])
        if self.items.features:
            bias_B = vector_BD @ self.items.feature_bias
        arrays = item_arrays(self.head, vector_BD, bias_B)
        if self.has_ratings:
            arrays = *arrays, self.star_item(share_BG, period_B, title_BT)
        return arrays

    def content(
        self, share_BG: Tensor, period_B: Tensor, title_BT: Tensor, feature_inputs: list[Tensor]
    ) -> Tensor:
        """Return the content part of item vectors, as `ItemTower.content` does."""
        items = self.items
        vector_BD = torch.zeros(share_BG.shape[0], items.item.weight.shape[1])  # len is a constant
        if "genres" in items.features:
            vector_BD = vector_BD + share_BG @ items.genre.weight
        if "period" in items.features:
            vector_BD = vector_BD + items.period.weight[period_B]
        if "text" in items.features:
            vector_BD = vector_BD + items.text(title_BT)
        table_row = column = 0
        for encoding, values in zip(self.features, feature_inputs, strict=True):
            if isinstance(encoding, CategoryEncoding):
                is_value_BW = (values > 0).float()
                value_BWD = items.value.weight[table_row + values] * is_value_BW[..., None]
                vector_BD = vector_BD + value_BWD.sum(1) / is_value_BW.sum(1, keepdim=True).clamp(1)
                table_row += encoding.num_rows
            else:
                columns = slice(column, column + width(encoding))
                vector_BD = vector_BD + values @ items.dense.weight[:, columns].T
                column = columns.stop
        return vector_BD

    def star_item(self, share_BG: Tensor, period_B: Tensor, title_BT: Tensor) -> Tensor:
        """Return (B, S, E) draws of the rating vector (models/bpmf/model.py)."""
        weight_SXE, (G, Y) = self.star_weight_SXE, (share_BG.shape[1], NUM_PERIODS)
        genre_SGE, period_SYE = weight_SXE[:, 1 : 1 + G], weight_SXE[:, 1 + G : 1 + G + Y]
        text_STE = weight_SXE[:, 1 + G + Y :]
        draw_BSE = torch.einsum("bg,sge->bse", share_BG, genre_SGE)
        draw_BSE = draw_BSE + period_SYE.transpose(0, 1)[period_B]
        draw_BSE = draw_BSE + torch.einsum("bt,ste->bse", title_BT, text_STE)
        return draw_BSE + weight_SXE[:, 0] + self.star_noise_SE


def release_period(year_B: Tensor) -> Tensor:
    """Return rows of release periods, as `item_features.release_periods`."""
    row_B = 1 + ((year_B.float() - FIRST_YEAR) / PERIOD_YEARS).floor().long()
    is_known_B = (year_B != UNKNOWN_YEAR).long()
    return row_B.clamp(1, NUM_PERIODS - 1) * is_known_B


def item_arrays(head: Any, vector_ID: Tensor, bias_I: Tensor) -> tuple[Tensor, ...]:
    """Return what a bundle holds of items, in the order of ITEM_ARRAYS."""
    return vector_ID, head.item_gmf(vector_ID), head.item_half(vector_ID), bias_I


def encoder_onnx(network: NCF) -> bytes:
    """Return the ONNX graph of the encoder, dynamic in users and history length."""
    dim, batch, length = network.config.embedding_dim, torch.export.Dim("B"), torch.export.Dim("L")
    example = [torch.zeros(2, 3, dim), torch.zeros(2, 3, dtype=torch.int64), torch.tensor([3, 2])]
    shapes: list[Any] = [{0: batch, 1: length}, {0: batch, 1: length}, {0: batch}]
    inputs = list(INPUTS)
    assert isinstance(network.user, HistoryEncoder)
    if network.user.features is not None:
        example.append(torch.zeros(2, network.user.features.in_features))
        shapes.append({0: batch})
        inputs.append(USER_INPUT)
    return to_onnx(EncoderGraph(network), tuple(example), tuple(shapes), inputs, OUTPUTS)


def item_content_onnx(graph: ItemContentGraph, features: FeatureSpace, text_dim: int) -> bytes:
    """Return the ONNX graph of item content, dynamic in items and categories."""
    batch, inputs = torch.export.Dim("B"), ["genres", "year", "title"]
    example = [
        torch.zeros(2, max(1, len(features.genres))),
        torch.tensor([1999, UNKNOWN_YEAR]),
        torch.zeros(2, text_dim),
    ]
    feature_examples, feature_shapes = [], []
    for n, encoding in enumerate(features.item):
        inputs.append(FEATURE_PREFIX + encoding.name)
        if isinstance(encoding, CategoryEncoding):
            feature_examples.append(torch.zeros(2, 3, dtype=torch.int64))
            feature_shapes.append({0: batch, 1: torch.export.Dim(f"W{n}")})
        else:
            feature_examples.append(torch.zeros(2, width(encoding)))
            feature_shapes.append({0: batch})
    shapes = ({0: batch}, {0: batch}, {0: batch}, feature_shapes)
    outputs = [*ITEM_ARRAYS, *(["star_item"] if graph.has_ratings else [])]
    return to_onnx(graph, (*example, feature_examples), shapes, inputs, outputs)


def to_onnx(
    graph: nn.Module,
    example: tuple[Any, ...],
    dynamic_shapes: tuple[Any, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> bytes:
    """Return a module as an ONNX model without paths of this machine."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), deferred_signals():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.eval(),
            example,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_shapes=dynamic_shapes,
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
