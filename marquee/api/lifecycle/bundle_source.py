"""Sources of bundles: a folder in which a bundle is replaced, or a store of releases.

source = open_source("bundles/ml-1m", cache="runs/releases")
for folder in source.candidates(): …    # to start with, best first
source.fetch_newer()                    # every few seconds: None, or a newer bundle's folder
source.mark_active(folder)              # its bundle answers now
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

from marquee.releases.follower import ReleaseFollower

FolderState: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, inode, size and time of change of each file."""


class BundleSource(Protocol):
    """A source of bundles; used by one thread at a time."""

    unavailable: bool | None
    """True while it does not answer; None for a folder on this machine's disk."""

    def candidates(self) -> Iterator[Path]:
        """Yield folders to start with, best first. Raises InputError where there is none."""

    def fetch_newer(self) -> Path | None:
        """Return the folder of a newer bundle, if any.

        Raises InputError if it is damaged.
        """

    def mark_active(self, folder: Path) -> None:
        """Record that this folder's bundle answers now."""


class BundleFolder:
    """One folder, in which another bundle may replace the current one."""

    unavailable: bool | None = None

    def __init__(self, bundle: str) -> None:
        self._bundle, self._state = Path(bundle), folder_state(bundle)

    def candidates(self) -> Iterator[Path]:
        """Yield the folder."""
        yield self._bundle

    def fetch_newer(self) -> Path | None:
        """Return the folder where its files have changed."""
        state = folder_state(str(self._bundle))
        if not state or state == self._state:  # empty: between the two renames of a replacement
            return None
        self._state = state
        return self._bundle

    def mark_active(self, folder: Path) -> None:
        """Do nothing: there is one folder only."""


def open_source(bundle: str, cache: str) -> BundleSource:
    """Return a store of releases, or the folder of a bundle.

    A store of releases is an s3:// address, or a folder with `versions`.

    Args:
        bundle: the setting BUNDLE.
        cache: the setting BUNDLE_CACHE, for the releases of a store.
    """
    if bundle.startswith("s3://") or Path(bundle, "versions").is_dir():
        return ReleaseFollower(bundle, cache)
    return BundleFolder(bundle)


def folder_state(folder: str) -> FolderState:
    """Return a fingerprint of a folder's state; empty if it is missing."""
    try:
        stats = [(path.name, path.stat()) for path in Path(folder).iterdir()]
    except OSError:
        return frozenset()
    return frozenset((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats)
