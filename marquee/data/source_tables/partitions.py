"""Folders KEY=VALUE above files are columns: plays/date=2026-01-01/part-0.csv."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from marquee.data.source_tables.sql import literal, quote

FOLDER = re.compile(r"(?<![^/])([A-Za-z_][^/=]*)=([^/]*)/")
NO_VALUE = ("", "__HIVE_DEFAULT_PARTITION__")


def partitions(name: str) -> dict[str, str | None]:
    """Return the keys and values of a file's folders.

    >>> partitions("plays/date=2026-01-01/plan=a%20b/part-0.csv")
    {'date': '2026-01-01', 'plan': 'a b'}
    """
    values = {key: unquote(value) for key, value in FOLDER.findall(name)}
    return {key: None if value in NO_VALUE else value for key, value in values.items()}


def partition_columns(names: Iterable[str], columns: Iterable[str]) -> dict[str, str]:
    """Return key -> SQL of its value from the `filename` of a reader.

    columns: of the files, which count where a folder has the same key.
    """
    keys = dict.fromkeys(key for name in names for key in partitions(name))
    return {key: _value(key) for key in keys if key not in set(columns)}


def _value(key: str) -> str:
    pattern = literal(f"(?:^|/){re.escape(key)}=([^/]*)/")
    value = f"url_decode(regexp_extract(filename, {pattern}, 1))"
    return f"CASE WHEN {value} NOT IN {NO_VALUE} THEN {value} END AS {quote(key)}"


def copy_path(folder: Path, name: str) -> Path:
    """Return a new path for a copy of a file, below the same folders KEY=VALUE."""
    number = len(list(folder.glob("*")))
    folders = "".join(match[0] for match in FOLDER.finditer(name))
    path = folder / str(number) / folders / Path(name).name
    path.parent.mkdir(parents=True)
    return path
