"""The network: what depends on what, its arithmetic, and that it learns."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from marquee.core.arrays import Sizes
from marquee.evaluation.ranker import mask_pairs
from models import losses
from models.config import LearningConfig, NetworkConfig
from models.history_encoder import Dropout
from models.lightning_module import RankingModule
from models.losses import binary_loss, catalog_softmax, softmax_loss
from models.ncf import NCF

SIZES = Sizes(num_users=5, num_items=7, num_genres=3, num_periods=4, num_rating_bins=5, text_dim=2)
SMALL = NetworkConfig(embedding_dim=8, history_length=6, dropout=0.0, hidden_dims=[4])
CLASSIC = NetworkConfig(user="id", embedding_dim=8, hidden_dims=[4, 2], features=[])

CONTENT = {
    "genre_IG": torch.eye(7, 3),
    "period_I": torch.arange(7) % 4,
    "text_IT": torch.eye(7, 2),
}
NUM_RATINGS = torch.tensor([3, 0, 1, 1, 1, 1, 1])


def network(config: NetworkConfig = SMALL) -> NCF:
    torch.manual_seed(0)
    net = NCF(config, SIZES)
    for parameter in net.parameters():  # the zero start of the MLP would hide its path
        torch.nn.init.normal_(parameter, std=0.3)
    net.items.set_features(CONTENT, NUM_RATINGS)
    return net.eval()


def make_batch(items: list[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, items))
    item_BL = torch.tensor([row + [0] * (longest - len(row)) for row in items])
    return {
        "item_BL": item_BL,
        "star_BL": torch.zeros_like(item_BL),
        "length_B": torch.tensor([len(row) for row in items]),
    }


def test_ncf_score_equals_formula() -> None:
    net = network()
    with torch.no_grad():
        vector_ID, bias_I = net.items()
        user_D = net.user_vectors(make_batch([[1, 2]]), vector_ID)[0]
        expected = []
        for i in range(7):
            gmf = (user_D * vector_ID[i] * net.head.weight_D).sum()
            pair_vector = torch.cat([user_D, vector_ID[i]])
            first = torch.cat([net.head.user_half.weight, net.head.item_half.weight], 1)
            mlp = net.head.out(torch.relu(first @ pair_vector + net.head.item_half.bias))[0]
            expected.append(gmf + mlp + bias_I[i])
        assert torch.allclose(net.score(make_batch([[1, 2]]))[0], torch.stack(expected), atol=1e-5)


def test_ncf_score_ignores_padding_and_batch() -> None:
    net = network()
    with torch.no_grad():
        together = net.score(make_batch([[1, 2], [3, 4, 5, 6, 1], [0]]))
        for row, items in enumerate([[1, 2], [3, 4, 5, 6, 1], [0]]):
            assert torch.allclose(net.score(make_batch([items]))[0], together[row], atol=1e-5)


def test_history_encoder_is_causal_and_reads_order() -> None:
    net = network()
    with torch.no_grad():
        vector_ID, star_BL = net.items()[0], torch.zeros(1, 3, dtype=torch.int64)
        first = net.history_vectors(vector_ID, torch.tensor([[1, 2, 3]]), star_BL)
        changed = net.history_vectors(vector_ID, torch.tensor([[1, 2, 5]]), star_BL)
        swapped = net.history_vectors(vector_ID, torch.tensor([[2, 1, 3]]), star_BL)
    assert torch.allclose(first[:, :2], changed[:, :2])
    assert not torch.allclose(first[:, 2], swapped[:, 2], atol=1e-3)


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("conv_width", [1, 3])
def test_history_encoder_last_equals_forward(num_layers: int, conv_width: int) -> None:
    """`last`, which serving and validation ask, against every place of `forward`, which training
    goes through."""
    net = network(replace(SMALL, num_layers=num_layers, conv_width=conv_width))
    batch = make_batch([[1, 2], [3, 4, 5, 6, 1], [0]])
    with torch.no_grad():
        vector_ID = net.items()[0]
        full = net.history_vectors(vector_ID, batch["item_BL"], batch["star_BL"])
        for row, length in enumerate(batch["length_B"].tolist()):
            for places in range(1, length + 1):
                batch["length_B"][row] = places
                last = net.user_vectors(batch, vector_ID)[row]
                assert torch.allclose(last, full[row, places - 1], atol=1e-5)


@pytest.mark.parametrize("name", list(CONTENT))
def test_item_tower_reads_every_feature(name: str) -> None:
    net = network()
    before = net.items()[0]
    changed = CONTENT | {name: CONTENT[name].roll(1, 0)}
    net.items.set_features(changed, NUM_RATINGS)
    assert not torch.allclose(before, net.items()[0])


def test_item_tower_cold_item_is_content_alone() -> None:
    net = network()
    with torch.no_grad():
        vector_ID, bias_I = net.items()
        content_ID = net.items.content()
    assert torch.equal(vector_ID[1], content_ID[1])
    assert bias_I[1].item() == pytest.approx((content_ID[1] @ net.items.feature_bias).item())
    assert torch.allclose(vector_ID[0], content_ID[0] + net.items.item.weight[0])


def test_id_dropout_hides_share_of_items_in_training_only() -> None:
    net = network(replace(SMALL, id_dropout=0.5))
    net.items.set_features(CONTENT, torch.ones(7, dtype=torch.int64))
    full = net.items()[0] - net.items.content()
    assert (full.abs().sum(1) > 0).all()
    net.train()
    torch.manual_seed(0)
    has_id = torch.stack(
        [(net.items()[0] - net.items.content()).abs().sum(1) > 1e-6 for _ in range(99)]
    )
    assert has_id.float().mean() == pytest.approx(0.5, abs=0.1)


def test_dropout_keeps_mean_and_drops_share() -> None:
    torch.manual_seed(0)
    dropped = Dropout(0.25)(torch.ones(1001, 100))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(Dropout(0.25).eval()(torch.ones(3)), torch.ones(3))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"embedding_dim": 10, "num_heads": 3}, "embedding_dim", id="odd-width"),
        pytest.param({"hidden_dims": []}, "hidden_dims", id="no-mlp"),
        pytest.param({"dropout": 1.0}, "dropout", id="drops-all"),
        pytest.param({"conv_width": 0}, "conv_width", id="no-entry"),
        pytest.param({"id_dropout": 0.1, "features": []}, "features", id="nothing-left"),
    ],
)
def test_network_config_refuses_contradictions(change: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        NetworkConfig(**change)  # type: ignore[arg-type]


def test_softmax_loss_is_log_of_share() -> None:
    logit = torch.log(torch.tensor([[1.0, 2.0, 5.0]]))
    column, weight, mask = torch.tensor([1]), torch.ones(1), torch.ones(1, 3)
    assert softmax_loss(logit, column, weight, mask).item() == pytest.approx(-np.log(2 / 8))
    mask = torch.tensor([[1.0, 0, 0]])  # the target is never excluded
    assert softmax_loss(logit, column, weight, mask).item() == pytest.approx(-np.log(2 / 3))
    assert softmax_loss(logit, column, 3 * weight, mask).item() == pytest.approx(-3 * np.log(2 / 3))


def test_binary_loss_is_target_and_mean_of_negatives() -> None:
    logit, column = torch.log(torch.tensor([[1.0, 2.0, 5.0]])), torch.tensor([1])
    yes, no = -np.log(2 / 3), (-np.log(1 / 2) - np.log(1 / 6)) / 2
    loss = binary_loss(logit, column, torch.ones(1), torch.ones(1, 3))
    assert loss.item() == pytest.approx(yes + no)


def test_catalog_softmax_equals_autograd_of_plain_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(losses.LOGITS_PER_BLOCK, "cpu", 1)  # many blocks
    torch.manual_seed(0)
    parts = [torch.randn(150, 8), torch.randn(30, 8), torch.randn(30)]
    column, weight = torch.randint(30, (150,)), torch.rand(150)
    row = torch.arange(150) // 40
    mask = (torch.rand(4, 30) > 0.3).float()
    values, grads = [], []
    for fused in (True, False):
        user, item, bias = (part.clone().requires_grad_() for part in parts)
        if fused:
            loss = catalog_softmax(user, item, bias, column, weight, row, mask)
        else:
            loss = softmax_loss(user @ item.T + bias, column, weight, mask[row])
        (2 * loss).backward()
        values.append(loss.item())
        grads.append((user.grad, item.grad, bias.grad))
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    for gradient, plain in zip(*grads, strict=True):
        assert torch.allclose(gradient, plain, atol=1e-5)


def test_catalog_softmax_under_autocast_is_near() -> None:
    torch.manual_seed(0)
    user, item = torch.randn(64, 8), torch.randn(30, 8)
    arguments = torch.zeros(30), torch.randint(30, (64,)), torch.full((64,), 1 / 64)
    arguments = *arguments, torch.zeros(64, dtype=torch.int64), torch.ones(1, 30)
    exact = catalog_softmax(user, item, *arguments)
    with torch.autocast("cpu", torch.bfloat16):
        assert catalog_softmax(user, item, *arguments).item() == pytest.approx(
            exact.item(), rel=0.01
        )


def test_mask_pairs_skips_item_minus_one() -> None:
    mask = mask_pairs(torch.zeros(2, 3), torch.tensor([0, 0, 1]), torch.tensor([2, -1, 0]))
    assert mask.tolist() == [[False, False, True], [True, False, False]]


def test_history_loss_rejects_training_positives() -> None:
    """The gradient of an item that is a positive of the user elsewhere is zero."""
    module = RankingModule(SIZES, SMALL, LearningConfig(num_negatives=0, mlp_share=0.0))
    batch = make_batch([[0, 1]]) | {
        "target_BL": torch.tensor([[-1, 2]]),
        "positive_row_N": torch.tensor([0, 0, 0, 0]),
        "positive_item_N": torch.tensor([0, 1, 2, 5]),
    }
    loss, count = module.history_loss(batch)
    loss.backward()
    grad = module.network.items.bias.grad
    assert grad is not None
    assert count == 1
    assert grad[[0, 1, 5]].tolist() == [0, 0, 0]
    assert grad[2] < 0 and (grad[[3, 4, 6]] > 0).all()


def test_candidates_hold_every_target() -> None:
    module = RankingModule(SIZES, SMALL, LearningConfig(num_negatives=1))
    candidate_C, column_I = module.candidates(torch.tensor([6, 2, 6]))
    assert {2, 6} <= set(candidate_C.tolist())
    assert candidate_C[column_I[[2, 6]]].tolist() == [2, 6]


def test_candidates_are_rated_and_drawn_by_popularity() -> None:
    learning = LearningConfig(num_negatives=2, sampler="popularity")
    module = RankingModule(SIZES, SMALL, learning)
    module.network.items.num_ratings_I.copy_(torch.tensor([10**6, 0, 10**6, 1, 1, 1, 0]))
    candidate_C, _ = module.candidates(torch.tensor([3]))
    assert candidate_C.tolist() == [0, 2, 3]
    full, _ = RankingModule(SIZES, SMALL).candidates(torch.tensor([3]))
    assert full.tolist() == list(range(7))  # no data yet: all count as rated


def test_weights_bound_user_influence_by_cap() -> None:
    module = RankingModule(SIZES, SMALL, LearningConfig(influence_cap=2))
    batch = {"positive_row_N": torch.tensor([0] * 4 + [1]), "target_BL": torch.zeros(2, 1)}
    weight_P = module.weights(batch, torch.tensor([0, 0, 1]))
    # four ratings count as two, so each of them as a half; the second user's one as 1
    assert weight_P.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3])
    # Among heavy raters alone the bound is the same, not made up for.
    assert module.weights(batch, torch.tensor([0, 0])).tolist() == pytest.approx([1 / 4, 1 / 4])


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_network_without_gmf_trains_mlp_alone(loss: str) -> None:
    net = network(replace(SMALL, gmf=False))
    assert torch.equal(net.head.gmf(torch.ones(2, 8), torch.ones(3, 8)), torch.zeros(2, 3))
    module = RankingModule(SIZES, replace(SMALL, gmf=False), LearningConfig(loss=loss))
    fused, plain = module.split_positions(100, torch.device("cpu"))
    assert (len(fused), len(plain)) == (5, 0)


def test_ranking_module_loads_checkpoint_without_arguments(tmp_path: Path) -> None:
    import pytorch_lightning as pl

    module = RankingModule(SIZES, SMALL)
    module.take_features(SimpleNamespace(item_content=CONTENT, num_ratings_I=NUM_RATINGS))
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    loaded = RankingModule.load_from_checkpoint(tmp_path / "x.ckpt")
    assert asdict(loaded.config) == asdict(SMALL)
    assert torch.equal(loaded.network.items()[0], module.network.items()[0])


def test_ranking_module_learns_checkerboard() -> None:
    """Even users watch even items, odd users odd ones; the item of their own number is withheld."""
    torch.manual_seed(1)
    size = 12
    sizes = Sizes(num_users=size, num_items=size, num_genres=1, num_periods=1, num_rating_bins=5)
    config = NetworkConfig(embedding_dim=16, history_length=8, dropout=0.0, hidden_dims=[4])
    learning = LearningConfig(num_negatives=0, mlp_share=0.5, reject_positives=False)
    module = RankingModule(sizes, config, learning)
    rows = [[i for i in range(u % 2, size, 2) if i != u] for u in range(size)]
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(150):
        item = torch.tensor(np.array([rng.permutation(row) for row in rows]))
        batch = {
            "item_BL": item[:, :-1],
            "star_BL": torch.zeros_like(item[:, :-1]),
            "target_BL": item[:, 1:],
        }
        optimizer.zero_grad()
        module.history_loss(batch)[0].backward()
        optimizer.step()
    module.eval()
    with torch.no_grad():
        score = module.network.score(make_batch(rows))
    for user, row in enumerate(rows):
        score[user, row] = -torch.inf
    assert score.argmax(1).tolist() == list(range(size))


DATA_SIZES = replace(SIZES, num_item_values=4, values_per_item=2, dense_dim=3, user_feature_dim=2)
DATA_CONTENT = CONTENT | {
    "value_IW": torch.tensor([[1, 2], [3, 0], [0, 0], [1, 0], [2, 3], [1, 3], [2, 0]]),
    "weight_IW": torch.tensor([[0.5, 0.5], [1, 0], [0, 0], [1, 0], [0.5, 0.5], [0.5, 0.5], [1, 0]]),
    "dense_IX": torch.eye(7, 3),
}


def test_data_features_leave_the_first_weights_of_others() -> None:
    torch.manual_seed(0)
    plain = NCF(SMALL, SIZES).state_dict()
    torch.manual_seed(0)
    wide = NCF(replace(SMALL, user_features=True), DATA_SIZES).state_dict()
    assert all(torch.equal(wide[name], tensor) for name, tensor in plain.items())
    assert set(wide) - set(plain) == {
        "items.value.weight", "items.value_IW", "items.weight_IW", "items.dense.weight",
        "items.dense_IX", "user.features.weight", "user.unknown_user_D",
    }  # fmt: skip


def test_item_tower_adds_mean_of_values_and_projection() -> None:
    torch.manual_seed(0)
    items = NCF(replace(SMALL, features=["data"]), DATA_SIZES).items
    items.set_features(DATA_CONTENT, NUM_RATINGS)
    with torch.no_grad():
        content_ID = items.content()
        expected = items.value.weight[[1, 2]].mean(0) + items.dense.weight[:, 0]
    assert torch.allclose(content_ID[0], expected, atol=1e-6)
    assert torch.allclose(content_ID[2], items.dense.weight[:, 2])


def test_item_tower_without_any_content_is_zero() -> None:
    items = NCF(replace(SMALL, features=["data"]), SIZES).items
    items.set_features(CONTENT, NUM_RATINGS)
    assert not items.content().any()


def test_history_encoder_unknown_user_equals_none() -> None:
    torch.manual_seed(0)
    net = NCF(replace(SMALL, user_features=True), DATA_SIZES).eval()
    batch = make_batch([[1, 2], [3]])
    with torch.no_grad():
        vector_ID = net.items()[0]
        unknown_BD = net.user_vectors(batch, vector_ID)
        zero_BD = net.user_vectors(batch | {"user_BX": torch.zeros(2, 2)}, vector_ID)
        known_BD = net.user_vectors(batch | {"user_BX": torch.eye(2)}, vector_ID)
    assert torch.equal(unknown_BD, zero_BD)
    assert not torch.isclose(unknown_BD, known_BD).all(1).any()
