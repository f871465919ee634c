"""The recommender as a library: what the service answers, this computes; no HTTP, no torch.

    r = Recommender.load("bundles/ml-1m")
    r.recommend(history=[1193, (661, 5.0)], k=10)["items"][0]["title"]

A history is what a person watched, oldest first; its entries are `movie_id`, `(movie_id, stars)` or
`(movie_id, stars, portion)` (see marquee/recommender/history.py). One request over 3,700 movies takes some
1.5 ms on one core, half of it for the stars.

Shapes: B people, I movies of the bundle, n movies asked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.movies import Movies
from marquee.recommender.bundle import Bundle, read_bundle
from marquee.recommender.elicitation import RatingElicitation
from marquee.recommender.errors import RequestError
from marquee.recommender.filters import Filters
from marquee.recommender.golden import check_golden
from marquee.recommender.history import Entry, History, Stored, read_history
from marquee.recommender.item_catalog import Card, ItemCatalog
from marquee.recommender.non_personalized import Charts
from marquee.recommender.pipeline import NO_CONTROLS, Answer, RankingPipeline, strategy
from marquee.recommender.query import Question
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.rerank import Reranker
from marquee.recommender.scoring import Scorer
from marquee.recommender.topk import page

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

NOBODY = History(*(np.zeros(0, np.int64),) * 3)


class Recommender:
    """One bundle, ready to answer. Threads may share it: what changes after load is only kept."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        manifest, arrays = bundle.manifest, bundle.arrays
        self.manifest: dict[str, Any] = manifest
        self.movies: Movies = bundle.movies
        self.num_ratings: Int64 = arrays["num_ratings"]
        self.cards = ItemCatalog(self.movies, self.num_ratings)
        self._star_of = {float(stars): 1 + s for s, stars in enumerate(manifest["scale"])}
        self.scorer = Scorer(bundle, threads)
        self.star_model = RatingModel.of(bundle)
        self._filters = Filters(self.movies, self.num_ratings)
        num_users = manifest["data"]["num_users"]
        self.shelf = Reranker(self.movies, self.num_ratings, num_users, arrays["item_vector"])
        given = self.cards, self._star_of, self._filters, self.scorer, self.shelf, self.star_model
        self._lister = RankingPipeline(*given, self.model_version)
        self.asking = RatingElicitation(self.num_ratings, num_users, self.star_model)
        self._charts = Charts(
            self.movies, self.num_ratings, arrays["num_recent"], self.star_model.of_strangers
        )

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> "Recommender":
        """Read a bundle, verify it, and ask it its golden questions.

        threads: cores that one history may use in ONNX Runtime; 1 serves many requests best.
        Raises InputError that names the file where a byte, a shape or a golden answer is off.
        """
        bundle = read_bundle(folder)
        recommender = cls(bundle, threads)
        check_golden(recommender, bundle)
        return recommender

    @property
    def movie_ids(self) -> Int64:
        """(I,) int64 movie ids, ascending: the column order of `score`."""
        return self.movies.movie_id

    @property
    def model_version(self) -> str:
        """64 hex digits that name this bundle's exact content."""
        return str(self.manifest["model_version"])

    def score(
        self, histories: Sequence[Iterable[Entry]], movie_ids: npt.ArrayLike | None = None
    ) -> Float32:
        """Logits of B histories -> float32 (B, I), or (B, n) for movie_ids of shape (n,) or (B, n).

        A longer history is cut to its latest `history_length` films. Who has none gets
        log(1 + number of ratings): the popular list. Larger is better; scores of different
        people do not compare. Raises RequestError for an unknown movie or stars off the scale.
        """
        people = [self._history(entries) for entries in histories]
        rows = None if movie_ids is None else self._rows_of_ids(movie_ids, len(people))
        return self.scorer.of(people, rows)

    def predict_stars(
        self, histories: Sequence[Iterable[Entry]], movie_ids: npt.ArrayLike
    ) -> Float32:
        """Expected stars, float32 (B, n), for movie_ids of shape (n,) or (B, n)."""
        people = [self._history(entries) for entries in histories]
        rows = self._rows_of_ids(movie_ids, len(people))
        rows_Bn = np.broadcast_to(rows, (len(people), rows.shape[-1]))
        out = np.empty(rows_Bn.shape, dtype=np.float32)
        for b, history in enumerate(people):
            out[b] = self.star_model.expected(history, rows_Bn[b])
        return out

    def star_chances(self, history: Iterable[Entry], movie_ids: npt.ArrayLike) -> Float32:
        """P(stars = s) of n movies for one history, float32 (n, K), in the order of the scale."""
        rows = self.cards.rows(np.asarray(movie_ids).tolist(), "movie_ids")
        return self.star_model.chances(self._history(history), rows).astype(np.float32)

    def recommend(self, **asked: Any) -> Answer:
        """The k best movies from place `offset` on: what POST /recommend answers.

        asked: the fields of `Question`: history, k, filters, diversity, explain, …
        Returns {items, strategy, model_version, next_offset}; an item is {movie_id, title, year,
        genres, score, stars: {expected, low, high, p_like}, because?, support}. strategy is
        "history"; without one "content" where there is a genre_profile, else "popular".
        next_offset is None on the last page. Raises RequestError for an unknown movie, genre or
        filter, a control outside 0..1, k < 1 or offset < 0.
        """
        return self.answer(Question(**asked))

    def answer(self, question: Question) -> Answer:
        """`recommend`, of a Question."""
        (answer,) = self.recommend_each([question])
        if isinstance(answer, RequestError):
            raise answer
        return answer

    def recommend_each(self, questions: Sequence[Question]) -> Iterator[Answer | RequestError]:
        """`recommend` for B questions, an answer or what is wrong with the question, in their
        order (marquee/recommender/pipeline.py)."""
        return self._lister.of(questions)

    def predict(self, *, history: Iterable[Entry] = (), movie_ids: Iterable[int]) -> Answer:
        """Score, stars and support of these movies, in the order asked: POST /predict."""
        person = self._history(history)
        rows = self.cards.rows(movie_ids, "movie_ids")
        return self._scored(person, rows, self.scorer.of([person], rows)[0])

    def rerank(self, *, history: Iterable[Entry] = (), movie_ids: Iterable[int]) -> Answer:
        """The same movies, best first, ties in the order asked: POST /rerank."""
        person = self._history(history)
        rows = self.cards.rows(movie_ids, "movie_ids")
        score_n = self.scorer.of([person], rows)[0]
        order = np.argsort(-score_n, kind="stable")
        return self._scored(person, rows[order], score_n[order])

    def rate_next(
        self,
        *,
        history: Iterable[Entry] = (),
        k: int = 10,
        not_seen: Iterable[int] = (),
        not_interested: Iterable[int] = (),
        seed: int = 0,
    ) -> Answer:
        """k films to ask this person to rate: what POST /rate_next answers.

        not_seen, not_interested: movie ids never to ask for again, nor is one of the history. The films
        are drawn (marquee/recommender/elicitation.py): the same arguments give the same films, another seed (one
        for each person, say) other ones, so that not everybody is asked for the same.
        Returns {items, strategy, model_version}; an item is {movie_id, title, year, genres, stars,
        why: {seen_probability, information, scarcity}, support}, the largest product first.
        Raises RequestError for an unknown movie, or k < 1.
        """
        person = self._history(history, not_interested)
        keep_I = np.ones(len(self.movies), dtype=bool)
        keep_I[person.seen] = keep_I[person.refused] = False
        keep_I[self.cards.rows(not_seen, "not_seen")] = False
        logit_I = self.scorer.of([person])[0] if len(person) else None
        factors = self.asking.factors(person, logit_I)
        rows = factors.queue(keep_I, k, seed)
        (stars,) = self.star_model.describe([person], [rows])
        why = map(factors.why, rows.tolist())
        return {
            "items": self.cards.items(rows, stars=stars, why=why),
            "strategy": strategy(person, NO_CONTROLS),
            "model_version": self.model_version,
        }

    def similar(
        self, movie_ids: Iterable[int], k: int = 10, filters: Mapping[str, Any] | None = None
    ) -> Answer:
        """The k movies nearest to these by cosine (to the mean of several): POST /similar.

        The movies asked about are left out. `score` is the cosine, -1..1; no stars, nobody asks.
        """
        asked = self.cards.rows(movie_ids, "movie_ids")
        if len(asked) == 0:
            raise RequestError("no movie to compare with; give one", field="movie_ids")
        keep_I = self._filters.mask(filters)
        keep_I[asked] = False
        direction_ID = self.shelf.direction_ID
        mean_D = direction_ID[np.unique(asked)].mean(axis=0)
        cosine_I = direction_ID @ (mean_D / max(float(np.linalg.norm(mean_D)), 1e-12))
        rows, _ = page(cosine_I, keep_I, k, 0)
        items = self.cards.items(rows, score=cosine_I[rows].tolist())
        return {"items": items, "model_version": self.model_version}

    def charts(self, kind: str, k: int = 10, filters: Mapping[str, Any] | None = None) -> Answer:
        """The k movies that lead a chart (marquee/recommender/non_personalized.py), equal ones by number of ratings:
        POST /charts. Stars are those of a stranger."""
        score_I = self._charts.scores(kind)
        keep_I = self._filters.mask(filters) & np.isfinite(score_I)
        order = self._charts.best_known
        rows, _ = page(score_I[order], keep_I[order], k, 0)
        rows = order[rows]
        items = self._items(rows, score_I[rows], NOBODY)
        return {"items": items, "kind": kind, "model_version": self.model_version}

    def named(self, movie_id: int) -> Answer:
        """One movie as `item` shows it; one that the bundle does not hold is its id only."""
        return self.item(movie_id) if self.knows(movie_id) else {"movie_id": movie_id}

    def item(self, movie_id: int) -> Answer:
        """One movie: {movie_id, title, year, genres, support}."""
        return self.cards.items(self.cards.rows([movie_id], "movie_id"))[0]

    def knows(self, movie_id: int) -> bool:
        """Whether the bundle holds this movie."""
        return movie_id in self.cards.row_of

    @property
    def scale(self) -> list[float]:
        """The star values that can be given, ascending."""
        return list(self._star_of)

    def on_scale(self, stars: float) -> bool:
        """Whether these stars can be given."""
        return stars in self._star_of

    def held(self, movie_ids: Iterable[int]) -> list[int]:
        """Those that the bundle holds, in their order."""
        return [movie_id for movie_id in movie_ids if self.knows(movie_id)]

    def readable(self, stored: Iterable[Stored]) -> Iterator[tuple[int, Entry]]:
        """A stored history as this bundle can read it: (time, entry), in its order.

        Left out: movies that the bundle does not hold, and stars given on another scale than the
        bundle's (the film still counts).
        """
        for movie_id, stars, portion, at_us in stored:
            if self.knows(movie_id):
                yield at_us, (movie_id, stars if stars in self._star_of else None, portion)

    def _history(self, entries: Iterable[Entry], not_interested: Iterable[int] = ()) -> History:
        return read_history(entries, self.cards.row_of, self._star_of, not_interested)

    def _scored(self, person: History, rows: Int64, score_n: Float32) -> Answer:
        return {
            "items": self._items(rows, score_n, person),
            "strategy": strategy(person, NO_CONTROLS),
            "model_version": self.model_version,
        }

    def _items(self, rows: Int64, score_n: Float32, person: History) -> list[Card]:
        (stars,) = self.star_model.describe([person], [rows])
        return self.cards.items(rows, score=score_n.tolist(), stars=stars)

    def _rows_of_ids(self, movie_ids: npt.ArrayLike, num_people: int) -> Int64:
        ids = np.asarray(movie_ids)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != num_people):
            raise RequestError(
                f"movie_ids has shape {ids.shape}; give (n,) or ({num_people}, n)",
                field="movie_ids",
            )
        return self.cards.rows(ids.ravel().tolist(), "movie_ids").reshape(ids.shape)
