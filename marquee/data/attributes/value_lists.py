"""Read several values of one cell: genres, cast, vectors.

find_form(["Drama|War", "Comedy"])                      -> Form(separator="|")
Form(separator="|").split("Drama|War")                  -> ("Drama", "War")
Form(is_list=True).split('[{"id": 18, "name": "Drama"}]') -> ("Drama",)

A cell is a list of Parquet or JSON lines; or text with a separator, a JSON list, a list as Python
writes it, or an array as PostgreSQL writes it. The form is found from all cells of a column.
"""

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from marquee.data.attributes.text_values import BAD, Bad, text_of
from marquee.data.source_tables.sql import NONE_WORDS

SEPARATORS = ("|", ";", ",", "/")
NAME_KEYS = ("name", "Name", "genre", "title", "label", "value")
"""Of an object in a list, the key that holds its name; TMDB has id and name."""
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_NUMPY = re.compile(r"\[\s*['\"].*['\"]\s+['\"].*\]", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Form:
    """The form in which cells of a column hold several values."""

    separator: str | None = None  # None: a cell is one value
    is_list: bool = False  # a list in brackets or braces; `separator` then does not matter

    def split(self, cell: Any) -> tuple[str, ...] | Bad:
        """Return a cell's values, each once, in order; BAD for an unreadable list."""
        if isinstance(cell, list | tuple | dict):
            return _names(_flat(cell))
        text = text_of(cell)
        if text is None:
            return ()
        if self.is_list and _is_bracketed(text):
            values = _parse_list(text)
            return BAD if values is None else _names(_flat(values))
        return _names(text.split(self.separator) if self.separator else [text])

    def describe(self) -> str:
        if self.is_list:
            return "lists in brackets"
        return f"separated by {self.separator!r}" if self.separator else "one value in a cell"


def find_form(cells: Iterable[Any], separator: str | None = None) -> Form:
    """Return the form of a column, with the separator if it is known.

    Each different cell counts once.

    "|", ";" and "," separate wherever they occur. "/" stands in names, too ("Action/Adventure"):
    it separates where a part of such a cell is a part of another.
    """
    texts = {text for cell in cells if isinstance(cell, str) and (text := text_of(cell))}
    if texts and sum(map(_is_list, texts)) * 2 >= len(texts):
        return Form(is_list=True, separator=separator)
    if separator is not None:
        return Form(separator=separator)
    counts = {separator: sum(separator in text for text in texts) for separator in SEPARATORS}
    best = max(SEPARATORS[:3], key=lambda separator: counts[separator])
    if counts[best]:
        return Form(separator=best)
    return Form(separator="/" if counts["/"] and _parts_recur(texts, "/") else None)


def _parts_recur(texts: set[str], separator: str) -> bool:
    count_of = Counter(part.strip() for text in texts for part in set(text.split(separator)))
    return any(
        count_of[part.strip()] > 1
        for text in texts
        if separator in text
        for part in text.split(separator)
    )


def numbers_in(cell: Any, separator: str | None) -> list[float] | Bad | None:
    """Return the numbers of a vector; None without any, BAD if it is unreadable."""
    if cell is None or (isinstance(cell, str) and cell.strip() in NONE_WORDS):
        return None
    if isinstance(cell, str):
        values: Sequence[Any] | None = _numbers_of_text(cell.strip(), separator)
    else:
        values = cell if isinstance(cell, list | tuple) else None
    try:
        return BAD if values is None else [float(value) for value in values]
    except (TypeError, ValueError):
        return BAD


def _numbers_of_text(text: str, separator: str | None) -> list[str]:
    text = text[1:-1] if _is_bracketed(text) else text
    if separator is None:
        return re.sub(r"[,;|\s]+", " ", text).split()
    return text.split(separator)


def _flat(cell: Any) -> list[Any]:
    """Return the values of lists in lists; of numbers by name, as Steam's tags are, the names."""
    if isinstance(cell, dict):
        is_counts = cell and all(isinstance(value, int | float) for value in cell.values())
        return [name for name, value in cell.items() if value] if is_counts else [cell]
    if isinstance(cell, list | tuple):
        return [value for part in cell for value in _flat(part)]
    return [cell]


def _names(values: Sequence[Any]) -> tuple[str, ...]:
    names = (text_of(_name(value)) for value in values)
    return tuple(dict.fromkeys(name for name in names if name))


def _name(value: Any) -> Any:
    """Return what names a value of a list: of an object its name."""
    if not isinstance(value, dict):
        return value
    key = next((key for key in NAME_KEYS if value.get(key) is not None), None)
    texts = [value[key]] if key else [text for text in value.values() if isinstance(text, str)]
    return texts[0] if texts else None


def _is_bracketed(text: str) -> bool:
    return text[:1] + text[-1:] in ("[]", "{}")


def _is_list(text: str) -> bool:
    return _is_bracketed(text) and _parse_list(text) is not None


def _parse_list(text: str) -> list[Any] | None:
    """Return the values of a list in JSON, Python, numpy, PostgreSQL or Hive form."""
    for parse in (json.loads, ast.literal_eval):
        if parse is ast.literal_eval and _NUMPY.fullmatch(text) and "," not in text:
            return [one or other for one, other in _QUOTED.findall(text)]
        try:
            values = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(values, dict):
            return _flat(values)
        return sorted(values, key=str) if isinstance(values, set) else list(values)
    inside = text[1:-1]
    if any(sign in inside for sign in "[]{}"):
        return None
    values = next(csv.reader([inside], skipinitialspace=True, escapechar="\\"), [])
    return [value.strip(" '") for value in values]
