"""A source as a DuckDB view, with what is needed to name a file and a line of it later."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marquee.core.errors import InputError

BLOCK_BYTES = 1 << 20
NO_REJECTS = (
    "SELECT NULL::VARCHAR AS file, NULL::BIGINT AS line, NULL::VARCHAR AS reason, "
    "NULL::VARCHAR AS raw LIMIT 0"
)
Place = tuple[str, int]
"""A file as it was given, and a line of it; of Parquet and databases a row."""


@dataclass(frozen=True)
class SourceFile:
    path: str  # as it was given; of a database the address without its password
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class LocalFile:
    """A file on this disk: the caller's own, or what was fetched for an address."""

    name: str  # as messages show it
    path: Path
    size: int
    mtime_ns: int  # of the copy here
    source_mtime_ns: int

    @classmethod
    def of(
        cls, path: Path, name: str | None = None, source_mtime_ns: int | None = None
    ) -> "LocalFile":
        stat = path.stat()
        mtime_ns = stat.st_mtime_ns
        return cls(name or str(path), path, stat.st_size, mtime_ns, source_mtime_ns or mtime_ns)


class Digests:
    """SHA-256 of files in a thread beside the reading; hashlib lets other threads run."""

    def __init__(self, files: Sequence[LocalFile]) -> None:
        self._files = files
        self._hashes: list[hashlib._Hash] = []
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for file in self._files:
                with file.path.open("rb") as stream:
                    self._hashes.append(hashlib.file_digest(stream, "sha256"))
        except OSError as error:
            self._error = error

    def finish(self) -> tuple[SourceFile, ...]:
        """Wait for the thread; InputError for a file that has changed meanwhile."""
        self._thread.join()
        if self._error is not None:
            raise InputError(
                f"{self._error.filename}: not readable ({self._error.strerror}), expected a file "
                "that stays while it is read; run again"
            )
        for file in self._files:
            now = file.path.stat()
            if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
                raise InputError(
                    f"{file.name}: changed while it was read, expected a file that nobody writes; "
                    "copy it, and run again"
                )
        return tuple(
            SourceFile(file.name, file.size, file.source_mtime_ns, digest.hexdigest())
            for file, digest in zip(self._files, self._hashes, strict=True)
        )

    def followed_by(self, paths: Sequence[Path]) -> str:
        """Return the SHA-256 of the first file and others, one after the other."""
        digest = self._hashes[0].copy()
        for path in paths:
            with path.open("rb") as stream:
                hashlib.file_digest(stream, lambda: digest)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    view: str
    """Name of a view with the source's own columns and rows, in its order."""
    columns: dict[str, str]
    """Column -> DuckDB's type; a nested one is also there by its dotted name."""
    is_text: bool
    """The values are the text of a file, exactly as written; an empty field is NULL."""
    option: str
    name: str
    """The source as messages show it."""
    notes: tuple[str, ...] = ()
    """Sentences on what was recognised."""
    repeated: tuple[str, ...] = ()
    """Names that several columns have: none of these is in the view."""
    is_named: bool = True
    """The columns' names are of the file or of the caller."""
    digests: Digests | None = None
    sources: tuple[SourceFile, ...] = ()
    objects: str | None = None
    """Of JSON: a query of the rows as they were written, in the one column `object`."""
    reject_query: Callable[[], str] = field(default=lambda: NO_REJECTS)
    place_of: Callable[[Sequence[int]], list[Place]] | None = None
    check_end: Callable[[], None] = field(default=lambda: None)

    def rejects_sql(self) -> str:
        """Return a query of unreadable lines: file, line, reason, raw. After a scan."""
        return self.reject_query()

    def locate(self, rows: Sequence[int]) -> list[Place]:
        """Return file and line of rows of the view, counted from 0, ascending.

        It may read the files again: for rows that are bad, not for all.
        """
        if self.place_of is None or not len(rows):
            return [(self.name, int(row) + 1) for row in rows]
        return self.place_of(rows)

    def finish(self) -> tuple[SourceFile, ...]:
        """Return the files with their SHA-256, after the last scan.

        Raises InputError for a file that changed while it was read, and for one whose rows were
        lost behind a quote that nothing closes.
        """
        self.check_end()
        return self.digests.finish() if self.digests else self.sources
