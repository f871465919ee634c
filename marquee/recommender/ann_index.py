"""The movies of a large catalogue that one person's list can hold, found without scoring all.

    reach = AnnIndex(head, halves)
    rows = reach.rows(user_gmf_D)       # CANDIDATES rows, to be scored exactly

A logit is a product of two vectors, but for the small MLP. Product quantisation (Jégou et al. 2011)
keeps two numbers of an item vector in four bits, and faiss sums sixteen movies at once from tables
that fit into registers (fast scan, André et al. 2017): a million movies are 50 MB to read instead
of 450. What the MLP adds on average over a few persons counts as part of a movie's bias there. The
candidates are then scored by the whole network, so an answer's scores are exact, and only a movie
that is no candidate can be missed: results/bench-reach.json says how many, and from which size on
this is worth it. The candidates depend on the person alone, so pages agree, and a list ends after
them.

Needs the extra `reach`; without it, and below FROM movies, all are scored.
Shapes: I movies, D embedding, H first layer of the MLP.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from marquee.recommender.encoder import Head

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

FROM = 100_000
"""Movies. Below, scoring all of them takes 5 ms or less."""
CANDIDATES = 2_000
NUMBERS_A_CODE = 2
TRAINED_ON = 20_000
"""Vectors that the codes are chosen for."""
SEED = 0


def is_worth_it(num_items: int) -> bool:
    """Whether a catalogue is large enough, and faiss is there."""
    return num_items >= FROM and find_spec("faiss") is not None


class AnnIndex:
    """The I movies of a head in codes. On one core a million take 3 s to build."""

    def __init__(self, head: Head, halves: Sequence[tuple[Float32, Float32]]) -> None:
        """halves: (user_gmf, user_mlp) of a few persons (marquee/recommender/encoder.py), one at least."""
        import faiss

        num_items, dim = head.item_gmf.shape
        codes = -(-(dim + 1) // NUMBERS_A_CODE)
        vector_IE = np.zeros((num_items, codes * NUMBERS_A_CODE), np.float32)
        vector_IE[:, :dim] = head.item_gmf
        beside_I = sum(head.logits(*each) - head.item_gmf @ each[0] for each in halves)
        vector_IE[:, dim] = np.asarray(beside_I) / len(halves)  # bias, and the MLP on average
        some = np.random.default_rng(SEED).permutation(num_items)[:TRAINED_ON]
        self._index = faiss.IndexPQFastScan(
            vector_IE.shape[1], codes, 4, faiss.METRIC_INNER_PRODUCT
        )
        self._index.train(vector_IE[np.sort(some)])
        self._index.add(vector_IE)

    def rows(self, user_gmf_D: Float32) -> Int64:
        """At most CANDIDATES rows, ascending."""
        asked_1E = np.zeros((1, self._index.d), np.float32)
        asked_1E[0, : len(user_gmf_D)], asked_1E[0, len(user_gmf_D)] = user_gmf_D, 1
        _, found_1n = self._index.search(asked_1E, min(CANDIDATES, self._index.ntotal))
        return np.sort(found_1n[found_1n >= 0]).astype(np.int64)
