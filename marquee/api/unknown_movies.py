"""Movies of a request: in the catalog's type of ids, or skipped and named in the answer.

    request, unknown_ids = skip_unknown(catalog, request)
    response = name_unknown(recommender.predict(...), unknown_ids)

A service may hold an older bundle than its caller's catalog, so no such movie fails a request. An
id is named as it was sent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from marquee.api.errors import malformed_error
from marquee.api.requests import HistoryEntry, UserRequest
from marquee.api.validation import Malformed
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import ForeignId, known_id, known_ids
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.responses import (
    ChartsResponse,
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SimilarResponse,
)

Request = TypeVar("Request", bound=UserRequest)
Response = TypeVar(
    "Response",
    RecommendResponse,
    PredictResponse,
    RateNextResponse,
    SimilarResponse,
    ChartsResponse,
)
ID_LISTS = ("include_ids", "exclude_ids", "movie_ids")


def skip_unknown(catalog: ItemCatalog, request: Request) -> tuple[Request, list[ForeignId]]:
    """Return the request with its known movies, and the other ids, each once.

    Raises RequestError for stars off the scale, here where their place in the request is known.
    """
    changes: dict[str, Any] = {}
    unknown: dict[ForeignId, None] = {}
    if request.history:
        _check_stars(catalog, request.history)
        has_movie: Callable[[Any], bool] = catalog.has_movie  # False for a fraction, too
        if not all(has_movie(entry.movie_id) for entry in request.history):
            changes["history"] = _known_entries(catalog, request.history, unknown)
    fields = vars(request)  # getattr for a field that this request has not costs 3 us
    for name in ID_LISTS:
        movie_ids = fields.get(name)
        if movie_ids and not all(map(catalog.has_movie, movie_ids)):
            changes[name] = known_ids(catalog, movie_ids, unknown)
    return (request.model_copy(update=changes) if changes else request), list(unknown)


def missing_viewer(
    viewer: Mapping[str, Any] | None, required: Sequence[str]
) -> RequestError | None:
    """Return the error of a request that lacks something of its viewer."""
    for name in required:
        if (viewer or {}).get(name) is None:
            message = f"viewer.{name}: missing, expected it in every request for a list"
            return RequestError(message, field=f"viewer.{name}")
    return None


def skip_or_error(
    catalog: ItemCatalog, request: Request | Malformed, required: Sequence[str] = ()
) -> tuple[Request, list[ForeignId]] | RequestError:
    """Do as skip_unknown, but return an error, also that of a malformed request."""
    if isinstance(request, Malformed):
        return malformed_error(request, root="request")
    if error := missing_viewer(getattr(request, "viewer", None), required):
        return error
    try:
        return skip_unknown(catalog, request)
    except RequestError as error:
        return error


def name_unknown(response: Response, unknown_ids: Sequence[ForeignId]) -> Response:
    """Return the response, which names the movies that were skipped, if any were."""
    if not unknown_ids:
        return response
    return cast(Response, {**response, "unknown_ids": list(unknown_ids)})


def _known_entries(
    catalog: ItemCatalog, entries: Iterable[HistoryEntry], unknown: dict[ForeignId, None]
) -> list[HistoryEntry]:
    known = []
    for entry in entries:
        own_id = known_id(catalog, entry.movie_id)
        if own_id is None:
            unknown[entry.movie_id] = None
        else:
            is_own = own_id is entry.movie_id
            known.append(entry if is_own else entry.model_copy(update={"movie_id": own_id}))
    return known


def _check_stars(catalog: ItemCatalog, entries: Sequence[HistoryEntry]) -> None:
    if not catalog.scale:  # without ratings, stars are taken and say nothing
        return
    allowed = frozenset(catalog.scale)
    for n, entry in enumerate(entries):
        if entry.stars is not None and entry.stars not in allowed:
            scale = ", ".join(f"{value:g}" for value in catalog.scale)
            raise RequestError(
                f"history entry {n}: {entry.stars:g} stars is off the scale, expected one of "
                f"{scale}",
                field=f"history.{n}.stars",
            )
