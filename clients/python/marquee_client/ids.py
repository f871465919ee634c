"""Ids as the service takes them: text and integers. A whole float, as of pandas, is its integer.

    id_of("user_id", 7.0)                              # 7
    id_of("movie_id", "0114508")                       # "0114508", whose zero counts
    with_ids({"movie_ids": numpy.array([6.0, 50.0])})  # {"movie_ids": [6, 50]}

Everything else raises ValueError before it is sent: "7.0" would be another user.
"""

from collections.abc import Iterable, Mapping
from typing import Any

ID_LISTS = frozenset({"movie_ids", "include_ids", "exclude_ids"})
PARTS = frozenset({"history", "events", "requests"})
EXACT_FLOATS = {2: 2**11, 4: 2**24, 8: 2**53}
"""Bytes of a float -> the number from which on it stands for several integers."""


def id_of(place: str, value: Any) -> int | str:
    """Return an id as the service takes it; raise ValueError for anything else."""
    is_scalar = hasattr(value, "dtype") and not getattr(value, "ndim", 0)
    number = value.item() if is_scalar and hasattr(value, "item") else value
    num_bytes = getattr(getattr(value, "dtype", None), "itemsize", 8)
    if isinstance(number, float) and number.is_integer():
        if abs(number) < EXACT_FLOATS.get(num_bytes, 0):
            return int(number)
        raise ValueError(
            f"{place}: {value!r}, a float that stands for several integers, expected text or an "
            "integer; read the ids as text"
        )
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise ValueError(f"{place}: {value!r}, expected text or an integer")
    if isinstance(number, str) and any("\ud800" <= letter <= "\udfff" for letter in number):
        raise ValueError(f"{place}: {value!r}, half of a character, expected text of whole ones")
    return number


def with_ids(request: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Return a copy of a request with every id as the service takes it."""
    return {name: _converted(name, value, place + name) for name, value in request.items()}


def _converted(name: str, value: Any, place: str) -> Any:
    if name == "movie_id" or (name == "user_id" and place.startswith("events.")):
        return id_of(place, value)
    if value is None:  # a request of no user, or without a list
        return None
    if name == "user_id":
        return id_of(place, value)
    if name in ID_LISTS:
        return _ids(place, value)
    if name in PARTS:
        return [
            with_ids(part, f"{place}.{n}.") if isinstance(part, Mapping) else part
            for n, part in enumerate(value)
        ]
    return value


def is_list(values: Any) -> bool:
    is_scalar = getattr(values, "ndim", 1) == 0  # as numpy.array(7)
    return isinstance(values, Iterable) and not (
        is_scalar or isinstance(values, str | bytes | Mapping)
    )


def _ids(place: str, values: Iterable[Any]) -> list[int | str]:
    if not is_list(values):
        raise ValueError(f"{place}: {values!r}, expected a list of ids")
    return [id_of(f"{place}.{n}", value) for n, value in enumerate(values)]
