"""The least time that a training step of the history network could take on this machine.

    floor = sum over products of 6 m k n / rate(m, k, n)  +  bytes / copy rate

A product (m, k) @ (k, n) is made three times in training: forward, for the gradient of its input
and for that of its weights. The sizes come from the recipe's network and from the batches of the
run; the rates are measured here, on bare `torch.mm` of the same shapes and one `copy_`. Not in it:
exponentials, dropout, norms' arithmetic, gathers, drawing of batches, and what Python costs.

Shapes: P positions with a target, L entries, D embedding, H first hidden layer, C candidates.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.module import LearningConfig
from models.ncf import NetworkConfig, Sizes

TIMES_A_PARAMETER = 8
"""Floats moved: its gradient written; parameter, gradient and two moments read, three written."""
TIMES_AN_ACTIVATION = 4
"""Written and read once for the loss, its gradient written and read once."""
KEPT_A_LAYER = 12
"""Vectors of D floats that a layer keeps for its gradients: input, norm, query, key, value,
attention's answer, sum, norm, and two twice as wide in the feed-forward net."""


@dataclass(frozen=True)
class Batches:
    """Means over the batches of a run."""

    positions: float
    candidates: float
    squares: float
    """Sum over the windows of a batch of their squared lengths: the pairs attention looks at."""


@dataclass(frozen=True)
class Floor:
    products_s: float
    bytes_s: float
    gflops: float
    """Rate of all products together."""
    gb_s: float

    @property
    def seconds(self) -> float:
        return self.products_s + self.bytes_s


def floor(
    network: NetworkConfig,
    learning: LearningConfig,
    sizes: Sizes,
    num_parameters: int,
    batches: Batches,
    dtype: torch.dtype,
) -> Floor:
    """The floor of one step; products at the rate of `dtype`, bytes as float32."""
    flop, seconds = 0.0, 0.0
    for (m, k, n), made in products(network, learning, sizes, batches).items():
        flop += made
        seconds += made / product_rate(m, k, n, dtype)
    layer_floats = KEPT_A_LAYER * batches.positions * network.embedding_dim
    floats = TIMES_A_PARAMETER * num_parameters
    floats += TIMES_AN_ACTIVATION * network.num_layers * layer_floats
    rate = copy_rate()
    return Floor(seconds, 4 * floats / rate, flop / seconds / 1e9, rate / 1e9)


def products(
    network: NetworkConfig, learning: LearningConfig, sizes: Sizes, batches: Batches
) -> dict[tuple[int, int, int], float]:
    """Floating-point operations of a step by shape (m, k, n), forward and backward."""
    P, C = round(batches.positions), round(batches.candidates)
    D, H = network.embedding_dim, network.hidden_dims[0]
    some = round(learning.mlp_share * P)
    head = D // network.num_heads
    found: dict[tuple[int, int, int], float] = {}

    def add(m: int, k: int, n: int, flop: float) -> None:
        found[m, k, n] = found.get((m, k, n), 0) + flop

    for k, n in (
        (D, 3 * D),
        (D, D),
        (D, 2 * D),
        (2 * D, D),
    ):  # query-key-value, merge, feed-forward
        add(P, k, n, network.num_layers * 6 * P * k * n)
    # Two products a pair of entries, and half of the pairs lie in the future.
    add(
        network.history_length,
        head,
        network.history_length,
        network.num_layers * 6 * batches.squares * D,
    )
    add(P, D, C, 6 * P * D * C)
    for m in (some, C):
        add(max(1, m), D, H, 6 * m * D * H)
    add(P, D, C, 6 * some * C * H)  # the MLP's output; at the rate of the large product
    for width, feature in ((sizes.num_genres, "genres"), (sizes.text_dim, "text")):
        if feature in network.features and width:
            add(sizes.num_items, width, D, 4 * sizes.num_items * width * D)  # no gradient of inputs
    return found


def product_rate(m: int, k: int, n: int, dtype: torch.dtype) -> float:
    """Operations a second of the three products of training, at the best of four block heights."""
    return max(_rate(min(m, rows), k, n, dtype) for rows in (256, 1024, 4096, 16384))


def _rate(m: int, k: int, n: int, dtype: torch.dtype) -> float:
    x, w, g = (torch.randn(shape).to(dtype) for shape in ((m, k), (k, n), (m, n)))
    y, x_grad, w_grad = torch.empty_like(g), torch.empty_like(x), torch.empty_like(w)

    def train() -> None:
        torch.mm(x, w, out=y)
        torch.mm(g, w.T, out=x_grad)
        torch.mm(x.T, g, out=w_grad)

    return 6 * m * k * n / best_time(train)


def copy_rate(size: int = 1 << 28) -> float:
    """Bytes read and written a second by a copy that no cache holds."""
    source = torch.ones(size // 4)
    target = torch.empty_like(source)
    return 2 * size / best_time(lambda: target.copy_(source))


def best_time(call: Callable[[], object], least_s: float = 0.05, rounds: int = 3) -> float:
    """Seconds of the fastest of the rounds: what else runs on the machine only makes it slower."""
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, round(least_s / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        times.append((time.perf_counter() - start) / repeats)
    return min(times)
