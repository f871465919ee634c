"""From the cells of a file to the fields of `PUT /movies`.

    field_value("year", "1995.0")           # 1995
    field_value("genres", "Crime|Drama")    # ["Crime", "Drama"]
    field_value("min_age", "")              # None: an empty cell

What cannot be read stays as it is: the service rejects it, and says why.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from marquee.data.attributes.text_values import (
    Bad,
    number_of,
    text_of,
    title_of,
    year_of,
)
from marquee.data.attributes.value_lists import Form, numbers_in

LISTS = Form(separator="|", is_list=True)
MOVIE_ID, TITLES, ATTRIBUTES = "movie_id", "titles", "attributes"


def field_value(name: str, cell: Any) -> Any:
    """Return the value of a field, None for an empty cell."""
    return CONVERTERS[name](cell)


def list_value(cell: Any) -> Any:
    """Return the values of a list, each once; an unreadable list as it is."""
    values = LISTS.split(cell)
    if isinstance(values, Bad):
        return cell
    return list(values) or (list(cell) if isinstance(cell, list) else None)


def number_value(cell: Any) -> Any:
    """Return a number; an integer of a text without a fraction.

    >>> number_value("95"), number_value("1.5"), number_value("soon"), number_value("")
    (95, 1.5, 'soon', None)
    """
    number = number_of(text_of(cell))
    if number is None or isinstance(number, Bad):
        return number if number is None else cell
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def flag_value(cell: Any) -> Any:
    """Return a truth value of the words true and false."""
    text = text_of(cell)
    return None if text is None else {"true": True, "false": False}.get(text.lower(), cell)


def plain_value(cell: Any) -> Any:
    """Return a value as it is; None for an empty text, and a number that JSON lacks."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return None if cell == "" else cell


def _year(cell: Any) -> Any:
    year = year_of(cell)
    return number_value(cell) if isinstance(year, Bad) else year


def _time(cell: Any) -> Any:
    """Return a time with its zone; one without is of UTC, and a date is its midnight."""
    text = text_of(cell)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return cell
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _id(cell: Any) -> Any:
    """Return an id; of pandas, a column of integers with a gap is floats."""
    value = plain_value(cell)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _vector(cell: Any) -> Any:
    numbers = numbers_in(cell, None)
    return cell if isinstance(numbers, Bad) else numbers


def _object(cell: Any) -> Any:
    """Return a mapping; of a text the one that it is as JSON."""
    text = text_of(cell) if cell is None or isinstance(cell, str) else None
    if text is None:
        return None if cell is None or isinstance(cell, str) else cell
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return cell


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "title": title_of,
    TITLES: _object,
    "year": _year,
    "genres": list_value,
    "kind": text_of,
    "parent_id": _id,
    "number": number_value,
    "runtime_min": number_value,
    ATTRIBUTES: _object,
    "countries": list_value,
    "available_from": _time,
    "available_until": _time,
    "min_age": number_value,
    "artwork_url": text_of,
    "vector": _vector,
}
"""The fields of `PUT /movies` but the id, and how their cells are read."""
