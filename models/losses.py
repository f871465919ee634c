"""Losses as pure functions of logits.

Shapes: P positions (a position is one "what comes next" question), C candidate movies, B pairs.
"""

import torch.nn.functional as F
from torch import Tensor

EXCLUDED = -1e4
"""Logit of a candidate that is left out: exp(-10,000) is 0 in float32 and in bfloat16."""


def softmax_loss(logit_PC: Tensor, slot_P: Tensor, excluded_PC: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of each position's movie among the candidates.

    slot_P: int64, the column of the right movie. excluded_PC: bool, True where a candidate is one
    of the person's own training movies: rejected as a negative (the right movie itself stays).
    Where it is given, both logits and mask are overwritten.
    Where the candidates leave movies of the catalogue out, this is a sampled softmax without the
    log-probability correction (Jean et al. 2015): a batch's own targets are candidates more often
    the more popular they are, so rare movies are pushed down less than in the full softmax.
    """
    if excluded_PC is not None:
        excluded_PC.scatter_(1, slot_P[:, None], False)
        logit_PC.masked_fill_(excluded_PC, EXCLUDED)
    return F.cross_entropy(logit_PC, slot_P)


def pair_loss(logit_B: Tensor, label_B: Tensor) -> Tensor:
    """Binary cross-entropy of watched (1.) against drawn (0.) pairs; He et al. 2017, equation 7."""
    return F.binary_cross_entropy_with_logits(logit_B, label_B)
