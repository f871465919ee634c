"""The rating model on generated ratings whose truth is known."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch

import models.bpmf.data
from marquee.core.errors import InputError
from models.bpmf.data import (
    CenteredRatings,
    PosteriorDraws,
    RatingBlocks,
    implicit_factors,
    implicit_features,
)
from models.bpmf.model import fit_rating_model
from models.bpmf.posterior import Predictive, fit_cuts, predict_pairs, rating_probabilities
from models.config import RatingModelConfig

SCALE = (1.0, 2.0, 3.0, 4.0, 5.0)
U, I, COLD = 300, 60, 3  # noqa: E741


class World(NamedTuple):
    """Ratings drawn from the model: two tastes, biases, noise of .5, rounded to the scale."""

    user_N: np.ndarray
    item_N: np.ndarray
    rating_N: np.ndarray
    is_test_N: np.ndarray
    feature_IF: np.ndarray

    def train(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        is_train_N = ~self.is_test_N
        return self.user_N[is_train_N], self.item_N[is_train_N], self.rating_N[is_train_N]


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    feature_IF = np.eye(2, dtype=np.float32)[np.arange(I) % 2]  # two genres, which carry a taste
    taste_ID = feature_IF @ np.array([[1.0, -0.3], [-1.0, 0.3]]) + 0.3 * rng.normal(size=(I, 2))
    taste_UD, bias_U, bias_I = rng.normal(size=(U, 2)), rng.normal(size=U), rng.normal(size=I)
    rating_UI = 3.2 + 0.6 * taste_UD @ taste_ID.T + 0.4 * bias_U[:, None] + 0.4 * bias_I
    rating_UI = np.clip(np.rint(rating_UI + 0.5 * rng.normal(size=(U, I))), 1, 5).astype(np.float32)
    user_N, item_N = np.nonzero(rng.random((U, I)) < 0.5)
    is_test_N = (rng.random(len(user_N)) < 0.15) | (item_N >= I - COLD)
    return World(user_N, item_N, rating_UI[user_N, item_N], is_test_N, feature_IF)


SMALL = RatingModelConfig(embedding_dim=3, num_draws=12, every=2, burn_in=20)


@pytest.fixture(scope="module")
def prediction(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Expected ratings (T,) and probabilities (T, 5) of the test ratings, from the histories."""
    arrays, scalars, _ = fit_rating_model(*world.train(), world.feature_IF, SCALE, SMALL)
    user_N, item_N, rating_N = (torch.from_numpy(column_N) for column_N in world.train())
    history = CenteredRatings(
        user_N=user_N, item_N=item_N, centered_rating_N=rating_N - scalars["mean"]
    )
    pairs = (
        torch.from_numpy(column_N[world.is_test_N]) for column_N in (world.user_N, world.item_N)
    )
    draws = PosteriorDraws.from_arrays(arrays)
    features = implicit_features(draws.implicit_IF, user_N, item_N, U)
    predictive = predict_pairs(draws, history, features, *pairs)
    cut_W = torch.tensor(scalars["cuts"]) - scalars["mean"]
    probability_TV = rating_probabilities(predictive, cut_W, torch.tensor(scalars["noise_factor"]))
    expected_T = (scalars["mean"] + predictive.mean_SN.mean(0)).clamp(1, 5)
    return expected_T.numpy(), probability_TV.numpy()


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error * error)))


def test_bpmf_error_is_near_noise_and_below_biases(
    world: World, prediction: tuple[np.ndarray, ...]
) -> None:
    """Noise .5 and rounding (1 / sqrt(12) = .29) leave .58; means of items and users, 1.0."""
    user_N, item_N, rating_N = world.train()
    test, warm = world.is_test_N, world.item_N[world.is_test_N] < I - COLD
    mean = rating_N.mean()
    item_mean = mean + np.bincount(item_N, rating_N - mean, I) / (np.bincount(item_N, None, I) + 5)
    residual = rating_N - item_mean[item_N]
    user_bias_U = np.bincount(user_N, residual, U) / (np.bincount(user_N, None, U) + 5)
    biases = (item_mean[world.item_N] + user_bias_U[world.user_N])[test]
    truth = world.rating_N[test]
    assert rmse((prediction[0] - truth)[warm]) < 0.70 < 0.85 < rmse((biases - truth)[warm])


def test_bpmf_genres_predict_cold_items(world: World, prediction: tuple[np.ndarray, ...]) -> None:
    cold = world.item_N[world.is_test_N] >= I - COLD
    truth = world.rating_N[world.is_test_N][cold]
    assert np.corrcoef(prediction[0][cold], truth)[0, 1] > 0.5


def test_bpmf_interval_covers_ninety_percent(
    world: World, prediction: tuple[np.ndarray, ...]
) -> None:
    """Randomised within a star value, so that a perfect ordered model has exactly 90%."""
    truth = world.rating_N[world.is_test_N].astype(int) - 1
    below = np.concatenate([np.zeros((len(truth), 1)), prediction[1].cumsum(1)], 1)
    row, rng = np.arange(len(truth)), np.random.default_rng(1)
    pit = below[row, truth] + rng.random(len(truth)) * prediction[1][row, truth]
    inside = (pit > 0.05) & (pit < 0.95)
    assert 0.87 < inside.mean() < 0.93
    assert prediction[1].sum(1) == pytest.approx(np.ones(len(truth)), abs=1e-5)


def test_bpmf_implicit_features_predict_unrated_user() -> None:
    """Two groups rate mostly their own half of the items, and the other half 2 lower."""
    rng = np.random.default_rng(0)
    group_U, group_I = np.arange(U) % 2, np.arange(I) % 2
    own_UI = group_U[:, None] == group_I
    user_N, item_N = np.nonzero(rng.random((U, I)) < np.where(own_UI, 0.3, 0.03))
    rating_N = np.where(own_UI[user_N, item_N], 5.0, 3.0).astype(np.float32)
    no_feature_IF = np.zeros((I, 0), np.float32)

    def rating_gap(implicit_dim: int) -> float:
        """Expected rating of own items over others, for a user with five items, no ratings."""
        config = replace(SMALL, implicit_dim=implicit_dim)
        arrays, _, _ = fit_rating_model(user_N, item_N, rating_N, no_feature_IF, SCALE, config)
        draws = PosteriorDraws.from_arrays(arrays)
        no_rows, items = torch.zeros(0, dtype=torch.int64), torch.arange(I)
        feature_1F = implicit_features(
            draws.implicit_IF, torch.zeros(5, dtype=torch.int64), items[:10:2], 1
        )
        unrated = CenteredRatings(user_N=no_rows, item_N=no_rows, centered_rating_N=torch.zeros(0))
        predictive = predict_pairs(draws, unrated, feature_1F, torch.zeros_like(items), items)
        mean_SI = predictive.mean_SN
        mean_I = mean_SI.mean(0)
        return float(mean_I[::2].mean() - mean_I[1::2].mean())

    assert rating_gap(20) > 1 > 0.2 > abs(rating_gap(0))


def test_implicit_features_reconstruct_small_table() -> None:
    """Persons rated movies {0}, {0, 1}, nothing, and {1, 2, 3}."""
    user_N, item_N = torch.tensor([0, 1, 1, 3, 3, 3]), torch.tensor([0, 0, 1, 1, 2, 3])
    feature_UF, part_IF = implicit_factors(user_N, item_N, 4, 4, 100)
    share_UI = torch.zeros(4, 4)
    share_UI[user_N, item_N] = torch.tensor([1, 1 / 2**0.5, 1 / 2**0.5] + 3 * [1 / 3**0.5])
    torch.testing.assert_close(feature_UF @ part_IF.T, share_UI)
    assert feature_UF.shape == (4, 3)
    torch.testing.assert_close(implicit_features(part_IF, user_N, item_N, 4), feature_UF)
    first_UF, _ = implicit_factors(user_N, item_N, 4, 4, 1)
    torch.testing.assert_close(first_UF.abs(), feature_UF[:, :1].abs())
    assert implicit_factors(user_N, item_N, 4, 4, 0)[0].shape == (4, 0)


def test_fit_rating_model_depends_on_seed_alone(world: World) -> None:
    tiny = RatingModelConfig(embedding_dim=2, num_draws=2, every=1, burn_in=2)

    def fitted_items(seed: int) -> np.ndarray:
        return fit_rating_model(*world.train(), world.feature_IF, SCALE, tiny, seed)[0]["star_item"]

    assert (fitted_items(3) == fitted_items(3)).all() and (fitted_items(3) != fitted_items(4)).any()


@pytest.mark.parametrize(
    "ratings",
    [
        pytest.param([5.0] * 12, id="all-five"),
        pytest.param([3.0, 4.0], id="two-ratings"),
    ],
)
def test_fit_rating_model_of_few_ratings_is_finite(ratings: list[float]) -> None:
    n = len(ratings)
    user_N, item_N = np.arange(n) % 3, np.arange(n) % 4
    tiny = RatingModelConfig(embedding_dim=2, num_draws=2, every=1, burn_in=2)
    history = user_N, item_N, np.array(ratings, np.float32)
    arrays, scalars, _ = fit_rating_model(*history, np.zeros((5, 1), np.float32), SCALE, tiny)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert scalars["cuts"] == sorted(set(scalars["cuts"])) and len(scalars["cuts"]) == 4


def test_fit_cuts_recovers_true_cuts() -> None:
    """Stars drawn by known cuts around known middles."""
    generator = torch.Generator().manual_seed(0)
    mean_N = torch.randn(20_000, generator=generator)
    ones_1N = torch.ones(1, 20_000)
    value_N = mean_N + 0.8 * torch.randn(20_000, generator=generator)
    cut_W = torch.tensor([-1.5, -0.2, 0.3, 1.5])
    value_row_N = torch.searchsorted(cut_W, value_N)
    predictive = Predictive(
        mean_SN=mean_N[None], variance_SN=0 * ones_1N, noise_variance_SN=ones_1N
    )
    fitted_W, factor = fit_cuts(predictive, value_row_N, 1.0, torch.tensor([-1.5, -0.5, 0.5, 1.5]))
    assert fitted_W.numpy() == pytest.approx(cut_W.numpy(), abs=0.05)
    assert factor == pytest.approx(0.8**2, abs=0.05)


def test_predict_pairs_of_few_users_equals_those_of_all(world: World) -> None:
    tiny = RatingModelConfig(embedding_dim=2, num_draws=2, every=1, burn_in=2)
    arrays, scalars, _ = fit_rating_model(*world.train(), world.feature_IF, SCALE, tiny)
    draws = PosteriorDraws.from_arrays(arrays)
    user_N, item_N, rating_N = (torch.from_numpy(column_N) for column_N in world.train())
    history = CenteredRatings(
        user_N=user_N, item_N=item_N, centered_rating_N=rating_N - scalars["mean"]
    )
    features = implicit_features(draws.implicit_IF, user_N, item_N, U)
    of_all = predict_pairs(draws, history, features, user_N, item_N)
    is_few_N = user_N % 10 == 3
    of_few = predict_pairs(draws, history, features, user_N[is_few_N], item_N[is_few_N])
    for all_SN, few_SN in zip(of_all, of_few, strict=True):
        torch.testing.assert_close(few_SN, all_SN[:, is_few_N], rtol=1e-6, atol=1e-7)


def test_rating_blocks_hold_every_rating_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.bpmf.data, "ENTRIES_PER_BLOCK", 6)
    row_N = torch.tensor([2, 0, 2, 2, 4, 0])
    rows = RatingBlocks(row_N, torch.arange(6), torch.arange(6.0), 5)
    others = {}
    for row_B, other_BL, rating_BL, mask_BL in rows:
        assert mask_BL.numel() <= 6
        for b, row in enumerate(row_B.tolist()):
            others[row] = sorted(other_BL[b][mask_BL[b] > 0].tolist())
            assert (rating_BL[b][mask_BL[b] == 0] == 0).all()
    assert others == {0: [1, 5], 1: [], 2: [0, 2, 3], 3: [], 4: [4]}


def test_rating_model_config_refuses_zero_draws() -> None:
    with pytest.raises(InputError, match=r"stars.num_draws 0: expected 1 or more"):
        RatingModelConfig(num_draws=0)
