"""Describe what is wrong with a ratings file: its ends before the fast reader, a line after it.

`check_ends` costs nothing. `find_bad_line` runs only on a file that the fast reader refused: plain
Python, line by line, 2 s per million lines. Its message names file, line, found and expected.
"""

import re
from pathlib import Path

from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.data.layouts import Layout

MAX_FILE_ID = 2**31 - 1
"""Largest user or movie id: two of them fit one 64-bit key."""
_DIGITS = re.compile(r"\d{1,18}")
_TAIL_BYTES = 4096


def check_ends(path: Path, layout: Layout) -> None:
    """Check the two ends of a ratings file.

    Raises InputError for an empty file, a wrong header, or a last line that is cut off.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.readline(_TAIL_BYTES)
        second = stream.readline(_TAIL_BYTES) if layout.header else first
        stream.seek(max(0, size - _TAIL_BYTES))
        tail = stream.read()
    if not first.strip():
        state = "empty" if size == 0 else "empty in its first line"
        raise InputError(f"{path}: {state}, expected {layout.form}; download the data set again")
    if layout.header:
        _check_header(path, first.decode("utf-8-sig", "replace").strip(), layout)
    if not second.strip() and size <= len(first) + len(second):
        raise InputError(
            f"{path}: only a header, expected ratings below it; download the data set again"
        )
    if not tail.endswith((b"\n", b"\r")):
        _check_last_line(path, tail.decode("latin-1").splitlines()[-2:], layout)


def find_bad_line(path: Path, layout: Layout) -> InputError:
    """Return the error that names the first bad line of a file.

    The fast reader has refused the file.
    """
    with path.open("rb") as stream:
        for line, content in enumerate(stream, 1):
            if line == 1 and layout.header:
                continue
            text = content.decode("latin-1").rstrip("\r\n")
            reason = describe_bad_line(text, layout) if text else None
            if reason:
                return InputError(f"{path} line {line}: {reason}; {_remedy(path)}")
    return InputError(f"{path}: another form, expected {layout.form}; {_remedy(path)}")


def _check_header(path: Path, header: str, layout: Layout) -> None:
    if header.split(layout.delimiter) != list(layout.rating_fields):
        raise InputError(
            f"{path} line 1: the header is {header[:80]!r}, expected {layout.form!r}; "
            + _remedy(path)
        )


def _check_last_line(path: Path, last_two: list[str], layout: Layout) -> None:
    """Accept a file without a final line end, unless its last line is shorter than it may be."""
    reason = describe_bad_line(last_two[-1], layout)
    if reason is None and len(last_two) == 2 and describe_bad_line(last_two[0], layout) is None:
        before, last = (line.split(layout.delimiter)[3] for line in last_two)
        if len(last) < len(before):
            reason = f"timestamp {last}, {len(before)} digits in the line before"
    if reason:
        raise InputError(
            f"{path}: the last line is cut off, {last_two[-1][:80]!r} ({reason}), expected "
            f"{layout.form}; download the data set again, or delete that line"
        )


def describe_bad_line(text: str, layout: Layout) -> str | None:
    """Return what a ratings line holds and what was expected; None if it is good."""
    fields = text.split(layout.delimiter)
    if len(fields) != 4:
        return f"{_count(len(fields))}, expected 4 ({layout.form})"
    user, movie, rating, time = (field.strip() for field in fields)
    for name, field in (("user id", user), ("movie id", movie)):
        if not (_DIGITS.fullmatch(field) and 1 <= int(field) <= MAX_FILE_ID):
            return f"{name} {field[:40]!r}, expected a whole number from 1 to {MAX_FILE_ID}"
    if _number(rating) not in layout.scale:
        low, high, step = layout.scale[0], layout.scale[-1], layout.scale[0]
        return f"{rating[:40]!r} stars, expected {low:g} to {high:g} in steps of {step:g}"
    if not (_DIGITS.fullmatch(time) and int(time) < MAX_TIMESTAMP):
        return f"timestamp {time[:40]!r}, expected whole seconds since 1970"
    return None


def _count(fields: int) -> str:
    return "1 field" if fields == 1 else f"{fields} fields"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _remedy(path: Path) -> str:
    return f"is {path.parent.name} the right data set for this file? See README, Data"
