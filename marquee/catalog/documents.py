"""Documents of titles and rules: put together, and written as JSON.

The text of a document is canonical, its fields sorted, so that equal texts are equal documents.
Python's own equality would not do: it takes 1, 1.0 and True for one value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from marquee.catalog.records import Document
from marquee.core.errors import InputError
from marquee.feedback.event_schema import check_movie_id
from marquee.feedback.movie_keys import movie_key

ATTRIBUTES = "attributes"


def encoded(subject: str, document: Mapping[str, Any]) -> str:
    """Return the text of a document.

    Raises InputError for what JSON in UTF-8 cannot hold, such as half of a surrogate pair.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError as error:
        raise InputError(
            f"{subject}: {error}, expected values of JSON; correct the title or the rule"
        ) from error


def decoded(text: str) -> Document:
    """Return the document of a text."""
    document: Document = orjson.loads(text)
    return document


def merged(stored: Mapping[str, Any], change: Mapping[str, Any]) -> Document:
    """Return a document after a change, whose fields replace those of before.

    Attributes are replaced name by name.

    >>> merged({"year": 1995, "attributes": {"a": 1}}, {"attributes": {"b": None}})
    {'year': 1995, 'attributes': {'a': 1, 'b': None}}
    """
    document = {**stored, **change}
    attributes = change.get(ATTRIBUTES)
    if attributes is not None:
        document[ATTRIBUTES] = {**(stored.get(ATTRIBUTES) or {}), **attributes}
    return document


def changes_by_key(documents: Sequence[Mapping[str, Any]]) -> dict[str, list[Document]]:
    """Return the changes of each title by its key, in the order of the documents.

    Raises InputError for a movie_id beyond the limits.
    """
    changes: dict[str, list[Document]] = {}
    for document in documents:
        change = dict(document)
        changes.setdefault(checked_key(change.pop("movie_id", None)), []).append(change)
    return changes


def checked_key(movie_id: Any) -> str:
    """Return the key of an id; InputError for one that no database could hold."""
    check_movie_id("title", movie_id)
    return movie_key(movie_id)
