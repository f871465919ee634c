"""Handlers of the catalog: titles are put, deleted and listed, and every worker follows.

A write is acknowledged when the store has it and this worker answers with it. The others of this
service take it before their next list, other replicas within a second.
"""

from marquee.api import responses
from marquee.api.catalog import catalog_requests
from marquee.api.catalog.catalog_checks import CatalogCheck
from marquee.api.catalog.catalog_records import catalog_movie
from marquee.api.catalog.catalog_writes import CatalogWrites
from marquee.api.process.catalog_follower import CatalogFollower
from marquee.api.requests import MovieIdRequest, MovieParams
from marquee.catalog.catalog_store import CatalogStore
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import require_movie


class CatalogHandlers:
    """The handlers of one catalog."""

    def __init__(
        self, store: CatalogStore, follower: CatalogFollower, writes: CatalogWrites
    ) -> None:
        self._store, self._follower, self._writes = store, follower, writes

    async def put_movies(self, request: catalog_requests.MoviesRequest) -> responses.MoviesReceipt:
        """Store each title that can be; RequestError where none can."""
        model = await self._follower.current()
        documents, rejected = CatalogCheck(model.recommender).check(request.movies)
        if documents:
            await self._writes.run(self._store.put_movies, documents)
        return {"accepted": len(documents), "rejected": rejected}

    async def delete_movie(self, params: MovieParams | MovieIdRequest) -> responses.DeleteResponse:
        """Delete a title; RequestError for one that neither bundle nor store has."""
        catalog = (await self._follower.current()).recommender.catalog
        own_id = require_movie(catalog, params.movie_id)
        was_deleted = catalog.title(catalog.item(own_id)).is_deleted
        await self._writes.run(self._store.delete_movies, [own_id])
        return {"deleted": 0 if was_deleted else 1}

    async def movie(self, params: MovieParams | MovieIdRequest) -> responses.CatalogMovie:
        """Return one title; RequestError for an unknown one, or a deleted one."""
        catalog = (await self._follower.current()).recommender.catalog
        own_id = require_movie(catalog, params.movie_id)
        title = catalog.title(catalog.item(own_id))
        if title.is_deleted:
            message = f"movie {own_id}: deleted from the catalog; PUT /movies brings it back"
            raise RequestError(message, code="unknown_movie", field="movie_id")
        movie = catalog_movie(title)
        if title.attributes.get("kind") in ("series", "season", "episode"):
            following = catalog.next_episode(own_id)
            if following is not None:
                movie["next_episode"] = following
        return movie

    async def movies(self, params: catalog_requests.MoviesPageParams) -> responses.MoviesPage:
        """Return a page of the catalog, by id, without deleted titles."""
        catalog = (await self._follower.current()).recommender.catalog
        items, next_cursor = catalog.page(params.cursor, params.limit)
        return {
            "items": [catalog_movie(catalog.title(item)) for item in items],
            "next_cursor": next_cursor,
        }
