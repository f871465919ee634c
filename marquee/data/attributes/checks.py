"""Say what looks wrong in a table of items or users, though each row can be read.

Ids that do not meet those of the interactions, one item under two ids, genres that are not
separated, titles read in a wrong encoding.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.id_limits import integer_of
from marquee.core.ids import Ids
from marquee.core.movies import Movies
from marquee.data.attributes.feature_values import Report
from marquee.data.attributes.rows import Rows
from marquee.data.source_tables.sql import NONE_WORDS

MIN_NAMES = 50  # genres; with fewer, names of one item each are no sign of a wrong separator
NUM_EXAMPLES = 5
MAX_SAMPLE = 10_000
ROUNDED = re.compile(r"\d\.?\d*E\+\d+")
SEPARATORS = re.compile("[ ,;|]+")
LIST = re.compile(r"\[.*\]|[^ ,;|]*\d[^ ,;|]*([ ,;|]+[^ ,;|]*\d[^ ,;|]*)*")
"""One id, or several, each with a digit."""


def note_ids(rows: Rows, source_row: Int64, ids: Ids, report: Report, noun: str) -> None:
    """Note folded rows, and ids of the interactions that the file lacks (row -1)."""
    if rows.num_joined:
        names = " and ".join(column.name for column in rows.columns if column.is_multiple)
        report.notes.append(
            f"{names}: rows of the same {noun} are joined, {rows.num_joined} rows beyond one each"
        )
    if rows.num_folded:
        report.notes.append(f"rows that repeat an earlier {noun}: {rows.num_folded}, folded away")
    others = [text for text in rows.id_texts if ids.dtype == object and not _is_integer(text)]
    if 0 < len(others) * 10 <= len(rows.id_texts) and all(map(_is_integer, ids.tolist())):
        report.warnings.append(
            f"{noun} ids that are no integers, as all with interactions are: {len(others)} "
            f"({_examples(np.array(others, object))}), expected ids alike; delete broken rows"
        )
    missing = np.flatnonzero(source_row < 0)
    if not len(missing):
        return
    sentence = (
        f"{noun}s with interactions that the {noun}s file lacks: {len(missing)} of {len(ids)} "
        f"({_examples(ids[missing])})"
    )
    if len(missing) * 2 <= len(ids):
        report.notes.append(sentence)
        return
    plain = {_plain(text): text for text in rows.id_texts}
    alike = next((text for text in map(str, ids[missing].tolist()) if _plain(text) in plain), None)
    hint = f"is --{noun}-id the right column?"
    if alike is not None:
        hint = f"{alike!r} and {plain[_plain(alike)]!r} are two ids: write them alike"
    report.warnings.append(
        f"{sentence}; the file has {_examples(np.array(rows.id_texts, object))}, expected the same "
        f"ids; {hint}"
    )


def _is_integer(text: str | int) -> bool:
    return integer_of(str(text)) is not None


def _plain(text: str) -> str:
    """Return an id without what programs add: 10.0, 010, " 10" -> 10; of letters the small ones."""
    return text.strip().removesuffix(".0").lstrip("0").lower()


def odd_ids(ids: Ids, noun: str) -> Iterator[str]:
    """Yield warnings of ids that stand for none or for several.

    ids: ascending. They are words such as NULL, numbers that a spreadsheet rounded, or lists.
    """
    if ids.dtype != object:
        return
    sample = ids[:: len(ids) // MAX_SAMPLE + 1]
    if len(rounded := sample[[ROUNDED.fullmatch(text) is not None for text in sample]]):
        yield (
            f"{noun} ids that a spreadsheet rounded: {_examples(rounded)}, expected all digits: "
            "different ids are one now; export them anew as text"
        )
    parts = [LIST.fullmatch(text) and len(SEPARATORS.split(text)) for text in sample]
    if parts.count(None) * 2 < len(parts) and len({*parts} - {None}) > 1:
        yield (
            f"{noun} ids that look like lists: {_examples(sample)}, expected one id in a row; "
            f"write a row for each {noun} of a list"
        )
    words = np.array(sorted(NONE_WORDS), object)
    row = np.minimum(np.searchsorted(ids, words), len(ids) - 1)
    if len(words := words[ids[row] == words]):
        yield (
            f"{noun} ids that programs write for no value: {_examples(words)}, expected ids; the "
            f"rows of each count as one {noun}: delete them if no {noun} is meant"
        )


def warn_of_single_names(names_I: list[tuple[str, ...]], column: str, report: Report) -> None:
    """Warn where most genres have one item: they are not separated as they should be."""
    count_of = Counter(name for names in names_I for name in names)
    single = [name for name, count in count_of.items() if count == 1]
    if len(count_of) > MIN_NAMES and len(single) > len(count_of) / 2:
        report.warnings.append(
            f"genres: {len(count_of)} names, {len(single)} of them with one item "
            f"({single[0][:60]!r}), expected names that items share; tell the separator: --genres "
            f"'{column}:SEPARATOR'"
        )


def warn_of_titles(movies: Movies, report: Report) -> None:
    """Warn of items under two ids, and of titles in a wrong encoding."""
    rows_of = defaultdict(list)
    for row, (movie_id, title) in enumerate(
        zip(movies.movie_id.tolist(), movies.title, strict=True)
    ):
        if title != str(movie_id):  # of a movie without title
            rows_of[" ".join(title.casefold().split()), movies.year[row]].append(row)
    twins = [rows for rows in rows_of.values() if len(rows) > 1]
    if twins:
        examples = "; ".join(
            f"{movies.label(rows[0])!r}: {_examples(movies.movie_id[rows])}"
            for rows in twins[:NUM_EXAMPLES]
        )
        report.warnings.append(
            f"titles under several ids: {len(twins)} ({examples}), expected one id an item; users "
            "who know such a title are recommended it again under its other id"
        )
    broken = [title for title in movies.title if not title.isascii() and _is_broken(title)]
    if broken:
        report.warnings.append(
            f"titles in a wrong encoding: {len(broken)} ({broken[0][:60]!r}), expected readable "
            "text; tell it: --items-encoding"
        )


def _is_broken(title: str) -> bool:
    """Return whether a title lost letters, or is UTF-8 that was read as an 8-bit encoding."""
    if "\N{REPLACEMENT CHARACTER}" in title:
        return True
    for encoding in ("cp1252", "latin-1"):
        try:
            title.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return True
    return False


def _examples(ids: Ids) -> str:
    if not len(ids):
        return "no id"
    return ", ".join(repr(movie_id) for movie_id in ids[:3].tolist()) + (
        " …" if len(ids) > 3 else ""
    )
