"""Preference elicitation: sample the items that a user should rate next.

    sampling weight  =  seen_probability x information x scarcity

seen_probability   1 - exp(-N q_i), with N ratings of an average user; q is each item's share of all
                   ratings, drawn towards what the network expects of this user
information        bits that a rating tells of the user's taste, 1/2 log2(1 + y' cov y / noise) in
                   the rating model, times (expected stars / highest)^4, both from one step
                   below the scale; without ratings there is no such factor
scarcity           1 / (n + 1) below 5 ratings, then .5 / (n + num_users / 60)

Items are sampled, not taken from the top: the network reads a history as a sample of the user's
watching, and items picked by one rule mislead it. Liked items say more about a user's watching than
disliked ones, hence the expected stars. An item that fewer than a sixtieth of all users rated is
known too little to tell much.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float32, Float64, Int64
from marquee.recommender.errors import RequestError
from marquee.recommender.history import History
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.responses import ElicitationFactors

PERSONAL_EXPONENT = 0.25  # weight of the network in seen_probability; 1 follows it alone
LIKING_EXPONENT = 4
MIN_ITEM_RATINGS = 5  # below, an item is scarcer than all others
USERS_PER_RATING = 60  # one rating per so many users makes an item well known
SCARCITY_SCALE = 0.5
NUM_DRAWS = 2  # of the rating model: enough for an order, in an eighth of the time


class RatingElicitation:
    """The statistics that decide which items to ask about; num_ratings_I: as of now."""

    def __init__(
        self, num_ratings_I: Int64, num_users: int, rating_model: RatingModel | None
    ) -> None:
        counts_I = num_ratings_I.astype(np.float64)
        self.scarcity_I = scarcity(counts_I, num_users)
        self._share_I = (counts_I + 1) / (counts_I + 1).sum()
        self._ratings_per_user = max(1.0, counts_I.sum() / max(1, num_users))
        self.information = None if rating_model is None else RatingInformation(rating_model)

    def select(
        self, history: History, logit_I: Float32 | None, mask_I: Bools, k: int, seed: int
    ) -> tuple[Int64, list[ElicitationFactors]]:
        """Sample k items that one user should rate next; return them and their factors.

        mask_I: the items to ask about. The largest product comes first. The sample depends on the
        seed and on what is left out, so the next page is another sample. logit_I: the network's,
        None without a history. Raises RequestError for k below 1.
        """
        if k < 1:
            raise RequestError(f"k: {k}, expected 1 or more", field="k")
        factors = self.factors(history, logit_I)
        product_I = sampling_weight(factors)
        rng = np.random.default_rng([seed, *np.flatnonzero(~mask_I).tolist()])
        item_K = sample_items(product_I, mask_I, rng)[:k]
        item_K = item_K[np.lexsort((item_K, -product_I[item_K]))]
        records: list[Any] = [
            {name: float(values_I[item]) for name, values_I in factors.items()} for item in item_K
        ]
        return item_K, records

    def factors(self, history: History, logit_I: Float32 | None) -> dict[str, Float64]:
        """Return the factors by name, (I,) each; no `information` without ratings."""
        factors = {"seen_probability": self.seen_probability(logit_I)}
        if self.information is not None:
            factors["information"] = self.information(history)
        return factors | {"scarcity": self.scarcity_I}

    def seen_probability(self, logit_I: Float32 | None) -> Float64:
        """Return P(the user has seen the item), (I,), each between 0 and 1."""
        share_I = self._share_I
        if logit_I is not None:
            personal_I = np.exp(logit_I.astype(np.float64) - logit_I.max())
            personal_I = np.maximum(personal_I / personal_I.sum(), 1e-12)
            share_I = share_I * (personal_I / share_I) ** PERSONAL_EXPONENT
            share_I /= share_I.sum()
        return np.asarray(-np.expm1(-self._ratings_per_user * share_I), dtype=np.float64)


class RatingInformation:
    """Bits of a rating, from a few of the rating model's draws."""

    def __init__(self, rating_model: RatingModel) -> None:
        num_draws = len(rating_model.alpha_S)
        draws = np.linspace(0, num_draws - 1, min(NUM_DRAWS, num_draws)).astype(int)
        self._model = replace(
            rating_model,
            item_ISE=rating_model.item_ISE[:, draws],
            bias_IS=rating_model.bias_IS[:, draws],
            prior_mean_SE=rating_model.prior_mean_SE[draws],
            implicit_weight_SFE=rating_model.implicit_weight_SFE[draws],
            alpha_S=rating_model.alpha_S[draws],
        )
        self._item_SIE = self._model.item_ISE.transpose(1, 0, 2).copy()
        scale_R = rating_model.scale_R
        self._zero = scale_R[0] - np.diff(scale_R).min()  # 0 of 1..5 and of .5..5

    def __call__(self, history: History) -> Float64:
        """Return bits of a rating, (I,), times (expected stars / highest)^4."""
        model = self._model
        posterior = model.posterior([history])
        bits_I, mean_I = (np.zeros(len(model.bias_IS), np.float32) for _ in range(2))
        for s, item_IE in enumerate(self._item_SIE):
            variance_I = np.square(item_IE @ posterior.root_BSEE[0, s].T).sum(1)
            bits_I += 0.5 * np.log2(1 + variance_I / posterior.noise_BS[0, s])
            mean_I += model.mean + model.bias_IS[:, s] + item_IE @ posterior.mean_BSE[0, s]
        num_draws, top = len(model.alpha_S), model.scale_R[-1]
        expected_I = np.clip(mean_I / num_draws, model.scale_R[0], top)
        liking_I = (expected_I - self._zero) / (top - self._zero)
        return np.asarray(bits_I / num_draws * liking_I**LIKING_EXPONENT)


def sampling_weight(factors: Mapping[str, Float64]) -> Float64:
    """Return the product of the factors of I items, (I,)."""
    return np.asarray(np.prod(list(factors.values()), axis=0))


def scarcity(counts_I: Float64, num_users: int) -> Float64:
    """Return (I,) scarcity: 1 without ratings, lower with every rating."""
    return np.where(
        counts_I < MIN_ITEM_RATINGS,
        1 / (counts_I + 1),
        SCARCITY_SCALE / (counts_I + max(1.0, num_users / USERS_PER_RATING)),
    )


def sample_items(weight_I: Float64, mask_I: Bools, rng: np.random.Generator) -> Int64:
    """Return the items of the mask in an order sampled by weight without replacement.

    Efraimidis and Spirakis 2006: the largest of log(weight) + Gumbel noise is such a sample.
    """
    items = np.flatnonzero(mask_I)
    key_I = np.log(np.maximum(weight_I, 1e-300)) + rng.gumbel(size=len(weight_I))
    return np.asarray(items[np.argsort(-key_I[items], kind="stable")])
