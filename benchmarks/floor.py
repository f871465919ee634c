"""The least time that a training step of our networks could take on this machine.

    floor = sum over products of 6 m k n / rate(m, k, n)  +  bytes / rate of a copy

A product (m, k) @ (k, n) is made three times in training: forward, for the gradient of its input
and for that of its weights. The sizes come from the recipe's network and from the batches of the
run; the rates are measured here, on bare `torch.mm` of the same shapes and `copy_` of arrays of the
same size. Bytes of the history network: its parameters and their moments, and the activations that
layers keep. Bytes of NeuMF: its parameters and their moments, and the rows that pairs look up; what
its layers keep need never leave the cache, as each pair can be finished by itself. Not in it:
exponentials, dropout, norms' arithmetic, drawing of batches, and what Python costs.

Shapes: P positions with a target, L entries, D embedding, H first hidden layer, C candidates.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from models.lightning_module import LearningConfig
from models.ncf import NetworkConfig, Sizes

TIMES_A_PARAMETER = 8
"""Floats moved: its gradient written; parameter, gradient and two moments read, three written."""
TIMES_AN_ACTIVATION = 4
"""Written and read once for the loss, its gradient written and read once."""
TIMES_A_ROW = 3
"""A looked-up row is read, its gradient read and written."""
KEPT_A_LAYER = 12
"""Vectors of D floats that a layer keeps for its gradients: input, norm, query, key, value,
attention's answer, sum, norm, and two twice as wide in the feed-forward net."""

Products = Counter[tuple[int, int, int]]
"""Operations by shape (m, k, n)."""
NO_CACHE = 1 << 27
"""Floats of arrays that no cache holds."""


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


def history_floor(
    network: NetworkConfig,
    learning: LearningConfig,
    sizes: Sizes,
    num_parameters: int,
    batches: Batches,
    dtype: torch.dtype,
) -> Floor:
    """The floor of one step; products at the rate of `dtype`, bytes as float32."""
    layer_floats = KEPT_A_LAYER * batches.positions * network.embedding_dim
    floats = TIMES_A_PARAMETER * num_parameters
    floats += TIMES_AN_ACTIVATION * network.num_layers * layer_floats
    products = history_products(network, learning, sizes, batches)
    return least(products, [(floats, NO_CACHE)], dtype)


def pairs_floor(
    network: NetworkConfig,
    num_parameters: int,
    examples: float,
    num_users: float,
    movies: float,
    dtype: torch.dtype,
) -> Floor:
    """The same of NeuMF; `people` and `movies` are the different ones of a batch."""
    row = network.embedding_dim // 2 + network.hidden_dims[0]
    # Parameters, gradients and two moments; rows of movies and their gradients.
    state = TIMES_A_PARAMETER * num_parameters, 4 * num_parameters
    rows = TIMES_A_ROW * row * (examples + num_users), 2 * row * movies
    return least(pairs_products(network, examples, num_users, movies), [state, rows], dtype)


def least(products: Products, moved: list[tuple[float, float]], dtype: torch.dtype) -> Floor:
    """moved: floats, and the size in floats of the arrays that they lie in, which tells the cache
    that may hold them and so the rate."""
    products_s = sum(flop / product_rate(*shape, dtype) for shape, flop in products.items())
    bytes_s = sum(4 * floats / copy_rate(round(4 * size)) for floats, size in moved)
    total = 4 * sum(floats for floats, _ in moved)
    gflops = sum(products.values()) / products_s / 1e9
    return Floor(products_s, bytes_s, gflops, total / bytes_s / 1e9)


def pairs_products(
    network: NetworkConfig, examples: float, num_users: float, movies: float
) -> Products:
    """Floating-point operations of a step of NeuMF by shape (m, k, n), forward and backward.

    The first layer of the MLP is split: its half of a movie is made once for the movies of a batch,
    that of a person once for its people. The outputs of layers are moved by the products, whose
    rates are measured with that. The product part has no matrix product: its operations are done
    while rows are moved.
    """
    D, products = network.embedding_dim - network.embedding_dim // 2, Products()
    first, *deeper = network.hidden_dims
    for rows in (num_users, movies):
        products[round(rows), D, first] += 6 * rows * D * first
    for k, n in pairwise([first, *deeper, 1]):
        products[round(examples), k, n] += 6 * examples * k * n
    return products


def history_products(
    network: NetworkConfig, learning: LearningConfig, sizes: Sizes, batches: Batches
) -> Products:
    """The same of a step of the history network."""
    P, C = round(batches.positions), round(batches.candidates)
    D, H = network.embedding_dim, network.hidden_dims[0]
    some = round(learning.mlp_share * P)
    head = D // network.num_heads
    products = Products()

    def add(m: int, k: int, n: int, flop: float) -> None:
        products[m, k, n] += flop

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
    return products


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


def copy_rate(size: int) -> float:
    """Bytes read and written a second by a copy from one half of `size` bytes to the other."""
    source = torch.ones(max(1, size // 8))
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_time(lambda: target.copy_(source))


def best_time(call: Callable[[], object], least_s: float = 0.05, rounds: int = 3) -> float:
    """CPU seconds of the fastest of the rounds: what else runs on the machine only makes it slower.
    Of one thread, as the steps that are compared with it."""
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
