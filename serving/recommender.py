"""The recommender as a library: what the service answers, this computes; no HTTP, no torch.

    r = Recommender.load("bundles/ml-1m")
    r.recommend(history=[1193, (661, 5.0)], k=10)["items"][0]["title"]

A history is what a person watched, oldest first; its entries are `movie_id`, `(movie_id, stars)` or
`(movie_id, stars, portion)` (see serving/history.py). One request over 3,700 movies takes some
1.5 ms on one core, half of it for the stars.

Shapes: B people, I movies of the bundle, n movies asked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catalogue.errors import UserError
from catalogue.movies import Movies
from serving.bundle import REMAKE, Bundle, read_bundle
from serving.encoder import Encoder, Head
from serving.errors import RequestError, unknown_movie
from serving.filters import Filters
from serving.history import Entry, History, Rated, read_history
from serving.ranking import page
from serving.rate_next import Asking
from serving.rerank import Controls, Shelf
from serving.stars import StarModel

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Answer = dict[str, Any]

GOLDEN_TOLERANCE = 1e-4
PEOPLE_TOGETHER = 256
"""Scored together by `recommend_many`: over 62,000 movies their logits take 63 MB."""
NO_CONTROLS = Controls()


class Recommender:
    """One bundle, ready to answer. Threads may share it: nothing changes after load."""

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        manifest, arrays = bundle.manifest, bundle.arrays
        self.manifest: dict[str, Any] = manifest
        self.movies: Movies = bundle.movies
        self.num_ratings: Int64 = arrays["num_ratings"]
        self._row_of = {movie_id: row for row, movie_id in enumerate(self.movie_ids.tolist())}
        self._star_of = {float(stars): 1 + s for s, stars in enumerate(manifest["scale"])}
        self._encoder = Encoder(
            bundle.encoder, arrays["item_vector"], manifest["history_length"], threads
        )
        self._head = Head.of(arrays)
        self.star_model = StarModel.of(bundle)
        self._filters = Filters(self.movies, self.num_ratings)
        self.shelf = Shelf(self.movies, self.num_ratings, manifest["data"]["num_users"])
        self.asking = Asking(self.num_ratings, manifest["data"]["num_users"], self.star_model)
        self._popular_I = np.log1p(self.num_ratings).astype(np.float32)
        length_I1 = np.linalg.norm(arrays["item_vector"], axis=1, keepdims=True)
        self.direction_ID = arrays["item_vector"] / np.maximum(length_I1, 1e-12)

    @classmethod
    def load(cls, folder: str | Path, threads: int = 1) -> "Recommender":
        """Read a bundle, verify it, and ask it its golden questions.

        threads: cores that one history may use in ONNX Runtime; 1 serves many requests best.
        Raises UserError that names the file where a byte, a shape or a golden answer is off.
        """
        bundle = read_bundle(folder)
        recommender = cls(bundle, threads)
        for n, golden in enumerate(bundle.golden):
            recommender._check_golden(bundle.folder / "golden.json", n, golden)
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
        return self._score(people, rows)

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
        rows = self._rows(np.asarray(movie_ids).tolist(), "movie_ids")
        return self.star_model.chances(self._history(history), rows).astype(np.float32)

    def recommend(
        self,
        *,
        history: Iterable[Entry] = (),
        k: int = 10,
        offset: int = 0,
        exclude_seen: bool = True,
        filters: Mapping[str, Any] | None = None,
        include_ids: Iterable[int] | None = None,
        exclude_ids: Iterable[int] | None = None,
        calibration: float = 0.0,
        novelty: float = 0.0,
        freshness: float = 0.0,
        genre_profile: Mapping[str, float] | None = None,
    ) -> Answer:
        """The k best movies from place `offset` on: what POST /recommend answers.

        filters: genres, exclude_genres, year_min, year_max, min_ratings. include_ids: only these
        are candidates (seen ones still leave, unless exclude_seen=False). Order: score, then
        movie id, unless a control moves it: calibration (towards the genre mix of the history, or
        of genre_profile, {genre: weight}), novelty and freshness, each 0..1; serving/rerank.py says
        what they do. `score` stays the network's.
        Returns {items, strategy, model_version, next_offset}; an item is {movie_id, title, year,
        genres, score, stars: {expected, low, high, p_like}, support}. strategy is "history", or
        "popular" where the history is empty; next_offset is None on the last page.
        Raises RequestError for an unknown movie, genre or filter, a control outside 0..1, k < 1 or
        offset < 0.
        """
        controls = Controls(calibration, novelty, freshness, genre_profile)
        person = self._history(history)
        keep_I = self._candidates(filters, include_ids, exclude_ids)
        if exclude_seen:
            keep_I[person.seen] = False
        return self._best(person, self._score([person])[0], keep_I, controls, k, offset)

    def recommend_many(
        self, histories: Sequence[Iterable[Entry]], k: int = 10, controls: Controls = NO_CONTROLS
    ) -> Iterator[Answer]:
        """`recommend(history=…, k=k)` for B people, one answer each, in their order.

        The histories are encoded PEOPLE_TOGETHER at a time, which moves a score by rounding only.
        """
        keep_I = self._candidates(None, None, None)
        for start in range(0, len(histories), PEOPLE_TOGETHER):
            people = [self._history(one) for one in histories[start : start + PEOPLE_TOGETHER]]
            for person, score_I in zip(people, self._score(people), strict=True):
                keep_I[person.seen] = False
                yield self._best(person, score_I, keep_I, controls, k, 0)
                keep_I[person.seen] = True

    def predict(self, *, history: Iterable[Entry] = (), movie_ids: Iterable[int]) -> Answer:
        """Score, stars and support of these movies, in the order asked: POST /predict."""
        person = self._history(history)
        rows = self._rows(movie_ids, "movie_ids")
        return {
            "items": self._items(rows, self._score([person], rows)[0], person),
            "strategy": _strategy(person),
            "model_version": self.model_version,
        }

    def rate_next(
        self,
        *,
        history: Iterable[Entry] = (),
        k: int = 10,
        not_seen: Iterable[int] = (),
        not_for_me: Iterable[int] = (),
        seed: int = 0,
    ) -> Answer:
        """k films to ask this person to rate: what POST /rate_next answers.

        not_seen, not_for_me: movie ids never to ask for again, nor is one of the history. The films
        are drawn (serving/rate_next.py): the same arguments give the same films, another seed (one
        for each person, say) other ones, so that not everybody is asked for the same.
        Returns {items, strategy, model_version}; an item is {movie_id, title, year, genres, stars,
        support, why: {seen_probability, information, scarcity}}, the largest product first.
        Raises RequestError for an unknown movie, or k < 1.
        """
        person = self._history(history)
        keep_I = np.ones(len(self.movies), dtype=bool)
        refused = (self._rows(not_seen, "not_seen"), self._rows(not_for_me, "not_for_me"))
        keep_I[np.concatenate([person.seen, *refused])] = False
        logit_I = self._score([person])[0] if len(person) else None
        factors = self.asking.factors(person, logit_I)
        rows = factors.queue(keep_I, k, seed)
        items = self._items(rows, None, person)
        _add(items, "why", map(factors.why, rows.tolist()))
        return {
            "items": items,
            "strategy": _strategy(person),
            "model_version": self.model_version,
        }

    def similar(
        self, movie_ids: Iterable[int], k: int = 10, filters: Mapping[str, Any] | None = None
    ) -> Answer:
        """The k movies nearest to these by cosine (to the mean of several): POST /similar.

        The movies asked about are left out. `score` is the cosine, -1..1; no stars, nobody asks.
        """
        asked = self._rows(movie_ids, "movie_ids")
        if len(asked) == 0:
            raise RequestError("no movie to compare with; give one", field="movie_ids")
        keep_I = self._candidates(filters, None, None)
        keep_I[asked] = False
        mean_D = self.direction_ID[np.unique(asked)].mean(axis=0)
        cosine_I = self.direction_ID @ (mean_D / max(float(np.linalg.norm(mean_D)), 1e-12))
        rows, _ = page(cosine_I, keep_I, k, 0)
        return {"items": self._items(rows, cosine_I[rows]), "model_version": self.model_version}

    def item(self, movie_id: int) -> Answer:
        """One movie: {movie_id, title, year, genres, support}."""
        if movie_id not in self._row_of:
            raise unknown_movie(movie_id, "movie_id")
        return self._items(self._rows([movie_id], "movie_id"))[0]

    def knows(self, movie_id: int) -> bool:
        """Whether the bundle holds this movie."""
        return movie_id in self._row_of

    def readable(self, stored: Iterable[Rated]) -> Iterator[tuple[int, Entry]]:
        """A stored history as this bundle can read it: (Unix seconds, entry), in its order.

        Left out: movies that the bundle does not hold, and stars given on another scale than the
        bundle's (the film still counts).
        """
        for movie_id, stars, at_s in stored:
            if movie_id in self._row_of:
                yield at_s, (movie_id, stars if stars in self._star_of else None)

    def _history(self, entries: Iterable[Entry]) -> History:
        return read_history(entries, self._row_of, self._star_of)

    def _score(self, people: Sequence[History], rows: Int64 | None = None) -> Float32:
        """Logits of every movie, or of `rows` (n,) or (B, n)."""
        width = len(self.movies) if rows is None else rows.shape[-1]
        out = np.empty((len(people), width), dtype=np.float32)
        known = [history for history in people if len(history)]
        halves = self._encoder(known)
        shared = self._view(rows) if rows is None or rows.ndim == 1 else None
        for b, history in enumerate(people):
            head, popular = shared or self._view(rows[b] if rows is not None else None)
            out[b] = head.logits(*next(halves)) if len(history) else popular
        return out

    def _view(self, rows: Int64 | None) -> tuple[Head, Float32]:
        """What scores these rows: for who has a history, and for who has none."""
        if rows is None:
            return self._head, self._popular_I
        return self._head.take(rows), self._popular_I[rows]

    def _best(
        self,
        person: History,
        score_I: Float32,
        keep_I: npt.NDArray[np.bool_],
        controls: Controls,
        k: int,
        offset: int,
    ) -> Answer:
        rows, next_offset = self.shelf.page(score_I, keep_I, person.item, controls, k, offset)
        return {
            "items": self._items(rows, score_I[rows], person),
            "strategy": _strategy(person),
            "model_version": self.model_version,
            "next_offset": next_offset,
        }

    def _rows(self, movie_ids: Iterable[int], field: str) -> Int64:
        rows = []
        for n, movie_id in enumerate(movie_ids):
            row = self._row_of.get(movie_id)
            if row is None:
                raise unknown_movie(movie_id, f"{field}.{n}")
            rows.append(row)
        return np.array(rows, dtype=np.int64)

    def _rows_of_ids(self, movie_ids: npt.ArrayLike, num_people: int) -> Int64:
        ids = np.asarray(movie_ids)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != num_people):
            raise RequestError(
                f"movie_ids has shape {ids.shape}; give (n,) or ({num_people}, n)",
                field="movie_ids",
            )
        return self._rows(ids.ravel().tolist(), "movie_ids").reshape(ids.shape)

    def _candidates(
        self,
        filters: Mapping[str, Any] | None,
        include_ids: Iterable[int] | None,
        exclude_ids: Iterable[int] | None,
    ) -> npt.NDArray[np.bool_]:
        keep_I = self._filters.mask(filters)
        if include_ids is not None:
            only_I = np.zeros(len(keep_I), dtype=bool)
            only_I[self._rows(include_ids, "include_ids")] = True
            keep_I &= only_I
        if exclude_ids is not None:
            keep_I[self._rows(exclude_ids, "exclude_ids")] = False
        return keep_I

    def _items(
        self, rows: Int64, scores: Float32 | None = None, person: History | None = None
    ) -> list[Answer]:
        """Movies in the one item shape; what does not apply is absent."""
        movies = self.movies
        items: list[Answer] = [
            {
                "movie_id": int(movies.movie_id[row]),
                "title": movies.title[row],
                "year": movies.year[row],
                "genres": list(movies.genres[row]),
            }
            for row in rows.tolist()
        ]
        if scores is not None:
            _add(items, "score", scores.tolist())
        if person is not None:
            _add(items, "stars", self.star_model.describe(person, rows))
        _add(items, "support", self.num_ratings[rows].tolist())
        return items

    def _check_golden(self, path: Path, n: int, golden: Mapping[str, Any]) -> None:
        history = [tuple(entry) for entry in golden["history"]]
        got = self.score([history], golden["movie_ids"])[0]
        off = float(np.abs(got - np.asarray(golden["scores"], dtype=np.float32)).max(initial=0.0))
        top = [item["movie_id"] for item in self.recommend(history=history)["items"]]
        if not off <= GOLDEN_TOLERANCE:
            raise UserError(f"{path}: answer {n} is off by {off:.2g} in its scores; {REMAKE}")
        stars = self.predict_stars([history], golden["movie_ids"])[0]
        off = float(np.abs(stars - np.asarray(golden["stars"], dtype=np.float32)).max(initial=0.0))
        if not off <= GOLDEN_TOLERANCE:
            raise UserError(f"{path}: answer {n} is off by {off:.2g} in its stars; {REMAKE}")
        if top == golden["top"]:
            return
        # Two films may change places on another processor, but only where their scores agree.
        pair = self.score([history], [*top, *golden["top"]])[0]
        if len(top) != len(golden["top"]) or not np.allclose(
            pair[: len(top)], pair[len(top) :], rtol=0, atol=GOLDEN_TOLERANCE
        ):
            raise UserError(f"{path}: answer {n} is {golden['top']}, found {top}; {REMAKE}")


def _strategy(person: History) -> str:
    return "history" if len(person) else "popular"


def _add(items: list[Answer], name: str, values: Iterable[Any]) -> None:
    for item, value in zip(items, values, strict=True):
        item[name] = value
