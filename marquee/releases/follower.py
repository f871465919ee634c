"""What a service follows: the pointer of a store, from one release to the next.

    followed = ReleaseFollower("s3://movies/models/ml-1m", "/var/cache/marquee")
    for folder in followed.first(): …   # to start with, best first
    followed.newer()                    # every few seconds: None, or the folder of another release
    followed.took(folder)               # it answers now

The store away is no fault while there is something to serve.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from marquee.core.errors import InputError
from marquee.releases.cache import fetch, get_good, set_good
from marquee.releases.pointer import POINTER, Pointer
from marquee.releases.store import Stored, UnreachableError, open_store

AGAIN_S = 60.0
"""Until a release that was refused is fetched again: a whole bundle may come over each time."""


class ReleaseFollower:
    """Looks after one pointer and one cache; used by one thread at a time."""

    def __init__(self, url: str, cache: str | Path) -> None:
        """Raises InputError for an address that is none; nothing is asked yet."""
        self._store = open_store(url)
        self._cache = Path(cache) / re.sub(r"[^\w.-]+", "-", url.removeprefix("s3://")).strip("-")
        self._etag, self._version = "", ""
        self._refused, self._again_at = "", 0.0
        self._why = InputError(f"{url}: nothing to serve")
        self.away: bool | None = False
        """Whether the store did not answer when last asked, or refused to."""

    def first(self) -> Iterator[Path]:
        """Folders to start with: the promoted release, and what answered here before.

        Raises InputError, why the promoted one cannot be had, where there is nothing before it.
        """
        promoted = None
        with suppress(InputError):
            promoted = self.newer()
        before = get_good(self._cache)
        yield from dict.fromkeys(folder for folder in (promoted, before) if folder)
        if promoted is None and before is None:
            raise self._why

    def newer(self) -> Path | None:
        """The folder of a release that has been promoted since and is here in full, verified.

        Raises InputError where it is damaged or the store does not answer (`away` then).
        """
        found: Stored | None = None
        self.away = True  # keys that have expired leave us as blind as a broken line
        try:
            found = self._changed()
            if found is None:
                return None
            wanted = Pointer.of(found.content, self._store.url)
            folder = fetch(self._store, self._cache, wanted)
            self._etag = found.etag
            return None if wanted.version == self._version else folder
        except InputError as error:
            self._why, self.away = error, self.away or isinstance(error, UnreachableError)
            if found is not None and not self.away:
                self._refused, self._again_at = found.etag, time.monotonic() + AGAIN_S
            raise

    def _changed(self) -> Stored | None:
        """The pointer, where it is worth acting on."""
        known = self._etag
        found = self._store.newer(POINTER, known) if known else self._store.read(POINTER)
        self.away = False
        if found is None and not known:
            raise InputError(
                f"{self._store.url}: nothing has been promoted; "
                f"marquee releases promote VERSION {self._store.url}"
            )
        if found and found.etag == self._refused and time.monotonic() < self._again_at:
            return None
        return found

    def took(self, folder: Path) -> None:
        """This one answers now."""
        self._version = folder.name
        with suppress(InputError):  # on a full disk the next start finds the one before
            set_good(self._cache, folder)
