"""Limits of ids, without numpy: the process that starts the workers imports them."""

import re

MAX_ID_LENGTH = 128  # characters of the id of a user, a movie or an event
MAX_INT64 = 2**63 - 1  # the largest integer id
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


def integer_of(text: str) -> int | None:
    """Return the integer whose plain form a text is, within 64 bits; else None.

    >>> integer_of("7"), integer_of("07"), integer_of("9223372036854775808")
    (7, None, None)
    """
    number = int(text) if _INTEGER.fullmatch(text) else MAX_INT64 + 1
    return number if -MAX_INT64 - 1 <= number <= MAX_INT64 else None
