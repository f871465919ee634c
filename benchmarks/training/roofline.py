"""A lower bound of the time of a training step of our networks on this machine.

    bound = sum over products of 6 m k n / rate(m, k, n)  +  bytes / rate of a copy

A product (m, k) @ (k, n) is computed three times in training: forward, for the gradient of its
input and for that of its weights. The sizes come from the recipe's network and from the batches of
the run. The rates are measured here, on bare `torch.mm` of the same shapes and `copy_` of arrays of
the same size. Bytes of the history network: its parameters and their moments, and the activations
that layers store. Bytes of NeuMF: its parameters and their moments, and the rows that pairs look
up; its activations need never leave the cache, as each pair can be finished by itself. Not in the
bound: exponentials, dropout, the arithmetic of norms, drawing of batches, and Python itself.

Local letters: P positions with a target.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from marquee.core.arrays import Sizes
from models.config import LearningConfig, NetworkConfig

MOVES_PER_PARAMETER = 8
"""Floats moved: its gradient written; parameter, gradient and two moments read, three written."""
MOVES_PER_ACTIVATION = 4
"""Written and read once for the loss, its gradient written and read once."""
MOVES_PER_ROW = 3
"""A looked-up row is read, its gradient read and written."""
VECTORS_PER_LAYER = 12
"""Vectors of D floats that a layer stores for its gradients: input, norm, query, key, value,
output of the attention, sum, norm, and two of twice the width in the feed-forward net."""

Products = Counter[tuple[int, int, int]]
"""Operations by shape (m, k, n)."""
UNCACHED_SIZE = 1 << 27
"""Floats of arrays that no cache holds."""
BLOCK_HEIGHTS = (256, 1024, 4096, 16384)
"""Rows of the products that are timed; the best one counts."""


@dataclass(frozen=True)
class Batches:
    """Means over the batches of a run."""

    positions: float
    candidates: float
    squares: float
    """Sum over the windows of a batch of their squared lengths: the pairs of the attention."""


@dataclass(frozen=True, kw_only=True)
class StepBound:
    """A lower bound of the seconds of a step, and the rates that it assumes."""

    products_s: float
    bytes_s: float
    gflops: float
    """Rate of all products together."""
    gb_s: float

    @property
    def seconds(self) -> float:
        return self.products_s + self.bytes_s


def history_bound(
    network: NetworkConfig,
    learning: LearningConfig,
    sizes: Sizes,
    num_parameters: int,
    batches: Batches,
    dtype: torch.dtype,
) -> StepBound:
    """Return the bound of one step; products at the rate of `dtype`, bytes as float32."""
    layer_floats = VECTORS_PER_LAYER * batches.positions * network.embedding_dim
    floats = MOVES_PER_PARAMETER * num_parameters
    floats += MOVES_PER_ACTIVATION * network.num_layers * layer_floats
    products = history_products(network, learning, sizes, batches)
    return bound(products, [(floats, UNCACHED_SIZE)], dtype)


def pairs_bound(
    network: NetworkConfig,
    num_parameters: int,
    num_examples: float,
    num_users: float,
    num_items: float,
    dtype: torch.dtype,
) -> StepBound:
    """Return the bound of NeuMF; num_users, num_items: the different ones of a batch."""
    row = network.embedding_dim // 2 + network.hidden_dims[0]
    # Parameters, gradients and two moments; rows of items and their gradients.
    state = MOVES_PER_PARAMETER * num_parameters, 4 * num_parameters
    rows = MOVES_PER_ROW * row * (num_examples + num_users), 2 * row * num_items
    products = pairs_products(network, num_examples, num_users, num_items)
    return bound(products, [state, rows], dtype)


def bound(products: Products, moves: list[tuple[float, float]], dtype: torch.dtype) -> StepBound:
    """Return the bound of products and moves.

    moves: floats that are moved, and the size in floats of the arrays that hold them, which decides
    on the cache and so on the rate.
    """
    products_s = sum(flop / product_rate(*shape, dtype) for shape, flop in products.items())
    bytes_s = sum(4 * floats / copy_rate(round(4 * size)) for floats, size in moves)
    num_bytes = 4 * sum(floats for floats, _ in moves)
    return StepBound(
        products_s=products_s,
        bytes_s=bytes_s,
        gflops=sum(products.values()) / products_s / 1e9,
        gb_s=num_bytes / bytes_s / 1e9,
    )


def pairs_products(
    network: NetworkConfig, num_examples: float, num_users: float, num_items: float
) -> Products:
    """Return the floating-point operations of a step of NeuMF by shape.

    The step is forward and backward. The first layer of the MLP is split: its item half is computed
    once for the items of a batch, its user half once for the users. The outputs of layers are moved
    by the products, whose rates are measured with that. The product part has no matrix product: its
    operations run while rows are moved.
    """
    D, products = network.embedding_dim - network.embedding_dim // 2, Products()
    first, *deeper = network.hidden_dims
    for rows in (num_users, num_items):
        products[round(rows), D, first] += 6 * rows * D * first
    for k, n in pairwise([first, *deeper, 1]):
        products[round(num_examples), k, n] += 6 * num_examples * k * n
    return products


def history_products(
    network: NetworkConfig, learning: LearningConfig, sizes: Sizes, batches: Batches
) -> Products:
    """Return the floating-point operations of a step of the history network by shape."""
    P, C = round(batches.positions), round(batches.candidates)
    D, H = network.embedding_dim, network.hidden_dims[0]
    num_fused = round(learning.mlp_share * P)
    head = D // network.num_heads
    products = Products()

    def add(m: int, k: int, n: int, flop: float) -> None:
        products[m, k, n] += flop

    # query-key-value, merge, feed-forward
    for k, n in ((D, 3 * D), (D, D), (D, 2 * D), (2 * D, D)):
        add(P, k, n, network.num_layers * 6 * P * k * n)
    # Two products a pair of entries, and half of the pairs lie in the future.
    add(
        network.history_length,
        head,
        network.history_length,
        network.num_layers * 6 * batches.squares * D,
    )
    add(P, D, C, 6 * P * D * C)
    for m in (num_fused, C):
        add(max(1, m), D, H, 6 * m * D * H)
    add(P, D, C, 6 * num_fused * C * H)  # the MLP's output; at the rate of the large product
    for width, feature in ((sizes.num_genres, "genres"), (sizes.text_dim, "text")):
        if feature in network.features and width:
            add(sizes.num_items, width, D, 4 * sizes.num_items * width * D)  # no gradient of inputs
    return products


def product_rate(m: int, k: int, n: int, dtype: torch.dtype) -> float:
    """Return operations a second of the three products of training."""
    return max(_rate(min(m, rows), k, n, dtype) for rows in BLOCK_HEIGHTS)


def _rate(m: int, k: int, n: int, dtype: torch.dtype) -> float:
    x, w, g = (torch.randn(shape).to(dtype) for shape in ((m, k), (k, n), (m, n)))
    y, x_grad, w_grad = torch.empty_like(g), torch.empty_like(x), torch.empty_like(w)

    def train() -> None:
        torch.mm(x, w, out=y)
        torch.mm(g, w.T, out=x_grad)
        torch.mm(x.T, g, out=w_grad)

    return 6 * m * k * n / best_time(train)


def copy_rate(size: int) -> float:
    """Return bytes a second, read and written, of a copy within `size` bytes."""
    source = torch.ones(max(1, size // 8))
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_time(lambda: target.copy_(source))


def best_time(call: Callable[[], object], least_s: float = 0.05, rounds: int = 3) -> float:
    """Return the CPU seconds of the fastest round.

    Other load only makes a round slower. One thread, as in the steps that are compared with it.
    """
    call()
    start = time.process_time()
    call()
    repeats = max(1, round(least_s / max(time.process_time() - start, 1e-7)))
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(repeats):
            call()
        times.append((time.process_time() - start) / repeats)
    return min(times)
