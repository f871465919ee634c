"""Recommend for a batch of users: score, filter, rerank, predict ratings, explain.

    pipeline.recommend_batch([RecommendQuery(history=[1193], k=10), …])

Each query yields a response or a RequestError.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.core.arrays import Float32, Int64
from marquee.recommender.errors import RequestError
from marquee.recommender.explain import (
    explain_by_genres,
    explain_by_history,
    leave_one_out_effects,
)
from marquee.recommender.filters import ItemFilter
from marquee.recommender.history import History, parse_history
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.query import RecommendQuery
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.rerank.controls import NO_CONTROLS, Controls
from marquee.recommender.rerank.reranker import Reranker
from marquee.recommender.responses import (
    Explanation,
    PredictResponse,
    RecommendResponse,
    Strategy,
)
from marquee.recommender.scoring import Scorer

QUERIES_PER_BATCH = 256
"""Scored together: over 62,000 items their logits take 63 MB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RankedPage:
    """The ranked items of one page, before ratings and explanations."""

    history: History
    item_K: Int64
    score_K: Float32
    next_offset: int | None


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingPipeline:
    """The parts of a bundle that make lists."""

    catalog: ItemCatalog
    rating_bin_of: Mapping[float, int]
    """stars -> 1 + position on the scale."""
    item_filter: ItemFilter
    scorer: Scorer
    reranker: Reranker
    rating_model: RatingModel
    model_version: str

    def recommend_batch(
        self, queries: Sequence[RecommendQuery]
    ) -> Iterator[RecommendResponse | RequestError]:
        """Yield the response to each of B queries, or its error, in their order.

        QUERIES_PER_BATCH histories are encoded together, which changes a score by rounding only.
        """
        for start in range(0, len(queries), QUERIES_PER_BATCH):
            batch = queries[start : start + QUERIES_PER_BATCH]
            histories = [self._parse_history(query) for query in batch]
            scores = self.scorer.score_candidates(
                [
                    (query, history)
                    for query, history in zip(batch, histories, strict=True)
                    if isinstance(history, History)
                ]
            )
            pages = [
                self._rank(query, history, next(scores))
                if isinstance(history, History)
                else history
                for query, history in zip(batch, histories, strict=True)
            ]
            yield from self._respond(batch, pages)

    def predict(self, history: History, item_K: Int64) -> PredictResponse:
        """Predict score and stars of K items, in their order."""
        return self._predict(history, item_K, self.scorer.score([history], item_K)[0])

    def rerank(self, history: History, item_K: Int64) -> PredictResponse:
        """Sort K items by score, best first, ties in the order of `item_K`."""
        score_K = self.scorer.score([history], item_K)[0]
        order = np.argsort(-score_K, kind="stable")
        return self._predict(history, item_K[order], score_K[order])

    def scored_records(self, history: History, item_K: Int64, score_K: Float32) -> list[Any]:
        """Return K items as records with `score` and `stars`."""
        (stars,) = self.rating_model.describe([history], [item_K])
        return self.catalog.to_records(item_K, {"score": score_K.tolist(), "stars": stars})

    def _predict(self, history: History, item_K: Int64, score_K: Float32) -> PredictResponse:
        return {
            "items": self.scored_records(history, item_K, score_K),
            "strategy": choose_strategy(history, NO_CONTROLS),
            "model_version": self.model_version,
        }

    def _parse_history(self, query: RecommendQuery) -> History | RequestError:
        try:
            return parse_history(
                query.history, self.catalog.item_of, self.rating_bin_of, query.not_interested
            )
        except RequestError as error:
            return error

    def _rank(
        self, query: RecommendQuery, history: History, score_I: Float32
    ) -> RankedPage | RequestError:
        try:
            return self._rank_page(query, history, score_I)
        except RequestError as error:
            return error

    def _rank_page(self, query: RecommendQuery, history: History, score_I: Float32) -> RankedPage:
        controls, indices_of = query.controls, self.catalog.indices_of
        mask_I = self.item_filter.mask(query.filters)
        if query.include_ids is not None:
            mask_I &= self.item_filter.mask_of(indices_of(query.include_ids, "include_ids"))
        if query.exclude_ids is not None:
            mask_I[indices_of(query.exclude_ids, "exclude_ids")] = False
        if query.exclude_seen:
            mask_I[history.seen] = False
        mask_I[history.not_interested] = False
        mask_I &= score_I > float("-inf")
        demoted_I = self.reranker.demote_similar(score_I, history.not_interested)
        item_K, next_offset = self.reranker.rank_page(
            demoted_I, mask_I, history.item_L, controls, query.k, query.offset
        )
        return RankedPage(
            history=history, item_K=item_K, score_K=score_I[item_K], next_offset=next_offset
        )

    def _respond(
        self, queries: Sequence[RecommendQuery], pages: Sequence[RankedPage | RequestError]
    ) -> Iterator[RecommendResponse | RequestError]:
        """Yield the response of each page; the rating model works on many users together."""
        ranked = [page for page in pages if isinstance(page, RankedPage)]
        stars = self.rating_model.describe(
            [page.history for page in ranked], [page.item_K for page in ranked]
        )
        for query, page in zip(queries, pages, strict=True):
            if isinstance(page, RequestError):
                yield page
                continue
            columns = {"score": page.score_K.tolist(), "stars": next(stars)}
            if query.explain:
                columns["because"] = self._explain(page, query.controls)
            yield {
                "items": self.catalog.to_records(page.item_K, columns),
                "strategy": choose_strategy(page.history, query.controls),
                "model_version": self.model_version,
                "next_offset": page.next_offset,
            }

    def _explain(self, page: RankedPage, controls: Controls) -> list[list[Explanation]]:
        if len(page.history):
            effect_LK = leave_one_out_effects(self.scorer, page.history, page.item_K)
            return explain_by_history(effect_LK, page.history, self.catalog)
        profile_G = self.reranker.genre_profile(page.history.item_L, controls)
        if profile_G is None:
            return [[] for _ in page.item_K]
        share_KG = self.reranker.share_IG[page.item_K]
        return explain_by_genres(profile_G, share_KG, self.catalog.movies.genre_names)


def choose_strategy(history: History, controls: Controls) -> Strategy:
    """Return "history"; without one "content" for a genre profile, else "popular"."""
    if len(history):
        return "history"
    return "content" if controls.genre_profile is not None else "popular"
