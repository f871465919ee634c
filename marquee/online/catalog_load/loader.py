"""Send titles to the service, a thousand a request, and keep what it rejects.

loader = CatalogLoader(service)
loader.load(titles)
loader.num_accepted, loader.rejected
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.online.catalog_load.service import TOO_LARGE, Answer, Service
from marquee.online.catalog_load.title_file import FileTitle

MAX_TITLES = 1_000
"""Of one request, as the service takes them."""
MAX_BODY_BYTES = 1 << 20
FRAME = b'{"movies":[%b]}'
TITLES_PER_REPORT = 10_000
MAX_KEPT = 100_000
"""Rejected titles that are kept; more are counted."""
INVALID, TIMEOUT = "invalid", "timeout"


@dataclass(frozen=True)
class SentTitle:
    """A title and its document as JSON."""

    title: FileTitle
    text: bytes


@dataclass(frozen=True, kw_only=True)
class RejectedTitle:
    """A title that is not in the catalog as its row has it."""

    row: int
    movie_id: str
    code: str
    message: str
    text: str


class CatalogLoader:
    """The titles that were sent so far, and those that were rejected."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.num_accepted, self.num_rejected = 0, 0
        self.rejected: list[RejectedTitle] = []
        self._last_accepted: SentTitle | None = None

    def load(self, titles: Iterable[FileTitle], num_titles: int) -> None:
        """Send all titles in order; InputError where none of the first is accepted."""
        reported = 0
        for batch in self._batches(titles):
            self._put(batch)
            if self._last_accepted is None and self.rejected:
                raise none_accepted(len(batch), self.rejected[0].message)
            num_done = self.num_accepted + self.num_rejected
            if num_done - reported >= TITLES_PER_REPORT:
                reported = num_done
                say(f"{num_done:,} of {num_titles:,} titles")

    def reject(self, title: FileTitle, code: str, message: str) -> None:
        """Count a rejected title."""
        self.num_rejected += 1
        if len(self.rejected) < MAX_KEPT:
            text = orjson.dumps(title.document).decode() if title.document else ""
            self.rejected.append(
                RejectedTitle(
                    row=title.row, movie_id=title.movie_id, code=code, message=message, text=text
                )
            )

    def _batches(self, titles: Iterable[FileTitle]) -> Iterator[list[SentTitle]]:
        """Yield as many titles as fit a request."""
        batch, size = list[SentTitle](), len(FRAME)
        for title in titles:
            if title.fault is not None:
                self.reject(title, INVALID, title.fault)
                continue
            sent = SentTitle(title, orjson.dumps(title.document))
            if batch and (len(batch) == MAX_TITLES or size + len(sent.text) + 1 > MAX_BODY_BYTES):
                yield batch
                batch, size = [], len(FRAME)
            batch.append(sent)
            size += len(sent.text) + 1
        if batch:
            yield batch

    def _put(self, batch: Sequence[SentTitle], front: Sequence[SentTitle] = ()) -> None:
        """Send titles; in halves what is too large, too slow, or refused as a whole.

        The service refuses a request as a whole where no title has the form of one. Sent behind a
        title that it has taken, each is judged by itself: `front` is that title.
        """
        is_one = len(batch) == 1
        body = FRAME % b",".join(sent.text for sent in (*front, *batch))
        refusals = (INVALID, TOO_LARGE) if is_one else (INVALID, TOO_LARGE, TIMEOUT)
        answer = self._service.call("PUT", "/movies", body, refusals=refusals)
        if answer.status == 200:
            self._count(answer, batch, len(front))
        elif answer.code == INVALID and self._last_accepted is None:
            raise none_accepted(len(batch), answer.message)
        elif is_one:
            self.reject(batch[0].title, answer.code, answer.message)
        else:
            if answer.code == INVALID and self._last_accepted is not None:
                front = (self._last_accepted,)
            middle = len(batch) // 2
            self._put(batch[:middle], front)
            self._put(batch[middle:], front)

    def _count(self, answer: Answer, batch: Sequence[SentTitle], num_front: int) -> None:
        titles = {sent.title.movie_id: sent for sent in batch}
        try:
            self.num_accepted += int(answer.content["accepted"]) - num_front
            rejected = [
                (titles[str(reject["movie_id"])].title, reject["code"], reject["message"])
                for reject in answer.content["rejected"]
            ]
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"{self._service.url}: an answer of another form, expected that of PUT /movies; "
                "check the address, and the version of the service"
            ) from None
        for title, code, message in rejected:
            self.reject(title, code, message)
        rejected_ids = {title.movie_id for title, _, _ in rejected}
        accepted = [sent for movie_id, sent in titles.items() if movie_id not in rejected_ids]
        self._last_accepted = accepted[-1] if accepted else self._last_accepted


def none_accepted(num_titles: int, message: str) -> InputError:
    return InputError(
        f"none of the first {num_titles:,} titles is accepted ({message}), expected titles as "
        "PUT /movies takes them; name columns with --column, or leave them out with --skip"
    )
