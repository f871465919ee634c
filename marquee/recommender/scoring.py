"""Score items for users: encoder, head, and popularity where there is no history."""

from collections.abc import Iterator, Sequence

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.recommender.ann_index import NUM_CANDIDATES, AnnIndex, is_ann_worthwhile
from marquee.recommender.bundle import Bundle
from marquee.recommender.encoder import USERS_PER_BATCH, Encoder, Head, UserVector
from marquee.recommender.history import History
from marquee.recommender.query import RecommendQuery

NUM_SAMPLE_HISTORIES, SAMPLE_HISTORY_LENGTH = 8, 20  # over which the index averages the MLP


class Scorer:
    """The network of a bundle; without a history, log(1 + number of ratings)."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        arrays, self.history_length = bundle.arrays, int(bundle.manifest["history_length"])
        self.encoder = Encoder(
            bundle.encoder, arrays["item_vector"], self.history_length, threads, bundle.features
        )
        self.head = Head.from_arrays(arrays)
        self._popularity_I = np.log1p(arrays["num_ratings"]).astype(np.float32)
        self.ann_index: AnnIndex | None = None  # all items are scored
        if is_ann_worthwhile(len(self._popularity_I)):
            self.ann_index = self._build_index(arrays["num_ratings"])

    def score(self, histories: Sequence[History], items: Int64 | None = None) -> Float32:
        """Return logits: (B, I), or (B, C) of `items`, which is (C,) or (B, C)."""
        width = len(self._popularity_I) if items is None else items.shape[-1]
        logit_BC = np.empty((len(histories), width), dtype=np.float32)
        shared = self._select(items) if items is None or items.ndim == 1 else None
        for b, user in enumerate(self._encode(histories)):
            head, popularity_C = shared or self._select(items[b] if items is not None else None)
            logit_BC[b] = popularity_C if user is None else head.logits(user)
        return logit_BC

    def score_candidates(
        self, queries: Sequence[tuple[RecommendQuery, History]]
    ) -> Iterator[Float32]:
        """Yield (I,) logits for each query; -inf: the ANN index leaves the item out.

        USERS_PER_BATCH users that need all items read the item matrix once.
        """
        users = self._encode([history for _, history in queries])
        indexes = [self._index_for(query, history) for query, history in queries]
        parts = list(zip(users, indexes, strict=True))
        for start in range(0, len(parts), USERS_PER_BATCH):
            batch = parts[start : start + USERS_PER_BATCH]
            exact = [user for user, index in batch if user is not None and index is None]
            logits = iter(self.head.logits_batch(exact) if exact else ())
            for user, index in batch:
                if user is None:
                    yield self._popularity_I
                else:
                    yield next(logits) if index is None else self._score_retrieved(index, user)

    def _encode(self, histories: Sequence[History]) -> list[UserVector | None]:
        user_vectors = self.encoder([history for history in histories if len(history)])
        return [next(user_vectors) if len(history) else None for history in histories]

    def _index_for(self, query: RecommendQuery, history: History) -> AnnIndex | None:
        is_enough = query.allows_ann and len(history.seen) < NUM_CANDIDATES / 2
        return self.ann_index if is_enough else None

    def _score_retrieved(self, index: AnnIndex, user: UserVector) -> Float32:
        item_C = index.search(user.gmf_D)
        score_I = np.full(len(self._popularity_I), -np.inf, np.float32)
        score_I[item_C] = self.head.take(item_C).logits(user)
        return score_I

    def _select(self, items: Int64 | None) -> tuple[Head, Float32]:
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
