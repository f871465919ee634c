"""A title of the catalog as it is now: what the bundle knows, and what was said of it since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from marquee.core.ids import Id
from marquee.core.movies import Movies
from marquee.recommender.item_content import ItemAttributes


class TitleChange(Protocol):
    """Everything that a platform has said of one title.

    document: fields of `PUT /movies`; one that is absent is as in the bundle, None clears it.
    added_us: Unix microseconds at which the platform first spoke of the title.
    """

    @property
    def movie_id(self) -> Id: ...
    @property
    def document(self) -> Mapping[str, Any]: ...
    @property
    def is_deleted(self) -> bool: ...
    @property
    def added_us(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class CatalogChange:
    """A TitleChange made by hand."""

    movie_id: Id
    document: Mapping[str, Any]
    is_deleted: bool = False
    added_us: int = 0


OWN_VALUES = frozenset({"title", "year", "genres", "num_ratings"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """The values of one item, of which the bundle or a platform may have said each."""

    movie_id: Id
    title: str
    year: int | None = None
    genres: tuple[str, ...] = ()
    num_ratings: int = 0
    titles: Mapping[str, str] = field(default_factory=dict)
    """By language; search finds them, too."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Further values by name, of the data set and of `PUT /movies`: countries, min_age, …"""
    vector: Sequence[float] | None = None
    is_deleted: bool = False
    added_us: int | None = None
    """None for a title of the bundle."""

    def value(self, name: str) -> Any:
        """Return a value by the name that filters use; None where there is none."""
        if name in OWN_VALUES:
            return getattr(self, name)
        return self.attributes.get(name)

    def changed(self, change: TitleChange) -> "Title":
        """Return the title after a change, which says all that was ever said of it."""
        document = dict(change.document)
        document.pop("movie_id", None)
        attributes = dict(self.attributes)
        if "attributes" in document:
            changed = document.pop("attributes")
            attributes = {} if changed is None else attributes | changed
        own: dict[str, Any] = {}
        if "title" in document:
            own["title"] = document.pop("title") or str(self.movie_id)
        if "titles" in document:
            own["titles"] = document.pop("titles") or {}
        if "genres" in document:
            own["genres"] = tuple(document.pop("genres") or ())
        own |= {name: document.pop(name) for name in ("year", "vector") if name in document}
        return replace(
            self,
            **own,
            attributes={**attributes, **document},
            is_deleted=change.is_deleted,
            added_us=change.added_us if self.added_us is not None else None,
        )

    def content(self, vector_feature: str | None) -> ItemAttributes:
        """Return what the content half of the item tower reads."""
        features = dict(self.attributes)
        if vector_feature is not None and self.vector is not None:
            features[vector_feature] = self.vector
        return ItemAttributes(
            title=self.title, year=self.year, genres=self.genres, features=features
        )


def new_title(change: TitleChange) -> Title:
    """Return a title that the bundle does not hold, before anything is said of it."""
    title = str(change.movie_id)
    return Title(movie_id=change.movie_id, title=title, added_us=change.added_us)


def changed_movies(
    movies: Movies, titles: Mapping[int, Title], num_added: int, bundle_movies: Movies
) -> Movies:
    """Return the movies with other titles, by item, of which the last are added.

    Where all are added the lists grow in place, unless they are the bundle's, or have grown. So
    a list may be longer than `len(movies)`.
    """
    num_items = len(movies) + num_added
    added_ids = [titles[item].movie_id for item in range(len(movies), num_items)]
    movie_id = np.concatenate([movies.movie_id, np.array(added_ids, movies.movie_id.dtype)])
    names, years, genres = movies.title, movies.year, movies.genres
    is_own = movies is not bundle_movies and len(names) == len(movies)
    if not is_own or len(titles) > num_added:
        size = len(movies)
        names, years, genres = names[:size], years[:size], genres[:size]
    names += [""] * num_added
    years += [None] * num_added
    genres += [()] * num_added
    for item, title in titles.items():
        names[item], years[item], genres[item] = title.title, title.year, title.genres
    return Movies(movie_id, names, years, genres)
