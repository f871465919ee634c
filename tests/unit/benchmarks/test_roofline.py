"""The lower bound of a training step: operations by shape, and bytes."""

import pytest
import torch

from benchmarks.training import roofline
from models.config import NetworkConfig

NEUMF = NetworkConfig(user="id", embedding_dim=8, hidden_dims=[16, 2], num_heads=1, features=[])


def test_pairs_products_split_the_first_layer() -> None:
    products = roofline.pairs_products(NEUMF, num_examples=100, num_users=10, num_items=20)
    assert products == {
        (10, 4, 16): 6 * 10 * 4 * 16,  # the MLP's half of each user, once
        (20, 4, 16): 6 * 20 * 4 * 16,  # and of each item
        (100, 16, 2): 6 * 100 * 16 * 2,
        (100, 2, 1): 6 * 100 * 2,
    }


def test_pairs_bound_adds_products_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def product_rate(m: int, k: int, n: int, dtype: torch.dtype) -> float:
        return 2e9

    def copy_rate(size: int) -> float:
        return 1e9 if size == 16 * 1000 else 4e9

    monkeypatch.setattr(roofline, "product_rate", product_rate)
    monkeypatch.setattr(roofline, "copy_rate", copy_rate)
    bound = roofline.pairs_bound(
        NEUMF,
        num_parameters=1000,
        num_examples=100,
        num_users=10,
        num_items=20,
        dtype=torch.float32,
    )
    assert bound.products_s == pytest.approx((30 * 6 * 4 * 16 + 6 * 100 * 34) / 2e9)
    state, rows = 4 * 8 * 1000, 4 * 3 * (4 + 16) * 110
    assert bound.bytes_s == pytest.approx(state / 1e9 + rows / 4e9)
    assert bound.gflops == pytest.approx(2)
    assert bound.seconds == bound.products_s + bound.bytes_s
