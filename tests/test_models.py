"""The network: what depends on what, its arithmetic, and that it learns."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.losses import pair_loss, softmax_loss
from models.module import LearningConfig, RankingModule, marked
from models.ncf import NCF, NetworkConfig, Sizes
from models.stars import ITEM_DAMPING, fit_damped_biases

SIZES = Sizes(num_users=5, num_items=7, num_genres=3, num_periods=4, num_stars=5)
SMALL = NetworkConfig(embedding_dim=8, history_length=6, dropout=0.0, hidden_dims=[4])
CLASSIC = NetworkConfig(user="id", embedding_dim=8, hidden_dims=[4, 2], features=False)


def network(config: NetworkConfig = SMALL) -> NCF:
    torch.manual_seed(0)
    net = NCF(config, SIZES)
    for parameter in net.parameters():  # the zero start of the MLP would hide its path
        torch.nn.init.normal_(parameter, std=0.3)
    net.items.set_features(torch.eye(7, 3), torch.arange(7) % 4)
    return net.eval()


def case(items: list[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, items))
    item_BL = torch.tensor([row + [0] * (longest - len(row)) for row in items])
    return {
        "item_BL": item_BL,
        "star_BL": torch.zeros_like(item_BL),
        "length_B": torch.tensor([len(row) for row in items]),
    }


def test_score_equals_the_formula_written_out() -> None:
    net = network()
    with torch.no_grad():
        vector_ID, bias_I = net.items(), net.item_bias
        user_D = net.user_vectors(case([[1, 2]]), vector_ID)[0]
        expected = []
        for i in range(7):
            gmf = (user_D * vector_ID[i] * net.head.weight_D).sum()
            both = torch.cat([user_D, vector_ID[i]])
            first = torch.cat([net.head.user_half.weight, net.head.item_half.weight], 1)
            mlp = net.head.out(torch.relu(first @ both + net.head.item_half.bias))[0]
            expected.append(gmf + mlp + bias_I[i])
        assert torch.allclose(net.score(case([[1, 2]]))[0], torch.stack(expected), atol=1e-5)


def test_pairs_equal_the_columns_of_score_for_the_classic_user() -> None:
    net = network(CLASSIC)
    with torch.no_grad():
        score_BI = net.score({"user_B": torch.arange(5)})
        vector_ID = net.items()
        pair_B = net.head.pairs(net.user(torch.arange(5)), vector_ID[torch.arange(5)])
        assert torch.allclose(pair_B + net.item_bias[:5], score_BI.diagonal(), atol=1e-5)


def test_padding_and_company_change_no_score() -> None:
    net = network()
    with torch.no_grad():
        together = net.score(case([[1, 2], [3, 4, 5, 6, 1], [0]]))
        for row, items in enumerate([[1, 2], [3, 4, 5, 6, 1], [0]]):
            assert torch.allclose(net.score(case([items]))[0], together[row], atol=1e-5)


def test_the_encoder_is_causal_and_reads_order() -> None:
    net = network()
    with torch.no_grad():
        vector_ID, star_BL = net.items(), torch.zeros(1, 3, dtype=torch.int64)
        first = net.history_vectors(vector_ID, torch.tensor([[1, 2, 3]]), star_BL)
        other = net.history_vectors(vector_ID, torch.tensor([[1, 2, 5]]), star_BL)
        swapped = net.history_vectors(vector_ID, torch.tensor([[2, 1, 3]]), star_BL)
    assert torch.allclose(first[:, :2], other[:, :2])
    assert not torch.allclose(first[:, 2], swapped[:, 2], atol=1e-3)


def test_genres_and_periods_move_an_item() -> None:
    net = network()
    before = net.items()
    net.items.set_features(torch.eye(7, 3).roll(1, 0), torch.arange(7) % 4)
    assert not torch.allclose(before, net.items())


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"embedding_dim": 10, "num_heads": 3}, "embedding_dim", id="odd-width"),
        pytest.param({"hidden_dims": []}, "hidden_dims", id="no-mlp"),
        pytest.param({"dropout": 1.0}, "dropout", id="drops-all"),
    ],
)
def test_contradictory_settings_are_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        NetworkConfig(**change)  # type: ignore[arg-type]


def test_softmax_loss_is_the_log_of_the_share() -> None:
    logit = torch.log(torch.tensor([[1.0, 2.0, 5.0]]))
    slot = torch.tensor([1])
    assert softmax_loss(logit.clone(), slot).item() == pytest.approx(-np.log(2 / 8))
    excluded = torch.tensor([[False, True, True]])  # the right movie is never excluded
    assert softmax_loss(logit.clone(), slot, excluded).item() == pytest.approx(-np.log(2 / 3))


def test_pair_loss_is_the_log_likelihood() -> None:
    loss = pair_loss(torch.zeros(4), torch.tensor([1.0, 0, 0, 0]))
    assert loss.item() == pytest.approx(np.log(2))


def test_marked_skips_what_is_no_candidate() -> None:
    mask = marked(torch.tensor([0, 0, 1]), torch.tensor([2, -1, 0]), 2, 3)
    assert mask.tolist() == [[False, False, True], [True, False, False]]


def test_the_module_rejects_all_train_positives_of_a_person() -> None:
    """The gradient of a movie that is a person's own positive elsewhere must be zero there."""
    module = RankingModule(SIZES, SMALL, LearningConfig(num_negatives=0, mlp_share=0.0))
    batch = case([[0, 1]]) | {
        "target_BL": torch.tensor([[-1, 2]]),
        "positive_row_N": torch.tensor([0, 0, 0, 0]),
        "positive_item_N": torch.tensor([0, 1, 2, 5]),
    }
    loss, count = module.history_loss(batch)
    loss.backward()
    grad = module.network.item_bias.grad
    assert grad is not None
    assert count == 1
    assert grad[[0, 1, 5]].tolist() == [0, 0, 0]
    assert grad[2] < 0 and (grad[[3, 4, 6]] > 0).all()


def test_candidates_hold_every_target_and_their_columns() -> None:
    module = RankingModule(SIZES, SMALL, LearningConfig(num_negatives=1))
    candidate_C, slot_I = module.candidates(torch.tensor([6, 2, 6]))
    assert {2, 6} <= set(candidate_C.tolist())
    assert candidate_C[slot_I[[2, 6]]].tolist() == [2, 6]


def test_a_checkpoint_loads_without_arguments(tmp_path: Path) -> None:
    import pytorch_lightning as pl

    module = RankingModule(SIZES, SMALL)
    module.take_features(SimpleNamespace(genre_IG=torch.eye(7, 3), period_I=torch.arange(7) % 4))
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    again = RankingModule.load_from_checkpoint(tmp_path / "x.ckpt")
    assert asdict(again.config) == asdict(SMALL)
    assert torch.equal(again.network.items(), module.network.items())


def test_damped_biases_by_hand() -> None:
    user, item = np.array([0, 0, 1]), np.array([0, 1, 0])
    arrays, scalars = fit_damped_biases(user, item, np.array([5, 3, 4], np.float32), 3)
    assert scalars["mean"] == 4
    # movie 0: (1 + 0) / (2 + damping); movie 1: -1 / (1 + damping); movie 2: no rating
    expected = [1 / (2 + ITEM_DAMPING), -1 / (1 + ITEM_DAMPING), 0]
    assert arrays["star_bias"] == pytest.approx(expected, abs=1e-6)
    variance = arrays["star_bias_var"]
    assert variance[0] < variance[1] < variance[2]


def test_the_checkerboard_is_learned() -> None:
    """Even people watch even movies, odd people odd ones; each person's own number is withheld."""
    torch.manual_seed(1)
    size = 12
    sizes = Sizes(size, size, 1, 1, 5)
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
        score = module.network.score(case(rows))
    for user, row in enumerate(rows):
        score[user, row] = -torch.inf
    assert score.argmax(1).tolist() == list(range(size))
