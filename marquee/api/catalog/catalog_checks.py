"""Checks of new titles against the catalog as it is, beside those of their form.

Each title is checked by itself, after the titles before it in the request.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from marquee.api.catalog.catalog_requests import MovieIn
from marquee.api.errors import malformed_error
from marquee.api.responses import RejectedMovie
from marquee.api.validation import Malformed
from marquee.core.ids import Id
from marquee.recommender.catalog.series import MAX_LEVELS
from marquee.recommender.catalog.title import Title
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import ForeignId, catalog_id
from marquee.recommender.recommender import Recommender

MAX_GENRES = 500  # of a catalog: each costs eight bytes a title
RESERVED = frozenset({*MovieIn.model_fields, "num_ratings"})
KINDS_OF_PARENT = {"season": ("series",), "episode": ("series", "season")}


class CatalogCheck:
    """The check of the titles of one request."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender, self._catalog = recommender, recommender.catalog
        self._genres = set(recommender.catalog.genre_names)
        self._documents: dict[Id, dict[str, Any]] = {}

    def check(
        self, movies: Sequence[MovieIn | Malformed]
    ) -> tuple[list[dict[str, Any]], list[RejectedMovie]]:
        """Return the documents to store, and the rejected titles."""
        documents, rejected = [], list[RejectedMovie]()
        for movie in movies:
            try:
                documents.append(self._document(movie))
            except RequestError as error:
                rejected.append(rejected_movie(movie, error))
        return documents, rejected

    def _document(self, movie: MovieIn | Malformed) -> dict[str, Any]:
        """Return the document of a title; RequestError for one that cannot be."""
        if isinstance(movie, Malformed):
            raise malformed_error(movie, root="movie")
        movie_id = self._own_id(movie.movie_id, "movie_id")
        document = movie.document() | {"movie_id": movie_id}
        if document.get("parent_id") is not None:
            document["parent_id"] = self._own_id(document["parent_id"], "parent_id")
        self._check_attributes(document.get("attributes") or {})
        self._check_vector(document.get("vector"))
        self._check_window(movie_id, document)
        self._check_parents(movie_id, document)
        self._check_genres(document.get("genres") or ())
        self._documents[movie_id] = self._documents.get(movie_id, {}) | document
        return document

    def _own_id(self, movie_id: ForeignId, field: str) -> Id:
        own_id = catalog_id(movie_id, self._recommender.id_type)
        if own_id is None:
            raise fault(field, movie_id, "an integer, as the ids of the data set are")
        return own_id

    def _check_attributes(self, attributes: dict[str, Any]) -> None:
        for name in attributes:
            if name in RESERVED:
                raise fault(f"attributes.{name}", name, "another name; it is a field of its own")

    def _check_vector(self, vector: Sequence[float] | None) -> None:
        if vector is None:
            return
        encoding = self._recommender.item_content.vector_encoding
        if encoding is None:
            raise fault("vector", f"{len(vector)} numbers", "none: the data set has no vector")
        if len(vector) != encoding.dim:
            raise fault("vector", f"{len(vector)} numbers", f"{encoding.dim}, as in the data set")

    def _check_window(self, movie_id: Id, document: dict[str, Any]) -> None:
        start, end = (
            self._value(movie_id, name, document) for name in ("available_from", "available_until")
        )
        if start is not None and end is not None and str(start) >= str(end):
            raise fault("available_until", end, f"a time after available_from, {start}")

    def _check_parents(self, movie_id: Id, document: dict[str, Any]) -> None:
        """Raise RequestError for a parent of another kind, and for one that is below the title."""
        parent = self._value(movie_id, "parent_id", document)
        kind = self._value(movie_id, "kind", document)
        if parent is None:
            return
        parent_kind = self._value(parent, "kind", {})
        allowed = KINDS_OF_PARENT.get(str(kind), ())
        if not allowed:
            raise fault("parent_id", parent, f"none for a {kind or 'movie'}; set kind as well")
        if parent_kind is not None and parent_kind not in allowed:
            raise fault("parent_id", f"a {parent_kind}", f"a {' or a '.join(allowed)}")
        for _ in range(MAX_LEVELS):
            if parent == movie_id:
                raise fault("parent_id", document.get("parent_id"), "no title below this one")
            parent = None if parent is None else self._value(parent, "parent_id", {})

    def _check_genres(self, genres: Iterable[str]) -> None:
        all_genres = self._genres | set(genres)
        if len(all_genres) > MAX_GENRES and all_genres != self._genres:
            message = f"{len(all_genres)} genres in the catalog"
            raise fault("genres", message, f"at most {MAX_GENRES}; use attributes for others")
        self._genres = all_genres

    def _value(self, movie_id: Id, name: str, document: dict[str, Any]) -> Any:
        """Return a value of a title after a change, and after those of this request."""
        if name in document:
            return document[name]
        if name in self._documents.get(movie_id, {}):
            return self._documents[movie_id][name]
        title = self._title(movie_id)
        return None if title is None else title.value(name)

    def _title(self, movie_id: Id) -> Title | None:
        if not self._catalog.has_movie(movie_id):
            return None
        return self._catalog.title(self._catalog.item(movie_id))


def rejected_movie(movie: MovieIn | Malformed, error: RequestError) -> RejectedMovie:
    value = movie.value if isinstance(movie, Malformed) else {"movie_id": movie.movie_id}
    movie_id = value.get("movie_id") if isinstance(value, dict) else None
    rejected: RejectedMovie = {"code": error.code, "message": str(error)}
    if isinstance(movie_id, str | int | float) and not isinstance(movie_id, bool):
        rejected["movie_id"] = str(movie_id) if isinstance(movie_id, float) else movie_id
    return rejected


def fault(field: str, value: object, expected: str) -> RequestError:
    return RequestError(f"{field}: {str(value)[:80]}, expected {expected}", field=field)
