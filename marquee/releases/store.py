"""The interface of a store of releases: a folder, or a bucket of S3.

    store = open_store("s3://movies/models/ml-1m")     # or a folder: open_store("models/ml-1m")
    store.create("a.json", b"{}")                      # False: another writer was first
    store.swap("a.json", b"[]", store.read("a.json").etag)

Conditional writes keep two writers apart: `create` if nothing is stored yet, `swap` if the object
still is the one that was read (its ETag). Everything else may be repeated without harm.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from marquee.core.errors import InputError


class UnreachableError(InputError):
    """The store does not answer now; the same request may succeed later."""


@dataclass(frozen=True)
class StoredObject:
    """A small object and its ETag, which differs if the content differs."""

    content: bytes
    etag: str


@dataclass(frozen=True)
class ListedObject:
    """An entry of a listing: an object by its key within the store."""

    key: str
    size: int
    modified: float
    """Unix seconds."""


class Store(Protocol):
    """A store of objects by relative keys with slashes.

    Every method raises InputError with a remedy.
    """

    url: str

    def read(self, key: str, known_etag: str = "") -> StoredObject | None:
        """Read a small object; None if it is missing or still has the ETag `known_etag`."""

    def create(self, key: str, content: bytes) -> bool:
        """Write an object if the key is free; return whether it was written."""

    def swap(self, key: str, content: bytes, etag: str) -> bool:
        """Write an object if the stored one has this ETag; return whether it was written."""

    def upload(self, path: Path, key: str) -> None:
        """Store a file of any size, complete or not at all."""

    def download(self, key: str, path: Path, size: int) -> None:
        """Fetch an object of `size` bytes; the file may be incomplete if this raises."""

    def listed(self, prefix: str) -> list[ListedObject]:
        """List every object whose key starts with the prefix, in the order of keys."""

    def delete(self, keys: list[str]) -> None:
        """Delete objects; missing ones are passed over."""

    def refuse_unconditional(self) -> None:
        """Raise InputError for a server that ignores conditions of `create` and `swap`."""
