"""Titles of the catalog as they are answered."""

from typing import Any, cast

from marquee.api.responses import CatalogMovie
from marquee.recommender.catalog.title import Title

OWN_FIELDS = (
    *("kind", "parent_id", "number", "runtime_min", "countries"),
    *("available_from", "available_until", "min_age", "artwork_url"),
)


def catalog_movie(title: Title) -> CatalogMovie:
    """Return all that is known of a title, without what it has not."""
    fields: dict[str, Any] = {
        "movie_id": title.movie_id,
        "title": title.title,
        "year": title.year,
        "genres": list(title.genres),
        "num_ratings": title.num_ratings,
    }
    known = {name: value for name, value in title.attributes.items() if value is not None}
    fields |= {name: known.pop(name) for name in OWN_FIELDS if name in known}
    if title.titles:
        fields["titles"] = dict(title.titles)
    if known:
        fields["attributes"] = known
    return cast(CatalogMovie, fields)
