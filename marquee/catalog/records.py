"""Rows of the catalog's tables as they come back: titles, rules, audit, and pages of changes."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from marquee.core.ids import Id

Document: TypeAlias = dict[str, Any]
"""Values of JSON by field."""
LAST_KEY = "~"
"""Sorts behind every movie key, which begins with a digit, a minus or a quote."""


@dataclass(frozen=True, kw_only=True)
class StoredMovie:
    """Everything that a platform has said of one title, put together."""

    movie_id: Id
    document: Document
    """Fields of `PUT /movies`. One that is absent is as in the bundle, one that is None is
    cleared."""
    is_deleted: bool
    """Deleted titles keep their document, for a `PUT` that revives them."""
    version: int
    """Version of the catalog with the last change of the title."""
    added_us: int
    """Unix microseconds of the first change."""
    changed_us: int
    """Unix microseconds of the last change."""


@dataclass(frozen=True, kw_only=True)
class StoredRule:
    """A rule, as `PUT /rules/{name}` sent it."""

    name: str
    document: Document
    version: int
    """Version of the catalog with the last change of the rule."""
    changed_us: int


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One change of a title or a rule: by whom, and when."""

    entry_id: int
    at_us: int
    """Unix microseconds."""
    actor: str
    action: str
    """"put" or "delete"."""
    subject: str
    """`movie_subject` of a title, or `rule_subject` of a rule."""
    before: Document | None
    """None where there was none, or a deleted one."""
    after: Document | None
    """None after a deletion."""


@dataclass(frozen=True, kw_only=True)
class ChangeCursor:
    """A place among the changes, which are in order of (version, movie key)."""

    version: int = 0
    movie_key: str = LAST_KEY
    """Last title that was read of this version; LAST_KEY for all."""


@dataclass(frozen=True, kw_only=True)
class CatalogChanges:
    """A page of what changed since a cursor."""

    movies: list[StoredMovie]
    """In order of (version, movie key), deleted ones among them."""
    rules: list[StoredRule] | None
    """All rules, by name; None where none changed since the cursor."""
    cursor: ChangeCursor
    """The place at which the next page begins."""
    is_last: bool


def movie_subject(movie_key: str) -> str:
    """Return how the audit names a title.

    >>> movie_subject("6"), movie_subject('"6"')
    ('movies/6', 'movies/"6"')
    """
    return f"movies/{movie_key}"


def rule_subject(name: str) -> str:
    """Return how the audit names a rule."""
    return f"rules/{name}"
