"""The star model on generated ratings whose truth is known."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from marquee.core.errors import InputError
from models.bpmf.calibration import fit_cuts, rating_probabilities
from models.bpmf.data import (
    CenteredRatings,
    PosteriorDraws,
    RatingBlocks,
    RatingModelConfig,
    implicit_factors,
    implicit_features,
)
from models.bpmf.model import fit_rating_model
from models.bpmf.posterior import Predictive, predict_pairs

SCALE = (1.0, 2.0, 3.0, 4.0, 5.0)
U, I, COLD = 300, 60, 3  # noqa: E741


class World(NamedTuple):
    """Ratings drawn from the model: two tastes, biases, noise of .5, rounded to the scale."""

    user_N: np.ndarray
    item_N: np.ndarray
    stars_N: np.ndarray
    is_test_N: np.ndarray
    feature_IF: np.ndarray

    def train(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        keep = ~self.is_test_N
        return self.user_N[keep], self.item_N[keep], self.stars_N[keep]


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    feature_IF = np.eye(2, dtype=np.float32)[np.arange(I) % 2]  # two genres, which carry a taste
    taste_ID = feature_IF @ np.array([[1.0, -0.3], [-1.0, 0.3]]) + 0.3 * rng.normal(size=(I, 2))
    person_UD, bias_U, bias_I = rng.normal(size=(U, 2)), rng.normal(size=U), rng.normal(size=I)
    star_UI = 3.2 + 0.6 * person_UD @ taste_ID.T + 0.4 * bias_U[:, None] + 0.4 * bias_I
    star_UI = np.clip(np.rint(star_UI + 0.5 * rng.normal(size=(U, I))), 1, 5).astype(np.float32)
    user_N, item_N = np.nonzero(rng.random((U, I)) < 0.5)
    is_test_N = (rng.random(len(user_N)) < 0.15) | (item_N >= I - COLD)
    return World(user_N, item_N, star_UI[user_N, item_N], is_test_N, feature_IF)


SMALL = RatingModelConfig(embedding_dim=3, num_draws=12, every=2, burn_in=20)


@pytest.fixture(scope="module")
def found(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Expected stars (T,) and chances (T, 5) of the test ratings, from the histories."""
    arrays, scalars = fit_rating_model(*world.train(), world.feature_IF, SCALE, SMALL)
    user_N, item_N, stars_N = (torch.from_numpy(each) for each in world.train())
    given = CenteredRatings(
        user_N=user_N, item_N=item_N, centered_rating_N=stars_N - scalars["mean"]
    )
    asked = (torch.from_numpy(each[world.is_test_N]) for each in (world.user_N, world.item_N))
    draws = PosteriorDraws.from_arrays(arrays)
    features = implicit_features(draws.implicit_IF, user_N, item_N, U)
    seen = predict_pairs(draws, given, features, *asked)
    cut_K = torch.tensor(scalars["cuts"]) - scalars["mean"]
    chance_TK = rating_probabilities(seen, cut_K, torch.tensor(scalars["noise_factor"]))
    expected_T = (scalars["mean"] + seen.mean_SN.mean(0)).clamp(1, 5)
    return expected_T.numpy(), chance_TK.numpy()


def rmse(miss: np.ndarray) -> float:
    return float(np.sqrt(np.mean(miss * miss)))


def test_taste_is_learned_nearly_to_the_noise(world: World, found: tuple[np.ndarray, ...]) -> None:
    """Noise .5 and rounding (1 / sqrt(12) = .29) leave .58; means of movies and persons, 1.0."""
    user_N, item_N, stars_N = world.train()
    test, warm = world.is_test_N, world.item_N[world.is_test_N] < I - COLD
    mean = stars_N.mean()
    item_mean = mean + np.bincount(item_N, stars_N - mean, I) / (np.bincount(item_N, None, I) + 5)
    over = stars_N - item_mean[item_N]
    person = np.bincount(user_N, over, U) / (np.bincount(user_N, None, U) + 5)
    biases = (item_mean[world.item_N] + person[world.user_N])[test]
    truth = world.stars_N[test]
    assert rmse((found[0] - truth)[warm]) < 0.70 < 0.85 < rmse((biases - truth)[warm])


def test_genres_carry_the_taste_for_movies_without_ratings(
    world: World, found: tuple[np.ndarray, ...]
) -> None:
    cold = world.item_N[world.is_test_N] >= I - COLD
    truth = world.stars_N[world.is_test_N][cold]
    assert np.corrcoef(found[0][cold], truth)[0, 1] > 0.5


def test_ninety_percent_lie_within_the_interval(
    world: World, found: tuple[np.ndarray, ...]
) -> None:
    """Randomised within a star value, so that a perfect ordered model has exactly 90%."""
    truth = world.stars_N[world.is_test_N].astype(int) - 1
    below = np.concatenate([np.zeros((len(truth), 1)), found[1].cumsum(1)], 1)
    row, rng = np.arange(len(truth)), np.random.default_rng(1)
    place = below[row, truth] + rng.random(len(truth)) * found[1][row, truth]
    inside = (place > 0.05) & (place < 0.95)
    assert 0.87 < inside.mean() < 0.93
    assert found[1].sum(1) == pytest.approx(np.ones(len(truth)), abs=1e-5)


def test_which_movies_somebody_rated_tells_of_their_stars() -> None:
    """Two camps rate mostly their own half of the movies, and give others' movies 2 stars less."""
    rng = np.random.default_rng(0)
    camp_U, camp_I = np.arange(U) % 2, np.arange(I) % 2
    own_UI = camp_U[:, None] == camp_I
    user_N, item_N = np.nonzero(rng.random((U, I)) < np.where(own_UI, 0.3, 0.03))
    stars_N = np.where(own_UI[user_N, item_N], 5.0, 3.0).astype(np.float32)
    nothing_IF = np.zeros((I, 0), np.float32)

    def gap(implicit_dim: int) -> float:
        """Stars of own movies over the others', for one who rated five movies, no stars known."""
        config = replace(SMALL, implicit_dim=implicit_dim)
        arrays, _ = fit_rating_model(user_N, item_N, stars_N, nothing_IF, SCALE, config)
        draws = PosteriorDraws.from_arrays(arrays)
        none, movies = torch.zeros(0, dtype=torch.int64), torch.arange(I)
        set_1C = implicit_features(
            draws.implicit_IF, torch.zeros(5, dtype=torch.int64), movies[:10:2], 1
        )
        unrated = CenteredRatings(user_N=none, item_N=none, centered_rating_N=torch.zeros(0))
        seen = predict_pairs(draws, unrated, set_1C, torch.zeros_like(movies), movies)
        middle_SI = seen.mean_SN
        middle_I = middle_SI.mean(0)
        return float(middle_I[::2].mean() - middle_I[1::2].mean())

    assert gap(20) > 1 > 0.2 > abs(gap(0))


def test_implicit_features_hold_all_of_a_small_table() -> None:
    """Persons rated movies {0}, {0, 1}, nothing, and {1, 2, 3}."""
    user_N, item_N = torch.tensor([0, 1, 1, 3, 3, 3]), torch.tensor([0, 0, 1, 1, 2, 3])
    set_UC, set_IC = implicit_factors(user_N, item_N, 4, 4, 100)
    there_UI = torch.zeros(4, 4)
    there_UI[user_N, item_N] = torch.tensor([1, 1 / 2**0.5, 1 / 2**0.5] + 3 * [1 / 3**0.5])
    torch.testing.assert_close(set_UC @ set_IC.T, there_UI)
    assert set_UC.shape == (4, 3)
    torch.testing.assert_close(implicit_features(set_IC, user_N, item_N, 4), set_UC)
    first_UC, _ = implicit_factors(user_N, item_N, 4, 4, 1)
    torch.testing.assert_close(first_UC.abs(), set_UC[:, :1].abs())
    assert implicit_factors(user_N, item_N, 4, 4, 0)[0].shape == (4, 0)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(world: World) -> None:
    tiny = RatingModelConfig(embedding_dim=2, num_draws=2, every=1, burn_in=2)

    def fitted(seed: int) -> np.ndarray:
        return fit_rating_model(*world.train(), world.feature_IF, SCALE, tiny, seed)[0]["star_item"]

    assert (fitted(3) == fitted(3)).all() and (fitted(3) != fitted(4)).any()


@pytest.mark.parametrize(
    "stars",
    [
        pytest.param([5.0] * 12, id="everybody-gives-5"),
        pytest.param([3.0, 4.0], id="two-ratings"),
    ],
)
def test_hardly_any_evidence_still_gives_a_model(stars: list[float]) -> None:
    n = len(stars)
    user_N, item_N = np.arange(n) % 3, np.arange(n) % 4
    tiny = RatingModelConfig(embedding_dim=2, num_draws=2, every=1, burn_in=2)
    given = user_N, item_N, np.array(stars, np.float32)
    arrays, scalars = fit_rating_model(*given, np.zeros((5, 1), np.float32), SCALE, tiny)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert scalars["cuts"] == sorted(set(scalars["cuts"])) and len(scalars["cuts"]) == 4


def test_cuts_are_found_again() -> None:
    """Stars drawn by known cuts around known middles."""
    generator = torch.Generator().manual_seed(0)
    middle_N = torch.randn(20_000, generator=generator)
    one = torch.ones(1, 20_000)
    value_N = middle_N + 0.8 * torch.randn(20_000, generator=generator)
    cut_K = torch.tensor([-1.5, -0.2, 0.3, 1.5])
    star_N = torch.searchsorted(cut_K, value_N)
    seen = Predictive(mean_SN=middle_N[None], variance_SN=0 * one, noise_variance_SN=one)
    got_K, factor = fit_cuts(seen, star_N, 1.0, torch.tensor([-1.5, -0.5, 0.5, 1.5]))
    assert got_K.numpy() == pytest.approx(cut_K.numpy(), abs=0.05)
    assert factor == pytest.approx(0.8**2, abs=0.05)


def test_rows_come_in_blocks_that_hold_every_rating_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.bpmf.data.ENTRIES_PER_BLOCK", 6)
    own_N = torch.tensor([2, 0, 2, 2, 4, 0])
    rows = RatingBlocks(own_N, torch.arange(6), torch.arange(6.0), 5)
    found = {}
    for row_B, other_BL, over_BL, there_BL in rows:
        assert there_BL.numel() <= 6
        for b, row in enumerate(row_B.tolist()):
            found[row] = sorted(other_BL[b][there_BL[b] > 0].tolist())
            assert (over_BL[b][there_BL[b] == 0] == 0).all()
    assert found == {0: [1, 5], 1: [], 2: [0, 2, 3], 3: [], 4: [4]}


def test_a_setting_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"stars.num_draws 0: expected 1 or more"):
        RatingModelConfig(num_draws=0)
