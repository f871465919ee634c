"""The loss of pairs: its value by hand, and every gradient beside plain autograd's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.loaders import NegativeSampler, training_pairs
from marquee.core.arrays import Sizes
from models import neumf_head, pairwise_bce
from models.config import NetworkConfig
from models.lightning_module import RankingModule
from models.pairwise_bce import pair_loss

SIZES = Sizes(num_users=5, num_items=7, num_genres=1, num_periods=1, num_rating_bins=5)
USER_P = torch.tensor([0, 4, 4, 1, 3, 2, 0])
ITEM_KP = torch.tensor([[0, 1, 2, 3, 6, 5, 6], [3, 3, 0, 1, 5, 0, 0], [3, 0, 5, 1, 2, 2, 1]])


def classic(hidden_dims: list[int], gmf: bool = True) -> RankingModule:
    torch.manual_seed(0)
    config = NetworkConfig(
        user="id", embedding_dim=8, hidden_dims=hidden_dims, features=[], gmf=gmf
    )
    module = RankingModule(SIZES, config)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def expected_loss(module: RankingModule, user_P: Tensor, item_KP: Tensor) -> Tensor:
    """Logits as `score` has them, then PyTorch's own cross-entropy."""
    network = module.network
    vector_ID, bias_I = network.items()
    user_PD, head = network.user(user_P), network.head
    logit_PI = head.gmf(user_PD, vector_ID) + head.mlp(user_PD, vector_ID) + bias_I
    label_KP = torch.zeros(item_KP.shape)
    label_KP[0] = 1
    return F.binary_cross_entropy_with_logits(logit_PI.gather(1, item_KP.T).T, label_KP)


def test_pair_loss_is_mean_log_likelihood() -> None:
    zeros, ones = torch.zeros(2, 1), torch.zeros(1, 1)
    bias_I = torch.tensor([np.log(3.0), 0.0], dtype=torch.float32)
    parts = zeros, zeros, zeros, zeros, bias_I, torch.tensor([[0, 1], [1, 0]])
    loss = pair_loss(*parts, [ones])
    assert loss.item() == pytest.approx(-(np.log(3 / 4) + 2 * np.log(1 / 2) + np.log(1 / 4)) / 4)


@pytest.mark.parametrize("pairs_per_block", [1, 6, 7, 1000])  # 1, 2 and 2 users a block, and all
@pytest.mark.parametrize(
    ("hidden_dims", "gmf"),
    [
        pytest.param([4], True, id="one-layer"),
        pytest.param([4, 2], True, id="two-layers"),
        pytest.param([6, 5, 3], True, id="three-layers"),
        pytest.param([4, 2], False, id="without-the-product"),
    ],
)
def test_pair_loss_gradients_equal_autograd(
    hidden_dims: list[int], gmf: bool, pairs_per_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pairwise_bce.PAIRS_PER_BLOCK, "cpu", pairs_per_block)
    module = classic(hidden_dims, gmf)
    parameters = dict(module.named_parameters())
    expected = expected_loss(module, USER_P, ITEM_KP)
    loss, count = module.pairs_loss({"user_B": USER_P, "item_MB": ITEM_KP})
    assert count == ITEM_KP.numel()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    expected_gradients = torch.autograd.grad(3 * expected, list(parameters.values()))
    gradients = torch.autograd.grad(3 * loss, list(parameters.values()))
    for name, a, b in zip(parameters, expected_gradients, gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-6), name


def test_pair_loss_under_autocast_is_float32() -> None:
    module = classic([4, 2])
    batch = {"user_B": USER_P, "item_MB": ITEM_KP}
    exact, _ = module.pairs_loss(batch)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = module.pairs_loss(batch)
    loss.backward()
    assert loss.item() == pytest.approx(exact.item(), rel=0.01)
    assert module.network.user.user.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("floats", [1, 12, 30, 1 << 18])
def test_ncf_score_in_blocks_equals_all_pairs(floats: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks are the same too: no block moves a score by as much as two movies differ."""
    monkeypatch.setitem(neumf_head.HIDDEN_FLOATS_PER_BLOCK, "cpu", floats)
    network = classic([4, 2]).network.eval()
    with torch.no_grad():
        vector_ID, bias_I = network.items()
        user_BD, head = network.user(torch.arange(5)), network.head
        expected = head.gmf(user_BD, vector_ID) + head.mlp(user_BD, vector_ID) + bias_I
        score_BI = network.score({"user_B": torch.arange(5)})
    assert torch.allclose(score_BI, expected, atol=1e-5)
    assert torch.equal(score_BI.argsort(1), expected.argsort(1))


@pytest.mark.parametrize("max_bytes", [0, 1 << 10], ids=["searched", "table"])
def test_negative_sampler_knows_positives_exactly(
    max_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_pairs, "MAX_TABLE_BYTES", max_bytes)
    user_N, item_N = torch.tensor([2, 0, 2, 1, 4]), torch.tensor([6, 0, 0, 5, 6])
    sampler = NegativeSampler(user_N, item_N, 5, 7)
    assert (sampler.bits is None) == (max_bytes == 0)
    all_pairs = torch.cartesian_prod(torch.arange(5), torch.arange(7))
    positives = all_pairs[sampler.is_positive(all_pairs[:, 0], all_pairs[:, 1])]
    assert positives.tolist() == [[0, 0], [1, 5], [2, 0], [2, 6], [4, 6]]


def test_negative_sampler_draws_no_training_pair() -> None:
    user_N, item_N = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2])
    sampler = NegativeSampler(user_N, item_N, 2, 3)
    drawn_B = sampler.sample(torch.tensor([0, 1]).repeat(100), torch.Generator().manual_seed(0))
    assert set(drawn_B[0::2].tolist()) == {2}
    assert set(drawn_B[1::2].tolist()) == {0, 1}
