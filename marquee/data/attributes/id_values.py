"""Check ids of items and users as the sources write them, and turn them into columns."""

from collections.abc import Sequence

import numpy as np

from marquee.core.id_limits import MAX_ID_LENGTH, integer_of
from marquee.core.ids import Ids, IdType


def describe_bad_id(text: str | None, id_type: IdType, name: str = "id") -> str | None:
    """Return what is wrong with an id as text; None if it is right.

    >>> describe_bad_id("007", "int"), describe_bad_id("007", "text")
    ("id '007', expected an integer as all others are", None)
    """
    if not text:
        return f"no {name}, expected one"
    if id_type == "int":
        if integer_of(text) is not None:
            return None
        return f"{name} {text[:40]!r}, expected an integer as all others are"
    if len(text) > MAX_ID_LENGTH:
        return (
            f"{name} of {len(text)} characters ({text[:20]!r}…), expected at most {MAX_ID_LENGTH}"
        )
    return f"{name} {text!r} with a NUL, expected text without" if "\0" in text else None


def to_ids(texts: Sequence[str], id_type: IdType) -> Ids:
    """Return a column of ids from checked texts."""
    if id_type == "int":
        return np.array([int(text) for text in texts], dtype=np.int64)
    return np.array(texts, dtype=object)
