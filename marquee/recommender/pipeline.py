"""Recommend for a batch of users: score, filter, rerank, predict ratings, explain.

The effect of a history entry on a listed item is exact: the history is encoded again without it, so
removing it lowers the score by the effect. Without a history, the genres of the profile explain.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Float32, Int64
from marquee.recommender.errors import RequestError
from marquee.recommender.history import History
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.query import RecommendQuery
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.rerank.reranker import Reranker
from marquee.recommender.responses import Explanation, RecommendResponse, Stars, Strategy
from marquee.recommender.rules.rule import Boost, Pin, Rule, Share
from marquee.recommender.rules.ruled_page import RuledPage, ruled_page, with_rule_names
from marquee.recommender.rules.scores import boosted_scores
from marquee.recommender.scoring import Scorer

# Scored together, which changes a score by rounding only; over 62,000 items logits take 63 MB.
QUERIES_PER_BATCH = 256
MAX_REASONS = 3
MIN_EFFECT = 1e-4  # logits; a smaller effect is rounding

P = ParamSpec("P")
T = TypeVar("T")


class Candidates(NamedTuple):
    """The history of a list, the rules that hold, and the mask of candidates."""

    history: History
    rules: Sequence[Rule]
    mask_I: Bools


class RankedPage(NamedTuple):
    """The ranked items of one page, before ratings and explanations."""

    history: History
    page: RuledPage
    score_K: Float32

    @property
    def item_K(self) -> Int64:
        return self.page.item_K


@dataclass(frozen=True, eq=False, kw_only=True)
class RankingPipeline:
    """The parts of a bundle that make lists."""

    catalog: ItemCatalog
    scorer: Scorer
    reranker: Reranker
    rating_model: RatingModel | None  # None without ratings
    model_version: str

    def recommend_batch(
        self, queries: Sequence[RecommendQuery]
    ) -> Iterator[RecommendResponse | RequestError]:
        """Yield the response to each of B queries, or its error, in their order."""
        for start in range(0, len(queries), QUERIES_PER_BATCH):
            batch = queries[start : start + QUERIES_PER_BATCH]
            pages = self._rank(batch)
            ranked = [page for page in pages if isinstance(page, RankedPage)]
            stars = self._describe(ranked)
            for query, page in zip(batch, pages, strict=True):
                if isinstance(page, RequestError):
                    yield page
                else:
                    yield self._respond(query, page, next(stars))

    def _describe(self, pages: Sequence[RankedPage]) -> Iterator[list[Stars] | None]:
        if self.rating_model is None:
            return repeat(None)
        return self.rating_model.describe(
            [page.history for page in pages], [page.item_K for page in pages]
        )

    def _rank(self, queries: Sequence[RecommendQuery]) -> list[RankedPage | RequestError]:
        parts = [_attempt(self._candidates, query) for query in queries]
        scored = [
            (query, part.history, part.mask_I, orders_all(part.rules))
            for query, part in zip(queries, parts, strict=True)
            if not isinstance(part, RequestError)
        ]
        scores = self.scorer.score_candidates(scored)
        return [
            part
            if isinstance(part, RequestError)
            else _attempt(self._rank_page, query, part, next(scores))
            for query, part in zip(queries, parts, strict=True)
        ]

    def _candidates(self, query: RecommendQuery) -> Candidates:
        """Return the history, the rules that hold, and the items that the list may hold."""
        query.check_strengths()
        viewer, catalog = query.viewer, self.catalog
        rules = catalog.active_rules(query.surface, viewer)
        history = catalog.parse_history(query.history, query.not_interested, viewer)
        mask_I = catalog.candidate_mask(
            query.filters, query.include_ids, query.exclude_ids, viewer, rules
        )
        if query.exclude_seen:
            mask_I[history.seen] = False
        mask_I[history.not_interested] = False
        return Candidates(history, rules, mask_I)

    def _rank_page(
        self, query: RecommendQuery, candidates: Candidates, score_I: Float32
    ) -> RankedPage:
        history, rules, mask_I = candidates
        mask_I &= score_I > float("-inf")
        demoted_I = self.reranker.demote_similar(score_I, history.not_interested)
        boosted_I = boosted_scores(rules, self.catalog.attributes, demoted_I)

        def rank_page(mask_I: Bools, k: int, offset: int) -> tuple[Int64, int | None]:
            return self.reranker.rank_page(boosted_I, mask_I, history.item_L, query, k, offset)

        page = ruled_page(
            rules,
            self.catalog.attributes,
            rank_page,
            score_I=self.reranker.adjust_scores(boosted_I, query) if rules else boosted_I,
            mask_I=mask_I,
            k=query.k,
            offset=query.offset,
            is_by_score=query.is_by_score,
        )
        return RankedPage(history, page, score_I[page.item_K])

    def _respond(
        self, query: RecommendQuery, page: RankedPage, stars: list[Stars] | None
    ) -> RecommendResponse:
        columns: dict[str, Any] = score_columns(page.score_K, stars)
        if query.explain and len(page.history):
            columns["because"] = self._explain_by_history(page)
        elif query.explain:
            columns["because"] = self._explain_by_genres(query, page)
        return {
            "items": with_rule_names(self.catalog.to_records(page.item_K, columns), page.page),
            "strategy": choose_strategy(page.history, query.genre_profile),
            "model_version": self.model_version,
            "next_offset": page.page.next_offset,
        }

    def _explain_by_history(self, page: RankedPage) -> list[list[Explanation]]:
        history, movies, L = page.history, self.catalog.movies, len(page.history)
        if len(page.item_K) == 0:
            return []
        entries = range(max(0, L - self.scorer.history_length), L)  # that the encoder reads
        shorter_histories = [
            replace(
                history,
                item_L=np.delete(history.item_L, n),
                rating_bin_L=np.delete(history.rating_bin_L, n),
            )
            for n in entries
        ]
        score_BK = self.scorer.score([history, *shorter_histories], page.item_K)
        item_E = history.item_L[entries.start :]
        labels = [
            {"movie_id": movie_id, "title": movies.title[item]}
            for item, movie_id in zip(item_E, movies.movie_id[item_E].tolist(), strict=True)
        ]
        effect_KL = (score_BK[0] - score_BK[1:]).T
        return [_top_reasons(effect_L, labels, MIN_EFFECT) for effect_L in effect_KL]

    def _explain_by_genres(
        self, query: RecommendQuery, page: RankedPage
    ) -> list[list[Explanation]]:
        profile_G = self.reranker.genre_profile(page.history.item_L, query)
        if profile_G is None:
            return [[] for _ in page.item_K]
        labels = [{"genre": name} for name in self.catalog.genre_names]
        effect_KG = profile_G * self.reranker.share_IG[page.item_K]
        return [_top_reasons(effect_G, labels, 0) for effect_G in effect_KG]


def orders_all(rules: Sequence[Rule]) -> bool:
    """Return whether rules may list an item that its score alone would not."""
    return any(isinstance(rule.action, Boost | Pin | Share) for rule in rules)


def score_columns(score_K: Float32, stars: list[Stars] | None) -> dict[str, Any]:
    """Return the columns of scored records; `stars` is absent without ratings."""
    return {"score": score_K.tolist()} | ({} if stars is None else {"stars": stars})


def choose_strategy(history: History, genre_profile: Mapping[str, float] | None = None) -> Strategy:
    """Return "history"; without one "content" for a genre profile, else "popular"."""
    if len(history):
        return "history"
    return "popular" if genre_profile is None else "content"


def _top_reasons(
    effects: AnyFloat, labels: Sequence[Mapping[str, Any]], min_effect: float
) -> list[Explanation]:
    return [
        cast(Explanation, {**labels[n], "effect": float(effects[n])})
        for n in np.argsort(-effects, kind="stable")[:MAX_REASONS]
        if effects[n] > min_effect
    ]


def _attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | RequestError:
    try:
        return function(*args, **kwargs)
    except RequestError as error:
        return error
