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

RETRY_REFUSED_S = 60.0
"""Until a refused release is fetched again: each time may transfer a whole bundle."""


class ReleaseFollower:
    """One pointer and one cache; used by one thread at a time."""

    def __init__(self, url: str, cache: str | Path) -> None:
        """Raise InputError for a bad address; the store is not read yet."""
        self._store = open_store(url)
        self._cache = Path(cache) / re.sub(r"[^\w.-]+", "-", url.removeprefix("s3://")).strip("-")
        self._etag, self._version = "", ""
        self._refused_etag, self._retry_at_s = "", 0.0
        self._last_error = InputError(f"{url}: no release to serve")
        self.unavailable: bool | None = False
        """True where the store did not answer the last request, or refused it."""

    def candidates(self) -> Iterator[Path]:
        """Yield folders for the start: the promoted release, then the one that served last.

        Raises InputError, with the promoted one's reason, where there is neither.
        """
        promoted = None
        with suppress(InputError):
            promoted = self.fetch_newer()
        previous = get_good(self._cache)
        yield from dict.fromkeys(folder for folder in (promoted, previous) if folder)
        if promoted is None and previous is None:
            raise self._last_error

    def fetch_newer(self) -> Path | None:
        """Fetch and verify a release that has been promoted since; None where there is none.

        Raises InputError where it is damaged, or the store does not answer (then `unavailable`).
        """
        stored: StoredObject | None = None
        self.unavailable = True  # expired keys leave the service as blind as a broken network
        try:
            stored = self._changed_pointer()
            if stored is None:
                return None
            pointer = Pointer.from_json(stored.content, self._store.url)
            folder = fetch(self._store, self._cache, pointer)
            self._etag = stored.etag
            return None if pointer.version == self._version else folder
        except InputError as error:
            self._last_error = error
            self.unavailable = self.unavailable or isinstance(error, UnreachableError)
            if stored is not None and not self.unavailable:
                self._refused_etag = stored.etag
                self._retry_at_s = time.monotonic() + RETRY_REFUSED_S
            raise

    def _changed_pointer(self) -> StoredObject | None:
        """Read the pointer; None where it has not changed, or was refused a moment ago."""
        if self._etag:
            stored = self._store.read_if_changed(POINTER, self._etag)
        else:
            stored = self._store.read(POINTER)
        self.unavailable = False
        if stored is None and not self._etag:
            raise InputError(
                f"{self._store.url}: nothing has been promoted; "
                f"marquee releases promote VERSION {self._store.url}"
            )
        if stored and stored.etag == self._refused_etag and time.monotonic() < self._retry_at_s:
            return None
        return stored

    def mark_active(self, folder: Path) -> None:
        """Record that this release serves now."""
        self._version = folder.name
        with suppress(InputError):  # on a full disk the next start finds the previous one
            set_good(self._cache, folder)
