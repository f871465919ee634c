"""Movies of a request that the bundle does not hold: they are skipped, and named in the answer.

    request, unknown_ids = skip_unknown(catalog, request)
    response = name_unknown(recommender.predict(...), unknown_ids)

A service may hold an older bundle than its caller's catalog, so no such movie fails a request.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from marquee.api.errors import malformed_error
from marquee.api.requests import HistoryEntry, UserRequest
from marquee.api.validation import Malformed
from marquee.recommender.errors import RequestError
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.responses import (
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SimilarResponse,
)

Request = TypeVar("Request", bound=UserRequest)
Response = TypeVar(
    "Response", RecommendResponse, PredictResponse, RateNextResponse, SimilarResponse
)
ID_LISTS = ("include_ids", "exclude_ids", "movie_ids")


def skip_unknown(catalog: ItemCatalog, request: Request) -> tuple[Request, list[int]]:
    """Return the request without unknown movies, and their ids, each once.

    Raises RequestError for stars off the scale, here where their place in the request is known.
    """
    changes: dict[str, Any] = {}
    unknown: dict[int, None] = {}
    if request.history:
        _check_stars(catalog, request.history)
        entries = [entry for entry in request.history if catalog.has_movie(entry.movie_id)]
        if len(entries) < len(request.history):
            unknown |= unknown_of(catalog, [entry.movie_id for entry in request.history])
            changes["history"] = entries
    fields = vars(request)  # getattr for a field that this request has not costs 3 us
    for name in ID_LISTS:
        movie_ids = fields.get(name)
        if movie_ids and (missing := unknown_of(catalog, movie_ids)):
            unknown |= missing
            changes[name] = catalog.known_ids(movie_ids)
    return (request.model_copy(update=changes) if changes else request), list(unknown)


def skip_or_error(
    catalog: ItemCatalog, request: Request | Malformed
) -> tuple[Request, list[int]] | RequestError:
    """Do as skip_unknown, but return an error, also that of a malformed request."""
    if isinstance(request, Malformed):
        return malformed_error(request, root="request")
    try:
        return skip_unknown(catalog, request)
    except RequestError as error:
        return error


def unknown_of(catalog: ItemCatalog, movie_ids: Sequence[int]) -> dict[int, None]:
    return {movie_id: None for movie_id in movie_ids if not catalog.has_movie(movie_id)}


def name_unknown(response: Response, unknown_ids: Sequence[int]) -> Response:
    """Return the response, which names the movies that were skipped, if any were."""
    if not unknown_ids:
        return response
    return cast(Response, {**response, "unknown_ids": list(unknown_ids)})


def _check_stars(catalog: ItemCatalog, entries: Sequence[HistoryEntry]) -> None:
    allowed = frozenset(catalog.scale)
    for n, entry in enumerate(entries):
        if entry.stars is not None and entry.stars not in allowed:
            scale = ", ".join(f"{value:g}" for value in catalog.scale)
            raise RequestError(
                f"history entry {n}: {entry.stars:g} stars is off the scale, expected one of "
                f"{scale}",
                field=f"history.{n}.stars",
            )
