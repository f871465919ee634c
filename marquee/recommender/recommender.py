"""The recommender as a library: the service's responses without HTTP or torch."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32, Int64
from marquee.core.ids import Id, Ids, IdType, id_type
from marquee.core.movies import Movies
from marquee.recommender import responses
from marquee.recommender.bundle import Bundle, read_bundle
from marquee.recommender.catalog.added_items import AddedItems, AddedRatings
from marquee.recommender.catalog.title import TitleChange
from marquee.recommender.elicitation import RatingElicitation
from marquee.recommender.errors import RequestError
from marquee.recommender.golden import check_golden
from marquee.recommender.history import EMPTY_HISTORY, History, HistoryEntry
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.item_content import ItemContent
from marquee.recommender.non_personalized import NonPersonalized
from marquee.recommender.pipeline import RankingPipeline, choose_strategy, score_columns
from marquee.recommender.query import RecommendQuery
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.rerank.reranker import Reranker
from marquee.recommender.rules.rule import Rule
from marquee.recommender.rules.rule_set import RuleSet
from marquee.recommender.rules.ruled_page import arranged, ruled_page, with_rule_names
from marquee.recommender.rules.scores import boosted_scores
from marquee.recommender.scoring import Scorer
from marquee.recommender.topk import top_page


class Recommender:
    """One bundle, ready to answer queries; threads may share it. A query takes 1.5 ms.

    ```python
    from marquee import Recommender

    recommender = Recommender.load("bundles/ml-1m")
    response = recommender.recommend([1193, (661, 5.0)], k=10, explain=True)
    for item in response["items"]:
        print(item["title"], item["stars"]["expected"], item["because"])
    ```
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        arrays, num_users = bundle.arrays, bundle.manifest["data"]["num_users"]
        self.manifest = bundle.manifest
        self.model_version = str(bundle.manifest["model_version"])
        """64 hex digits that name this bundle's exact content."""
        self.user_feature_names = [encoding.name for encoding in bundle.features.user]
        """The features of a user that `viewer` can hold."""
        num_ratings_I: Int64 = arrays["num_ratings"]
        self.catalog = ItemCatalog(
            bundle.movies, num_ratings_I, bundle.manifest["scale"], bundle.attributes
        )
        self.scorer = Scorer(bundle, threads)
        self.has_ratings = bool(bundle.manifest["scale"])
        self.rating_model = RatingModel.from_bundle(bundle) if self.has_ratings else None
        self.reranker = Reranker(bundle.movies, num_ratings_I, num_users, arrays["item_vector"])
        self.elicitation = RatingElicitation(num_ratings_I, num_users, self.rating_model)
        self._non_personalized = NonPersonalized(
            bundle.movies, num_ratings_I, arrays.get("num_recent"), self.rating_model
        )
        self.item_content = ItemContent(bundle.item_content, bundle.features, threads)
        self._added = AddedItems.none(arrays)

    @property
    def movies(self) -> Movies:
        """Return the movies of the catalog; those of the bundle come first."""
        return self.catalog.movies

    @property
    def movie_ids(self) -> Ids:
        """Return movie ids, (I,): the columns of `score`.

        They are int64, or text in an object array.
        """
        return self.catalog.movies.movie_id

    @property
    def num_ratings(self) -> Int64:
        """Return the training interactions of each movie, (I,)."""
        return self.catalog.num_ratings_I

    @property
    def chart_kinds(self) -> tuple[str, ...]:
        """Return the charts that the data allow."""
        return self._non_personalized.kinds

    @property
    def _pipeline(self) -> RankingPipeline:
        return RankingPipeline(
            catalog=self.catalog,
            scorer=self.scorer,
            reranker=self.reranker,
            rating_model=self.rating_model,
            model_version=self.model_version,
        )

    def with_rules(self, rules: Iterable[Rule]) -> "Recommender":
        """Return a recommender whose lists keep these rules alone."""
        recommender = copy.copy(self)
        recommender.catalog = self.catalog.with_rules(RuleSet(rules))
        return recommender

    def with_changes(self, changes: Iterable[TitleChange]) -> "Recommender":
        """Return a recommender whose catalog has changed; this one stays as it is.

        A new title gets its vectors from its attributes, in a fraction of a millisecond. A title of
        the bundle keeps those that it was trained to; its name, year, genres and attributes change.
        A deleted title is in no list, and stays in histories. Changes are applied in the order of
        `added_us`. The result shares the memory of this recommender.
        """
        catalog, titles = self.catalog.with_changes(changes)
        recommender = copy.copy(self)
        recommender.catalog = catalog
        recommender._added = self._added.with_titles(
            catalog.num_bundle_items, titles, self.item_content
        )
        recommender.scorer = self.scorer.with_added(recommender._added)
        recommender.reranker = self.reranker.with_titles(catalog, titles, recommender._added)
        recommender._non_personalized = self._non_personalized.with_catalog(catalog)
        if self.rating_model is not None:
            ratings = AddedRatings(self.item_content, catalog.title)
            recommender.rating_model = replace(self.rating_model, added=ratings)
        return recommender

    @property
    def id_type(self) -> IdType:
        """Return "int" or "text", the type of the movie ids."""
        return id_type(self.movie_ids)

    @classmethod
    def load(
        cls, folder: str | Path, threads: int = 1, copies: Path | None = None
    ) -> "Recommender":
        """Read a bundle, verify it, and check its golden answers on this machine.

        threads: cores that one history may use in ONNX Runtime; 1 serves many requests best.
        copies: a folder for a copy of the arrays, which several processes then share.
        Raises InputError that names the file where a byte, a shape or a golden answer is off.

        Examples:
            >>> Recommender.load(bundle_folder).movie_ids[:3]
            array([ 1,  6, 10])
        """
        bundle = read_bundle(folder, copies)
        recommender = cls(bundle, threads)
        check_golden(recommender, bundle)
        bundle.release_pages()  # the draws of the rating model were copied
        return recommender

    def score(
        self, histories: Sequence[Iterable[HistoryEntry]], movie_ids: npt.ArrayLike | None = None
    ) -> Float32:
        """Score movies for B histories: logits, larger is better.

        histories: oldest entry first; the encoder reads the latest `history_length` entries of
        each. An empty history scores log(1 + number of ratings), the popular list.
        movie_ids: (C,), or (B, C) with own movies for each history; None: all I movies.

        Returns float32 (B, C), or (B, I) in the order of `movie_ids`. Scores of different users do
        not compare. Raises RequestError for an unknown movie or stars off the scale.

        Examples:
            >>> recommender.score([[50, (296, 4.5)], []], movie_ids=[1, 6, 10]).shape
            (2, 3)
        """
        user_histories = [self.catalog.parse_history(history) for history in histories]
        items = None if movie_ids is None else self.catalog.index_array(movie_ids, len(histories))
        return self.scorer.score(user_histories, items)

    def predict_stars(
        self, histories: Sequence[Iterable[HistoryEntry]], movie_ids: npt.ArrayLike
    ) -> Float32:
        """Predict expected stars, float32 (B, C), for movie_ids of shape (C,) or (B, C).

        Raises RequestError, code "no_ratings", where the bundle has no ratings.

        Examples:
            >>> recommender.predict_stars([[(50, 5.0), (296, 4.5)]], movie_ids=[1, 6]).shape
            (1, 2)
        """
        user_histories = [self.catalog.parse_history(history) for history in histories]
        items = self.catalog.index_array(movie_ids, len(user_histories))
        return self._rating_model().expected_ratings(user_histories, items)

    def star_probabilities(
        self, history: Iterable[HistoryEntry], movie_ids: npt.ArrayLike
    ) -> Float32:
        """Predict P(stars = r) of C movies, float32 (C, R) along the scale.

        Raises RequestError as `predict_stars` does.
        """
        items = self.catalog.index_array(movie_ids, 1).ravel()
        user_history = self.catalog.parse_history(history)
        return self._rating_model().rating_probabilities(user_history, items).astype(np.float32)

    def recommend(
        self,
        history: Iterable[HistoryEntry] = (),
        k: int = 10,
        *,
        offset: int = 0,
        filters: Mapping[str, Any] | None = None,
        include_ids: Iterable[Id] | None = None,
        exclude_ids: Iterable[Id] | None = None,
        exclude_seen: bool = True,
        calibration: float = 0.0,
        novelty: float = 0.0,
        freshness: float = 0.0,
        diversity: float = 0.0,
        genre_profile: Mapping[str, float] | None = None,
        explain: bool = False,
        not_interested: Iterable[Id] = (),
        viewer: Mapping[str, Any] | None = None,
        surface: str = "recommend",
    ) -> responses.RecommendResponse:
        """Recommend the k best movies for one history: POST /recommend.

        Items are ordered by score, then as in `movie_ids`, unless a control moves them. Pages join:
        the list of 20 begins with the list of 10. An item's `score` stays the network's.

        Args:
            history: entries, oldest first; empty: the popular list. An entry is a movie id,
                `(movie_id, stars)`, `(movie_id, stars, watched)`, or a mapping with `movie_id` and
                optional `stars` (a value of the scale), `watched` (share, 0..1) and `at` (RFC 3339
                text or a datetime with a zone). Where every entry has `at`, entries are sorted by
                it. A movie watched below .1 is seen and a weak dislike; from .9 on, without stars,
                it counts as liked: 4 stars of 5. Without ratings `stars` is ignored.
            k: number of movies, 1 or more.
            offset: places to skip, a response's `next_offset`.
            filters: `genres` (at least one of them), `exclude_genres` (none of them), `year_min`,
                `year_max` (inclusive), `min_ratings` (training ratings), `where` (attributes:
                marquee/recommender/eligibility/item_filter.py); all must hold.
            include_ids: the only candidates; None: all.
            exclude_ids: movies to leave out.
            exclude_seen: leave out the movies of the history.
            calibration: 0..1, towards the genre mix of the history, or of `genre_profile`.
            novelty: 0..1, towards movies that fewer users rated.
            freshness: 0..1, towards newer movies.
            diversity: 0..1, away from movies that are similar to those above them.
            genre_profile: genre -> weight, 0 or more, one above 0: the mix to follow instead of the
                history's; followed at full strength where `calibration` is 0.
            explain: add `because` to each item: the history entries, or genres, that raise it. It
                encodes the history once per entry.
            not_interested: movies that are never listed; the neighbors of the last 100 are demoted.
            viewer: what is known of the user, by name. The encoder reads the user features of the
                data set, `user_feature_names`; a missing one is unknown. `country` and `max_age`
                leave out what the viewer may not see.
            surface: the place at which the list is shown, for rules.

        Returns {items, strategy, model_version, next_offset}. An item is {movie_id, title, year,
        genres, score, stars?: {expected, low, high, p_like}, because?, num_ratings}; without
        ratings there are no `stars`. strategy is
        "history"; without a history "content" where there is a genre_profile, else "popular".
        next_offset is None on the last page.

        Raises RequestError for an unknown movie, genre, filter or key of an entry, stars off the
        scale, a control outside 0..1, k < 1 or offset < 0; its `field` names the argument.

        Examples:
            >>> history = [50, (296, 4.5), {"movie_id": 6, "watched": 0.95}]
            >>> response = recommender.recommend(history, k=2, filters={"year_min": 1995})
            >>> response["strategy"], len(response["items"]), response["next_offset"]
            ('history', 2, 2)
            >>> list(response["items"][0])
            ['movie_id', 'title', 'year', 'genres', 'score', 'stars', 'num_ratings']
        """
        query = RecommendQuery(
            history=history,
            k=k,
            offset=offset,
            filters=filters,
            include_ids=include_ids,
            exclude_ids=exclude_ids,
            exclude_seen=exclude_seen,
            calibration=calibration,
            novelty=novelty,
            freshness=freshness,
            diversity=diversity,
            genre_profile=genre_profile,
            explain=explain,
            not_interested=not_interested,
            viewer=viewer,
            surface=surface,
        )
        return self.recommend_query(query)

    def recommend_query(self, query: RecommendQuery) -> responses.RecommendResponse:
        """Answer one query as `recommend` does."""
        (response,) = self.recommend_batch([query])
        if isinstance(response, RequestError):
            raise response
        return response

    def recommend_batch(
        self, queries: Sequence[RecommendQuery]
    ) -> Iterator[responses.RecommendResponse | RequestError]:
        """Yield the response to each of B queries, or its error, in their order.

        Users share the encoder's and the head's work, so a batch costs less than B calls.

        Examples:
            >>> queries = [RecommendQuery(history=history, k=3) for history in ([50, 296], [7, 6])]
            >>> for response in recommender.recommend_batch(queries):
            ...     print(response if isinstance(response, RequestError) else response["strategy"])
            history
            movie 7: not in the catalog; find its id with /movies/search?q=TITLE
        """
        return self._pipeline.recommend_batch(queries)

    def predict(
        self, *, history: Iterable[HistoryEntry] = (), movie_ids: Iterable[Id]
    ) -> responses.PredictResponse:
        """Predict score and stars of these movies, in their order: POST /predict.

        history: as for `recommend`. Raises RequestError for an unknown movie.

        Examples:
            >>> response = recommender.predict(history=[(50, 5.0)], movie_ids=[296, 6])
            >>> [item["title"] for item in response["items"]], list(response["items"][0]["stars"])
            (['Pulp Fiction', 'Heat'], ['expected', 'low', 'high', 'p_like'])
        """
        user_history, item_K, score_K = self._score_movies(history, movie_ids)
        return self._predictions(user_history, item_K, score_K)

    def rerank(
        self,
        *,
        history: Iterable[HistoryEntry] = (),
        movie_ids: Iterable[Id],
        viewer: Mapping[str, Any] | None = None,
        surface: str = "rerank",
    ) -> responses.PredictResponse:
        """Sort these movies, best first, ties in the order of the request: POST /rerank.

        history: as for `recommend`. Movies that the viewer may not see now are left out. Raises
        RequestError for an unknown movie.

        Examples:
            >>> response = recommender.rerank(history=[(50, 5.0)], movie_ids=[480, 296, 6])
            >>> [item["title"] for item in response["items"]]
            ['Heat', 'Blade Runner', 'Pulp Fiction']
        """
        user_history, item_K, score_K = self._score_movies(history, movie_ids)
        rules = self.catalog.active_rules(surface, viewer)
        mask_I = self.catalog.candidate_mask(None, viewer=viewer, rules=rules)
        order = np.argsort(-score_K, kind="stable")
        order = order[mask_I[item_K[order]]]
        page = arranged(rules, self.catalog.attributes, item_K[order], score_K[order], mask_I)
        score_I = np.zeros(len(mask_I), np.float32)
        score_I[item_K] = score_K
        response = self._predictions(user_history, page.item_K, score_I[page.item_K])
        return {**response, "items": with_rule_names(response["items"], page)}

    def rate_next(
        self,
        *,
        history: Iterable[HistoryEntry] = (),
        k: int = 10,
        not_seen: Iterable[Id] = (),
        not_interested: Iterable[Id] = (),
        seed: int = 0,
        viewer: Mapping[str, Any] | None = None,
        surface: str = "rate_next",
    ) -> responses.RateNextResponse:
        """Sample k movies that the user should rate next: POST /rate_next.

        history: as for `recommend`; its movies, `not_seen` and `not_interested` are left out. The
        same arguments give the same sample; one seed per user gives different users different
        movies (marquee/recommender/elicitation.py). Titles that were added since the training are
        not asked about: nobody has seen them. The rules "exclude" and "require" hold; the others
        are for lists in an order.

        Returns {items, strategy, model_version}; an item is {movie_id, title, year, genres, stars?,
        why: {seen_probability, information?, scarcity}, num_ratings}, the largest product first.
        Raises RequestError for an unknown movie, or k < 1.

        Examples:
            >>> recommender.rate_next(history=[50, 296], k=1, seed=7)["items"][0]["title"]
            'Blade Runner 2049'
        """
        user_history = self.catalog.parse_history(history, not_interested)
        rules = self.catalog.active_rules(surface, viewer)
        mask_I = self.catalog.candidate_mask(None, viewer=viewer, rules=rules)
        mask_I[user_history.seen] = mask_I[user_history.not_interested] = False
        mask_I[self.catalog.indices_of(not_seen, "not_seen")] = False
        logit_I = self.scorer.score([user_history])[0] if len(user_history) else None
        n = self.catalog.num_bundle_items
        item_K, factors = self.elicitation.select(
            user_history.first_items(n),
            None if logit_I is None else logit_I[:n],
            mask_I[:n],
            k,
            seed,
        )
        stars = self._describe(user_history, item_K)
        columns = ({} if stars is None else {"stars": stars}) | {"why": factors}
        return {
            "items": self.catalog.to_records(item_K, columns),
            "strategy": choose_strategy(user_history),
            "model_version": self.model_version,
        }

    def similar(
        self,
        movie_ids: Iterable[Id],
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        *,
        offset: int = 0,
        exclude_ids: Iterable[Id] = (),
        viewer: Mapping[str, Any] | None = None,
        surface: str = "similar",
    ) -> responses.SimilarResponse:
        """Return a page of the movies nearest to these: POST /similar.

        The movies of the request are left out, and those of exclude_ids. `score` is the cosine to
        the mean of the request's movies, -1..1. Raises RequestError for an unknown movie, or none.

        Examples:
            >>> [item["title"] for item in recommender.similar([480], k=2)["items"]]
            ['Blade Runner 2049', 'GoldenEye']
        """
        items = self.catalog.indices_of(movie_ids, "movie_ids")
        if len(items) == 0:
            raise RequestError("movie_ids: empty, expected one or more", field="movie_ids")
        rules, catalog = self.catalog.active_rules(surface, viewer), self.catalog
        mask_I = catalog.candidate_mask(
            filters, exclude_ids=exclude_ids, viewer=viewer, rules=rules
        )
        mask_I[items] = False
        cosine_I, table = self.reranker.cosines(items), catalog.attributes
        score_I = boosted_scores(rules, table, cosine_I)
        page = ruled_page(
            rules,
            table,
            partial(top_page, score_I),
            score_I=score_I,
            mask_I=mask_I,
            k=k,
            offset=offset,
        )
        records = catalog.to_records(page.item_K, {"score": cosine_I[page.item_K].tolist()})
        return {
            "items": with_rule_names(records, page),
            "model_version": self.model_version,
            "next_offset": page.next_offset,
        }

    def charts(
        self,
        kind: responses.ChartKind,
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        *,
        offset: int = 0,
        exclude_ids: Iterable[Id] = (),
        viewer: Mapping[str, Any] | None = None,
        surface: str = "charts",
    ) -> responses.ChartsResponse:
        """Return a page of the movies that lead a non-personalized chart: POST /charts.

        Those of exclude_ids are left out. Equal scores are ordered by number of ratings; the stars
        are those of a user without a history. Raises RequestError for another kind than
        `chart_kinds`, which are those that the data allow
        (marquee/recommender/non_personalized.py).

        Examples:
            >>> [item["title"] for item in recommender.charts("popular", k=3)["items"]]
            ['Pulp Fiction', 'Toy Story', 'The Usual Suspects']
        """
        rules, catalog = self.catalog.active_rules(surface, viewer), self.catalog
        mask_I = catalog.candidate_mask(
            filters, exclude_ids=exclude_ids, viewer=viewer, rules=rules
        )
        chart_I, charts = self._non_personalized.scores(kind), self._non_personalized
        score_I = boosted_scores(rules, catalog.attributes, chart_I)
        page = ruled_page(
            rules,
            catalog.attributes,
            partial(charts.page, kind, score_I),
            score_I=score_I,
            mask_I=mask_I & np.isfinite(chart_I),
            k=k,
            offset=offset,
            is_by_score=False,  # equal scores have an order of their own
        )
        records = self._scored_records(EMPTY_HISTORY, page.item_K, chart_I[page.item_K])
        return {
            "items": with_rule_names(records, page),
            "kind": kind,
            "model_version": self.model_version,
            "next_offset": page.next_offset,
        }

    def _score_movies(
        self, history: Iterable[HistoryEntry], movie_ids: Iterable[Id]
    ) -> tuple[History, Int64, Float32]:
        user_history = self.catalog.parse_history(history)
        item_K = self.catalog.indices_of(movie_ids, "movie_ids")
        return user_history, item_K, self.scorer.score([user_history], item_K)[0]

    def _predictions(
        self, history: History, item_K: Int64, score_K: Float32
    ) -> responses.PredictResponse:
        return {
            "items": self._scored_records(history, item_K, score_K),
            "strategy": choose_strategy(history),
            "model_version": self.model_version,
        }

    def _scored_records(self, history: History, item_K: Int64, score_K: Float32) -> list[Any]:
        columns = score_columns(score_K, self._describe(history, item_K))
        return self.catalog.to_records(item_K, columns)

    def _describe(self, history: History, item_K: Int64) -> list[responses.Stars] | None:
        if self.rating_model is None:
            return None
        return next(self.rating_model.describe([history], [item_K]))

    def _rating_model(self) -> RatingModel:
        if self.rating_model is None:
            message = "stars: the data have no ratings, expected none; predict scores with score"
            raise RequestError(message, code="no_ratings")
        return self.rating_model
