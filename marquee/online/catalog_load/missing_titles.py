"""The titles of the service's catalog that a file does not hold, and their deletion."""

from collections.abc import Iterator
from urllib.parse import urlencode

import duckdb
import orjson

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.data.source_tables.sql import row_of
from marquee.online.catalog_load.service import Service

IDS_PER_PAGE = 1_000
DELETIONS_PER_REPORT = 1_000
MISSING_SQL = "FROM catalog_ids ANTI JOIN file_ids USING (id)"


class MissingTitles:
    """Titles of the catalog before the load that the file does not hold."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, service: Service) -> None:
        """Read the ids of the catalog; the table `file_ids` is there."""
        self._connection, self._service = connection, service
        connection.execute("CREATE TEMP TABLE catalog_ids (id VARCHAR)")
        for ids in catalog_pages(service):
            connection.execute("INSERT INTO catalog_ids SELECT unnest(?)", [ids])
        self.num_catalog, self.num_missing = row_of(
            connection, f"SELECT (SELECT count(*) FROM catalog_ids), count(*) {MISSING_SQL}"
        )

    def refuse_above_half(self, name: str) -> None:
        """Raise InputError where the file holds less than half of the catalog."""
        num_held = self.num_catalog - self.num_missing
        if 2 * num_held < self.num_catalog:
            raise InputError(
                f"{name}: {num_held:,} of {self.num_catalog:,} titles of the catalog, expected at "
                "least half of them with --delete-missing; check the file, or add --force"
            )

    def delete(self) -> int:
        """Delete the titles; return how many were there."""
        query = f"SELECT id {MISSING_SQL} ORDER BY id"
        num_deleted = 0
        ids = [movie_id for (movie_id,) in self._connection.execute(query).fetchall()]
        for number, movie_id in enumerate(ids, start=1):
            body = orjson.dumps({"movie_id": movie_id})
            answer = self._service.call("POST", "/movies/delete", body, refusals=("unknown_movie",))
            num_deleted += int(answer.content.get("deleted", 0))
            if number % DELETIONS_PER_REPORT == 0:
                say(f"{number:,} of {len(ids):,} deletions")
        return num_deleted


def catalog_pages(service: Service) -> Iterator[list[str]]:
    """Yield the ids of the catalog as text, page by page."""
    cursor: str | None = None
    while True:
        params = {"limit": IDS_PER_PAGE} | ({} if cursor is None else {"cursor": cursor})
        content = service.call("GET", f"/movies?{urlencode(params)}").content
        try:
            ids = [str(movie["movie_id"]) for movie in content["items"]]
            cursor = content["next_cursor"]
        except (KeyError, TypeError):
            raise InputError(
                f"{service.url}: an answer of another form, expected that of GET /movies; check "
                "the address, and the version of the service"
            ) from None
        yield ids
        if cursor is None:
            return
