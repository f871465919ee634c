"""Export: refused networks, and signals that come while torch exports a graph."""

import os
import signal

import pytest

from marquee.core.errors import InputError
from marquee.training.export.bundle import check_exportable
from marquee.training.export.graphs import deferred_signals
from models.config import NetworkConfig


def test_deferred_signals_raise_once_after_the_block() -> None:
    received: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == []
        assert received == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert len(received) == 2, "the previous handler is back"
    finally:
        signal.signal(signal.SIGTERM, previous)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param(NetworkConfig(user="id"), "cannot serve a new user", id="table-of-users"),
        pytest.param(NetworkConfig(hidden_dims=[16, 8]), "one hidden layer", id="deep-mlp"),
    ],
)
def test_check_exportable_refuses(config: NetworkConfig, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_exportable(config)
