"""The ONNX graph of an encoder: its inputs, its privacy, and stops during its export."""

import os
import signal
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from marquee.core.arrays import Sizes
from marquee.core.command import Terminated, sigterm_raises
from marquee.training.export.graphs import EncoderGraph, encoder_onnx
from models.config import NetworkConfig
from models.ncf import NCF
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> NCF:
    torch.manual_seed(0)
    config = NetworkConfig(embedding_dim=8, hidden_dims=[4], num_layers=1, features=["genres"])
    sizes = Sizes(num_users=3, num_items=5, num_genres=2, num_periods=2, num_rating_bins=5)
    return NCF(config, sizes).eval()


@pytest.fixture(scope="module")
def encoder(network: NCF) -> bytes:
    return encoder_onnx(network)


def test_encoder_onnx_equals_pytorch(network: NCF, encoder: bytes) -> None:
    entry_BLD = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    star_BL, length_B = torch.tensor([[1, 2, 3, 0]] * 3), torch.tensor([4, 1, 2])
    inputs = {"entry_BLD": entry_BLD, "star_BL": star_BL, "length_B": length_B}
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    outputs = onnxruntime.InferenceSession(encoder).run(None, arrays)
    with torch.no_grad():
        expected = EncoderGraph(network)(**inputs)
    for output, tensor in zip(outputs, expected, strict=True):
        assert np.allclose(output, tensor.numpy(), atol=1e-5)


def test_encoder_onnx_holds_no_paths_or_stack_traces(encoder: bytes) -> None:
    for text in (str(ROOT), "site-packages", ".py", "stack_trace"):
        assert text.encode() not in encoder, text
    graph = onnx.load_from_string(encoder).graph
    assert len(graph.node) > 10
    assert not any(node.doc_string or node.metadata_props for node in graph.node)


def test_sigterm_during_export_waits_for_its_end(
    network: NCF, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[str] = []

    def terminated_export(*args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        ends.append("after the signal")

    monkeypatch.setattr(torch.onnx, "export", terminated_export)
    with sigterm_raises(), pytest.raises(Terminated):
        encoder_onnx(network)
    assert ends == ["after the signal"]
