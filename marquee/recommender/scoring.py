"""Score items for users: encoder, head, and popularity where there is no history.

scorer = Scorer(bundle, threads=1)
scorer.score(histories)                   # float32 (B, I)
scorer.score(histories, item_C)           # float32 (B, C)
"""

from collections.abc import Iterator, Sequence

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.recommender.ann_index import NUM_CANDIDATES, AnnIndex, is_ann_worthwhile
from marquee.recommender.bundle import Bundle
from marquee.recommender.encoder import USERS_PER_BATCH, Encoder, Head, UserVector
from marquee.recommender.history import History
from marquee.recommender.query import RecommendQuery

NUM_SAMPLE_HISTORIES, SAMPLE_HISTORY_LENGTH = 8, 20
"""Random histories over which the index averages the MLP's part of a score."""


class Scorer:
    """The network of a bundle; without a history, log(1 + number of ratings)."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        arrays, self.history_length = bundle.arrays, int(bundle.manifest["history_length"])
        item_vector_ID = arrays["item_vector"]
        self.encoder = Encoder(bundle.encoder, item_vector_ID, self.history_length, threads)
        self.head = Head.from_arrays(arrays)
        self._popularity_I = np.log1p(arrays["num_ratings"]).astype(np.float32)
        self.ann_index = (
            self._build_index(arrays["num_ratings"])
            if is_ann_worthwhile(len(item_vector_ID))
            else None
        )
        """None: all items are scored."""

    def score(self, histories: Sequence[History], items: Int64 | None = None) -> Float32:
        """Return logits: (B, I), or (B, C) of `items`, which is (C,) or (B, C)."""
        width = len(self._popularity_I) if items is None else items.shape[-1]
        logit_BC = np.empty((len(histories), width), dtype=np.float32)
        user_vectors = self.encoder([history for history in histories if len(history)])
        shared = self._select(items) if items is None or items.ndim == 1 else None
        for b, history in enumerate(histories):
            head, popularity = shared or self._select(items[b] if items is not None else None)
            logit_BC[b] = head.logits(next(user_vectors)) if len(history) else popularity
        return logit_BC

    def score_candidates(
        self, queries: Sequence[tuple[RecommendQuery, History]]
    ) -> Iterator[Float32]:
        """Yield (I,) logits for each query; -inf marks an item that is no candidate.

        Only the ANN index of a large catalog leaves items out (marquee/recommender/ann_index.py).
        """
        user_vectors = self.encoder([history for _, history in queries if len(history)])
        for start in range(0, len(queries), USERS_PER_BATCH):
            yield from self._score_batch(queries[start : start + USERS_PER_BATCH], user_vectors)

    def _score_batch(
        self,
        queries: Sequence[tuple[RecommendQuery, History]],
        user_vectors: Iterator[UserVector],
    ) -> Iterator[Float32]:
        """Score a batch; the item matrix is read once for all users that need all of it.

        user_vectors: of the queries with a history, in their order.
        """
        vectors = [next(user_vectors) if len(history) else None for _, history in queries]
        indexes = [self._index_for(query, history) for query, history in queries]
        exact = [
            user
            for user, index in zip(vectors, indexes, strict=True)
            if user is not None and index is None
        ]
        scores = iter(self.head.logits_batch(exact) if exact else ())
        for user, index in zip(vectors, indexes, strict=True):
            if user is None:
                yield self._popularity_I
            else:
                yield next(scores) if index is None else self._score_retrieved(index, user)

    def _index_for(self, query: RecommendQuery, history: History) -> AnnIndex | None:
        """Return the index if its candidates suffice for this query, else None."""
        is_enough = query.allows_ann and len(history.seen) < NUM_CANDIDATES / 2
        return self.ann_index if is_enough else None

    def _score_retrieved(self, index: AnnIndex, user: UserVector) -> Float32:
        item_C = index.search(user.gmf_D)
        score_I = np.full(len(self._popularity_I), -np.inf, np.float32)
        score_I[item_C] = self.head.take(item_C).logits(user)
        return score_I

    def _select(self, items: Int64 | None) -> tuple[Head, Float32]:
        """Return head and popularity over these items, or over all."""
        if items is None:
            return self.head, self._popularity_I
        return self.head.take(items), self._popularity_I[items]

    def _build_index(self, num_ratings_I: Int64) -> AnnIndex:
        """Build the index; sample histories are drawn by number of ratings."""
        rng, weight_I = np.random.default_rng(0), num_ratings_I + 1.0
        item_BL = rng.choice(
            len(weight_I),
            (NUM_SAMPLE_HISTORIES, SAMPLE_HISTORY_LENGTH),
            p=weight_I / weight_I.sum(),
        )
        unrated_L = np.zeros(SAMPLE_HISTORY_LENGTH, np.int64)
        histories = [History(item_L=item_L, rating_bin_L=unrated_L) for item_L in item_BL]
        return AnnIndex(self.head, list(self.encoder(histories)))
