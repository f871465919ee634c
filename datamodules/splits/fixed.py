"""Protocol `fixed`: training, validation and test interactions are files of the data set.

Every user with a test interaction has one query. The context is the user's training interactions,
at test also those of validation, and may be empty. All other items are ranked. A test interaction
with an item of the context is left out: no recommender here lists what the user had.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, hide
from marquee.core.errors import InputError
from marquee.data.user_histories import UserHistories

VALID_SHARE = 0.1  # of the training interactions, where no validation file is given


def split_fixed(histories: UserHistories, num_items: int, name: str, seed: int = 0) -> Split:
    """Split by `histories.part`.

    Without a validation part a tenth of training is drawn for it. The refit adds the validation
    part to training, in either case.
    """
    if histories.part is None or not (histories.part == TEST).any():
        raise InputError(
            f"fixed: data set {name} has no test interactions, expected a file of them; marquee "
            f"data add {name} … --test-interactions FILE --replace, or another data.protocol"
        )
    subset_N = np.array(histories.part, np.int8)
    if not (subset_N == VALID).any():
        train = np.flatnonzero(subset_N == TRAIN)
        drawn = np.random.default_rng(seed).permutation(train)[: round(VALID_SHARE * len(train))]
        subset_N[drawn] = VALID
    is_known_N = subset_N <= VALID
    return Split(
        all_histories=histories,
        subset_N=subset_N,
        # Of validation an empty context would rank by popularity alone, whatever was trained.
        valid=hide(histories.filter(is_known_N), subset_N[is_known_N] == VALID, min_context=1),
        test=hide(histories, subset_N == TEST, min_context=0),
        num_items=num_items,
        protocol="fixed",
    ).check("every file needs interactions of items that the user has not had before")
