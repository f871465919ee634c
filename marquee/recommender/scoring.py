"""Logits of persons over a catalogue: encoder, head, and what stands in where there is no history.

    scorer = Scorer(bundle, threads=1)
    scorer.of(people)                  # float32 (B, I)
    scorer.of(people, rows_n)          # float32 (B, n)

Shapes: B people, I movies of the bundle, n movies asked for.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from marquee.recommender.ann_index import CANDIDATES, AnnIndex, is_worth_it
from marquee.recommender.bundle import Bundle
from marquee.recommender.encoder import PEOPLE_AT_ONCE, Encoder, Head
from marquee.recommender.history import History
from marquee.recommender.query import Question

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

DRAWN, DRAWN_FILMS = 8, 20
"""Random persons over whom the MLP's part of a score is averaged, and the films of each."""


class Scorer:
    """The network of a bundle. Who has no history gets log(1 + number of ratings)."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        arrays, self.history_length = bundle.arrays, int(bundle.manifest["history_length"])
        vectors_ID = arrays["item_vector"]
        self.encoder = Encoder(bundle.encoder, vectors_ID, self.history_length, threads)
        self.head = Head.of(arrays)
        self._popular_I = np.log1p(arrays["num_ratings"]).astype(np.float32)
        self.reach = (
            self._get_reach(arrays["num_ratings"]) if is_worth_it(len(vectors_ID)) else None
        )

    def of(self, people: Sequence[History], rows: Int64 | None = None) -> Float32:
        """Logits of every movie, or of `rows` (n,) or (B, n)."""
        width = len(self._popular_I) if rows is None else rows.shape[-1]
        out = np.empty((len(people), width), dtype=np.float32)
        halves = self.encoder([history for history in people if len(history)])
        shared = self._view(rows) if rows is None or rows.ndim == 1 else None
        for b, history in enumerate(people):
            head, popular = shared or self._view(rows[b] if rows is not None else None)
            out[b] = head.logits(*next(halves)) if len(history) else popular
        return out

    def for_lists(self, known: Sequence[tuple[Question, History]]) -> Iterator[Float32]:
        """Logits of every movie, (I,) for each; of a large catalogue -inf where one is no candidate
        (marquee/recommender/ann_index.py)."""
        halves = self.encoder([person for _, person in known if len(person)])
        for start in range(0, len(known), PEOPLE_AT_ONCE):
            yield from self._for_lists(known[start : start + PEOPLE_AT_ONCE], halves)

    def _for_lists(
        self, known: Sequence[tuple[Question, History]], halves: Iterator[tuple[Float32, Float32]]
    ) -> Iterator[Float32]:
        """People together, so that the item matrix is read once for all who need the whole of it;
        halves: of those with a history, in their order."""
        own = [next(halves) if len(person) else None for _, person in known]
        reach = [self._reach_of(question, person) for question, person in known]
        whole = [half for half, few in zip(own, reach, strict=True) if half and not few]
        scores = iter(
            self.head.logits_of(*map(np.stack, zip(*whole, strict=True))) if whole else ()
        )
        for half, few in zip(own, reach, strict=True):
            if half is None:
                yield self._popular_I
            else:
                yield self._reached(few, *half) if few else next(scores)

    def _reach_of(self, question: Question, person: History) -> AnnIndex | None:
        """What finds this list without scoring all movies."""
        near = question.is_plain and len(person.seen) < CANDIDATES / 2
        return self.reach if near else None

    def _reached(self, reach: AnnIndex, user_gmf_D: Float32, user_mlp_H: Float32) -> Float32:
        rows = reach.rows(user_gmf_D)
        score_I = np.full(len(self._popular_I), -np.inf, np.float32)
        score_I[rows] = self.head.take(rows).logits(user_gmf_D, user_mlp_H)
        return score_I

    def _view(self, rows: Int64 | None) -> tuple[Head, Float32]:
        """What scores these rows: for who has a history, and for who has none."""
        if rows is None:
            return self.head, self._popular_I
        return self.head.take(rows), self._popular_I[rows]

    def _get_reach(self, num_ratings_I: Int64) -> AnnIndex:
        """Films are drawn as the golden ones are, by how often they are rated."""
        rng, chance_I = np.random.default_rng(0), num_ratings_I + 1.0
        rows = rng.choice(len(chance_I), (DRAWN, DRAWN_FILMS), p=chance_I / chance_I.sum())
        none = np.zeros(0, np.int64)
        people = [History(each, np.zeros(DRAWN_FILMS, np.int64), none) for each in rows]
        return AnnIndex(self.head, list(self.encoder(people)))
