"""Ids from outside, of requests and of the event store, in the type of a catalog's ids.

    catalog_id("7", "int"), catalog_id("07", "int"), catalog_id(7, "text")     # 7, None, "7"
    known_ids(catalog, [50, "7", "07"], unknown)                               # [50, 7]

A request may send 5 for "5". A stored id may be of an older bundle whose ids had the other type.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from marquee.core.id_limits import integer_of
from marquee.core.ids import Id, IdType, id_type
from marquee.recommender.errors import unknown_movie
from marquee.recommender.history import HistoryEntry, StoredEntry
from marquee.recommender.item_catalog import ItemCatalog

ForeignId: TypeAlias = Id | float
"""An id as JSON has it; a fraction is no id of any catalog."""


def catalog_id(movie_id: ForeignId, catalog_type: IdType) -> Id | None:
    """Return the id in the type of a catalog's ids; None if it does not fit.

    Of integers, "5" is 5, and "05" is none. Of text, 5 is "5", and "05" another id.
    """
    if isinstance(movie_id, float):
        return None
    if catalog_type == "text":
        return str(movie_id)
    if isinstance(movie_id, int):
        return movie_id
    return integer_of(movie_id)


def known_id(catalog: ItemCatalog, movie_id: ForeignId) -> Id | None:
    """Return the catalog's id of one from outside; None where it holds no such movie."""
    own_id = catalog_id(movie_id, id_type(catalog.movies.movie_id))
    return own_id if own_id is not None and catalog.has_movie(own_id) else None


def require_movie(catalog: ItemCatalog, movie_id: ForeignId) -> Id:
    """Return the catalog's id of one from outside; RequestError if unknown."""
    own_id = known_id(catalog, movie_id)
    if own_id is None:
        raise unknown_movie(movie_id, "movie_id")
    return own_id


def known_ids(
    catalog: ItemCatalog, movie_ids: Iterable[ForeignId], unknown: dict[ForeignId, None]
) -> list[Id]:
    """Return the catalog's ids of those from outside; add the others to `unknown`."""
    known = []
    for movie_id in movie_ids:
        own_id = known_id(catalog, movie_id)
        if own_id is None:
            unknown[movie_id] = None
        else:
            known.append(own_id)
    return known


def stored_entries(catalog: ItemCatalog, entries: Sequence[StoredEntry]) -> Sequence[StoredEntry]:
    """Return stored entries with the catalog's ids; unknown ones stay as they are."""
    if all(catalog.has_movie(entry[0]) for entry in entries):
        return entries
    own_ids = [known_id(catalog, entry[0]) for entry in entries]
    return [
        entry if own_id is None else (own_id, *entry[1:])
        for own_id, entry in zip(own_ids, entries, strict=True)
    ]


def stored_history(catalog: ItemCatalog, entries: Sequence[StoredEntry]) -> list[HistoryEntry]:
    """Return the stored entries that the catalog can read, as a history."""
    return [entry for _, entry in catalog.usable_entries(stored_entries(catalog, entries))]
