"""Score items for users: encoder, head, and popularity where there is no history."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np

from marquee.core.arrays import Bools, Float32, Int64
from marquee.recommender.ann_index import AnnIndex, is_ann_worthwhile
from marquee.recommender.bundle import Bundle
from marquee.recommender.catalog.added_items import AddedItems, SplitHead
from marquee.recommender.catalog.split_rows import SplitRows
from marquee.recommender.encoder import USERS_PER_BATCH, Encoder, Head, UserVector
from marquee.recommender.history import History
from marquee.recommender.query import RecommendQuery

NUM_SAMPLE_HISTORIES, SAMPLE_HISTORY_LENGTH = 8, 20  # over which the index averages the MLP


class Scorer:
    """The network of a bundle; without a history, log(1 + number of ratings)."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        arrays, self.history_length = bundle.arrays, int(bundle.manifest["history_length"])
        self.encoder = Encoder(
            bundle.encoder,
            SplitRows(arrays["item_vector"]),
            self.history_length,
            threads,
            bundle.features,
        )
        self._bundle_head = Head.from_arrays(arrays)
        self.head: Head | SplitHead = self._bundle_head
        self._added_head: Head | None = None
        self._popularity_I = np.log1p(arrays["num_ratings"]).astype(np.float32)
        self.ann_index: AnnIndex | None = None  # all items are scored
        if is_ann_worthwhile(len(self._popularity_I)):
            self.ann_index = self._build_index(arrays["num_ratings"])

    def with_added(self, added: AddedItems) -> "Scorer":
        """Return the scorer of the bundle's items and of added ones."""
        scorer, vectors = copy.copy(self), self.encoder.item_vectors
        scorer.encoder = self.encoder.with_vectors(SplitRows(vectors.base_ID, added.vector_AD))
        scorer.head = SplitHead(self._bundle_head, added.head)
        scorer._added_head = added.head
        num_unrated = len(vectors.base_ID) + len(added) - len(self._popularity_I)
        scorer._popularity_I = np.append(self._popularity_I, np.zeros(num_unrated, np.float32))
        return scorer

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
        self, queries: Sequence[tuple[RecommendQuery, History, Bools, bool]]
    ) -> Iterator[Float32]:
        """Yield (I,) logits for each query; -inf: the ANN index leaves the item out.

        A query comes with the items that its list may hold, (I,), and whether all of them must be
        scored. USERS_PER_BATCH users that need all items read the item matrix once.
        """
        users = self._encode([history for _, history, _, _ in queries])
        retrieved = [
            None if needs_all else self._retrieve(user, query, mask_I)
            for user, (query, _, mask_I, needs_all) in zip(users, queries, strict=True)
        ]
        parts = list(zip(users, retrieved, strict=True))
        for start in range(0, len(parts), USERS_PER_BATCH):
            batch = parts[start : start + USERS_PER_BATCH]
            exact = [user for user, item_C in batch if user is not None and item_C is None]
            logits = iter(self.head.logits_batch(exact) if exact else ())
            for user, item_C in batch:
                if user is None:
                    yield self._popularity_I
                else:
                    yield next(logits) if item_C is None else self._score_retrieved(item_C, user)

    def _encode(self, histories: Sequence[History]) -> list[UserVector | None]:
        user_vectors = self.encoder([history for history in histories if len(history)])
        return [next(user_vectors) if len(history) else None for history in histories]

    def _retrieve(
        self, user: UserVector | None, query: RecommendQuery, mask_I: Bools
    ) -> Int64 | None:
        """Return the candidates of the ANN index; None where all items are scored.

        They do not depend on the page, so that pages join. All items are scored where few of the
        candidates may be listed.
        """
        if self.ann_index is None or user is None or not query.allows_ann:
            return None
        item_C = self.ann_index.search(user.gmf_D)
        return item_C if np.count_nonzero(mask_I[item_C]) >= len(item_C) / 2 else None

    def _score_retrieved(self, item_C: Int64, user: UserVector) -> Float32:
        score_I = np.full(len(self._popularity_I), -np.inf, np.float32)
        score_I[item_C] = self._bundle_head.take(item_C).logits(user)
        if self._added_head is not None:  # the index has the items of the bundle alone
            score_I[len(self._bundle_head.item_bias_I) :] = self._added_head.logits(user)
        return score_I

    def _select(self, items: Int64 | None) -> tuple[Head | SplitHead, Float32]:
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
        return AnnIndex(self._bundle_head, list(self.encoder(histories)))
