"""Check ids of items and users as the sources write them, and turn them into columns."""

import re
from collections.abc import Sequence

import numpy as np

from marquee.core.id_limits import MAX_ID_LENGTH
from marquee.core.ids import Ids, IdType

_INTEGER = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
MIN_INT, MAX_INT = -(2**63), 2**63 - 1


def describe_bad_id(text: str | None, id_type: IdType, name: str = "id") -> str | None:
    """Return what is wrong with an id as text; None if it is right.

    >>> describe_bad_id("007", "int"), describe_bad_id("007", "text")
    ("id '007', expected an integer as all others are", None)
    """
    if not text:
        return f"no {name}, expected one"
    if id_type == "int":
        if _INTEGER.fullmatch(text) and MIN_INT <= int(text) <= MAX_INT:
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
