"""Approximate nearest-neighbor retrieval, for 100,000 items and more.

A logit is a product of two vectors, but for the small MLP, whose average over a few users is part
of an item's bias in the index. Product quantization (Jégou et al. 2011) stores two numbers of an
item vector in four bits. faiss sums 16 items at once from tables that fit into registers (fast
scan, André et al. 2017). A million items are then 50 MB to read, not 450 MB.

The network scores the candidates exactly (recall: results/bench-reach.json). They depend on the
user alone, so pages join, and a list ends after its candidates. Without the extra `ann` all items
are scored. Local letter: V the index's vector size.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.recommender.encoder import Head, UserVector

MIN_ITEMS_FOR_ANN = 100_000  # below, scoring all items takes 5 ms or less
NUM_CANDIDATES = 2_000
DIMS_PER_CODE = 2
BITS_PER_CODE = 4
MAX_TRAINING_ITEMS = 20_000  # item vectors that the codes are fitted to
SEED = 0


def is_ann_worthwhile(num_items: int) -> bool:
    return num_items >= MIN_ITEMS_FOR_ANN and find_spec("faiss") is not None


class AnnIndex:
    """The I items of a head in codes. A million take 3 s to build on one core."""

    def __init__(self, head: Head, user_vectors: Sequence[UserVector]) -> None:
        """Build the index; user_vectors: of a few users, at least one."""
        import faiss

        num_items, dim = head.item_gmf_ID.shape
        num_codes = -(-(dim + 1) // DIMS_PER_CODE)
        vector_IV = np.zeros((num_items, num_codes * DIMS_PER_CODE), np.float32)
        vector_IV[:, :dim] = head.item_gmf_ID
        offset_I = sum(head.logits(user) - head.item_gmf_ID @ user.gmf_D for user in user_vectors)
        vector_IV[:, dim] = np.asarray(offset_I) / len(user_vectors)  # bias, and the MLP on average
        sample = np.random.default_rng(SEED).permutation(num_items)[:MAX_TRAINING_ITEMS]
        self._index = faiss.IndexPQFastScan(
            vector_IV.shape[1], num_codes, BITS_PER_CODE, faiss.METRIC_INNER_PRODUCT
        )
        self._index.train(vector_IV[np.sort(sample)])
        self._index.add(vector_IV)

    def search(self, user_gmf_D: Float32) -> Int64:
        """Return at most NUM_CANDIDATES item indices, ascending."""
        query_1V = np.zeros((1, self._index.d), np.float32)
        query_1V[0, : len(user_gmf_D)], query_1V[0, len(user_gmf_D)] = user_gmf_D, 1
        _, item_1C = self._index.search(query_1V, min(NUM_CANDIDATES, self._index.ntotal))
        return np.sort(item_1C[item_1C >= 0]).astype(np.int64)
