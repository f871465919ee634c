"""Probabilities of rating values: an ordered probit whose cuts are fitted to held-out ratings.

    P(rating <= r) = mean over draws of Phi((cut_r - mean) / spread)
    spread^2       = variance + noise_factor x noise variance

Local letters: V rating values, W = V - 1 cuts between them.
"""

import torch
from torch import Tensor

from models.bpmf.posterior import Predictive

GAP_PENALTY = 10
"""Weight of the prior that holds each gap between cuts near its start."""
MIN_PROBABILITY = 1e-9


def rating_probabilities(predictive: Predictive, cut_W: Tensor, noise_factor: Tensor) -> Tensor:
    """Return (N, V) probabilities of the rating values; the cuts are centered, too."""
    spread_SN = (predictive.variance_SN + noise_factor * predictive.noise_variance_SN).sqrt()
    below = [
        torch.special.ndtr((cut - predictive.mean_SN) / spread_SN).mean(0) for cut in cut_W.unbind()
    ]
    cumulative = torch.stack([torch.zeros_like(below[0]), *below, torch.ones_like(below[0])], 1)
    return cumulative.diff(dim=1)


def fit_cuts(
    predictive: Predictive, value_N: Tensor, step: float, cut_W: Tensor
) -> tuple[Tensor, float]:
    """Return cuts and noise factor with the highest likelihood of the ratings.

    value_N: int64 rows of the scale. cut_W: the start, half way between neighboring values. step:
    the width of a value there. A weak prior holds each gap near its start, for values that are
    hardly ever used.
    """
    first_gaps = torch.cat([cut_W[:1] - cut_W[0] + step, cut_W.diff()]).log()
    parameters = torch.zeros(len(cut_W) + 1, requires_grad=True)

    def cuts_and_factor() -> tuple[Tensor, Tensor]:
        gap_W = (first_gaps + parameters[:-1]).exp()
        start = cut_W[0] - step
        return start + gap_W.cumsum(0), parameters[-1].exp()

    def closure() -> Tensor:
        optimizer.zero_grad()
        probability_NV = rating_probabilities(predictive, *cuts_and_factor())
        probability_N1 = probability_NV.gather(1, value_N[:, None])
        likelihood = probability_N1.clamp(min=MIN_PROBABILITY).log().sum()
        loss = (GAP_PENALTY * parameters.square().sum() - likelihood) / len(value_N)
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([parameters], max_iter=50, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    fitted_W, factor = cuts_and_factor()
    return fitted_W.detach(), float(factor.detach())
