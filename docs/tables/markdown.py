"""Markdown tables, and the places of a document that they fill."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError


def replace_section(page: str, marker: str, body: str, path: Path) -> str:
    """Return a page with another text between the two comments of a marker.

    Raises InputError, naming the document, if it lacks one of the two.
    """
    first, last = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    section = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
    if not section.search(page):
        raise InputError(
            f"{path}: no section from {first.strip()} to {last}, expected one; write the two lines "
            "where the generated table belongs"
        )
    return section.sub(lambda match: first + body + last, page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |\n" for cells in (head, ["---"] * len(head), *rows)]
    return "".join(lines)


def decimal(value: float) -> str:
    """Return `.347`, three decimals without the zero before the point."""
    return f"{value:.3f}".lstrip("0")


def interval_cell(value: Mapping[str, Any], *, bold: bool = False) -> str:
    """Return `.347 [.335, .359]`, the mean and its interval; `n/a` for one that says nothing."""
    if value["mean"] is None:
        return "n/a"
    mean, low, high = (decimal(value[key]) for key in ("mean", "low", "high"))
    return f"{f'**{mean}**' if bold else mean} [{low}, {high}]"
