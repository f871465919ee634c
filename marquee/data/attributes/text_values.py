"""Read single values of items and users: text, numbers and years, or None where there is none.

text_of("N/A")         -> None           number_of("soon")     -> Bad: counted, then unknown
year_of("1995-03-01")  -> 1995           year_of("1995.0")     -> 1995
"""

import datetime
import html
import math
import re
from typing import Any, Final

from marquee.core.titles import is_year
from marquee.data.source_tables.sql import NONE_WORDS

NONE_TITLES = NONE_WORDS - {"None", "none", "NONE", "Null", "NULL", "null"} | {"NULL"}
"""A title can be "None" or "Null"; "NULL" is a database's."""
_ENTITY = re.compile(r"&(#\d+|#[xX][0-9a-fA-F]+|[A-Za-z]+\d*);")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_FOUR_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)", re.ASCII)
_WHOLE = re.compile(r"(\d{4})(\.0*)?", re.ASCII)
_COMPACT_DATE = re.compile(r"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)


class Bad:
    """The mark of a value that cannot be read as its type."""


BAD: Final = Bad()


def text_of(value: Any) -> str | None:
    """Return a value as text without surrounding space; None where there is none."""
    if isinstance(value, str):
        text = _unescaped(value)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))  # Parquet of pandas: a column of integers with a gap is floats
    else:
        text = "" if value is None else str(value)
    return None if text in NONE_WORDS else text


def title_of(value: Any) -> str | None:
    text = _unescaped(value) if isinstance(value, str) else text_of(value)
    return None if text in NONE_TITLES else text


def _unescaped(text: str) -> str:
    """Return text without the entities of HTML, as in "Fast &amp; Furious"."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text).strip()


def number_of(value: str | None) -> float | Bad | None:
    """Return a finite number that fits float32; None where there is none."""
    if value is None or value.strip() in NONE_WORDS:
        return None
    number = float(value) if _NUMBER.fullmatch(value) else math.inf
    return number if abs(number) < 3e38 else BAD


def year_of(value: Any) -> int | Bad | None:
    """Return the year of a number, a date or a text with one; else None."""
    if isinstance(value, datetime.date):  # and datetime
        return value.year if is_year(value.year) else BAD
    text = text_of(value)
    if text is None:
        return None
    text = text.strip("\"' ")
    match = _WHOLE.fullmatch(text) or _COMPACT_DATE.fullmatch(text)
    if match is None and _NUMBER.fullmatch(text):
        return BAD
    years = [match[1]] if match else _FOUR_DIGITS.findall(text)
    return next((int(year) for year in years if is_year(int(year))), BAD)
