"""Follow the pointer of a store from one release to the next.

    follower = ReleaseFollower("s3://movies/models/ml-1m", "/var/cache/marquee")
    for folder in follower.candidates(): …   # for the start, best first
    follower.fetch_newer()                   # every few seconds: None, or another release's folder
    follower.mark_active(folder)             # it serves now

An unavailable store is no error while there is a release to serve.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from marquee.core.errors import InputError
from marquee.releases.bundle_cache import fetch, get_good, set_good
from marquee.releases.open_store import open_store
from marquee.releases.pointer import POINTER, Pointer
from marquee.releases.store import StoredObject, UnreachableError
from marquee.releases.versions import nothing_promoted

RETRY_REFUSED_S = 60.0
"""Until a refused release is fetched again: each time may transfer a whole bundle."""


class ReleaseFollower:
    """A follower of one pointer, with one cache; used by one thread at a time."""

    def __init__(self, url: str, cache: str | Path) -> None:
        """Raise InputError for a bad address; the store is not read yet."""
        self._store = open_store(url)
        self._cache = Path(cache) / re.sub(r"[^\w.-]+", "-", url.removeprefix("s3://")).strip("-")
        self._etag, self._version = "", ""
        self._refused_etag, self._retry_at_s = "", 0.0
        self._last_error = InputError(f"{url}: no release to serve")
        self.unavailable: bool | None = False
        """True if the store did not answer the last request, or refused it."""

    def candidates(self) -> Iterator[Path]:
        """Yield folders to start with: the promoted release, then the last that served.

        Raises InputError, with the promoted one's reason, if there is neither.
        """
        promoted = None
        with suppress(InputError):
            promoted = self.fetch_newer()
        previous = get_good(self._cache)
        yield from dict.fromkeys(folder for folder in (promoted, previous) if folder)
        if promoted is None and previous is None:
            raise self._last_error

    def fetch_newer(self) -> Path | None:
        """Fetch and verify a release that has been promoted since; None if none has.

        Raises InputError if it is damaged, or the store does not answer (then `unavailable`).
        """
        pointer_object: StoredObject | None = None
        self.unavailable = True  # expired keys leave the service as blind as a broken network
        try:
            pointer_object = self._changed_pointer()
            if pointer_object is None:
                return None
            pointer = Pointer.from_json(pointer_object.content, self._store.url)
            folder = fetch(self._store, self._cache, pointer)
            self._etag = pointer_object.etag
            return None if pointer.version == self._version else folder
        except InputError as error:
            self._last_error = error
            self.unavailable = self.unavailable or isinstance(error, UnreachableError)
            if pointer_object is not None and not self.unavailable:
                self._refused_etag = pointer_object.etag
                self._retry_at_s = time.monotonic() + RETRY_REFUSED_S
            raise

    def _changed_pointer(self) -> StoredObject | None:
        """Read the pointer; None if it has not changed, or was refused a moment ago."""
        pointer_object = self._store.read(POINTER, known_etag=self._etag)
        self.unavailable = False
        if pointer_object is None and not self._etag:
            raise nothing_promoted(self._store)
        is_refused = pointer_object is not None and pointer_object.etag == self._refused_etag
        return None if is_refused and time.monotonic() < self._retry_at_s else pointer_object

    def mark_active(self, folder: Path) -> None:
        """Record that this release serves now."""
        self._version = folder.name
        with suppress(InputError):  # on a full disk the next start finds the previous one
            set_good(self._cache, folder)
