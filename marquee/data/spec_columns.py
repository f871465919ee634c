"""The columns that a spec names, against those that a source has."""

import difflib
import re
from collections.abc import Iterator

from marquee.core.errors import InputError
from marquee.data.source_tables.table import SourceTable
from marquee.data.spec import DatasetSpec, option_of, parse_feature, split_column

ROLES = ("user", "item", "time", "rating", "watched", "watched_seconds", "duration", "kind",
         "strength")  # fmt: skip
SHOWN = 30  # columns in a message
VALUE = re.compile(r"-?\d+([.:/T -]+\d+)*Z?|[0-9a-f-]{32,36}", re.IGNORECASE)


def check_columns(spec: DatasetSpec, source: SourceTable) -> None:
    """Raise InputError for a column that the source lacks, or a missing --user.

    source: of --interactions (also those for validation and test), --items or --users; its option
    says which.
    """
    for option, text in _wanted(spec, source.option):
        if not text:
            raise InputError(
                f"{option}: not given, expected one of the columns of {source.name}: "
                f"{_listed(source)}"
            )
        for column in _columns_of(text, option, source):
            _check(option, column, source)


def _wanted(spec: DatasetSpec, option: str) -> Iterator[tuple[str, str]]:
    """Yield every option that names a column of a source, and what it says."""
    names: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    if option == "--items":
        yield "--item-id", spec.item_id or spec.item
        names, features = ("title", "year", "genres"), spec.features
    elif option == "--users":
        yield "--user-id", spec.user_id or spec.user
        features = spec.user_features
    else:
        yield "--user", spec.user
        yield "--item", spec.item
        names = ROLES[2:]
    for name in names:
        if text := getattr(spec, name):
            yield option_of(name), text
    kind = "--user-feature" if option == "--users" else "--feature"
    for text in features:
        yield kind, parse_feature(text, kind).column


def _columns_of(text: str, option: str, source: SourceTable) -> list[str]:
    if option != "--genres" or text in source.columns:
        return [text]
    flags = text.split("|")
    if len(flags) > 1 and all(flag in source.columns for flag in flags):
        return flags
    return [split_column(text)[0]]


def _check(option: str, column: str, source: SourceTable) -> None:
    if column in source.columns:
        return
    if column in source.repeated:
        raise InputError(
            f"{option} {column}: several columns of {source.name} have that name, expected one; "
            "rename one in its header"
        )
    close = difflib.get_close_matches(column, source.columns, n=1, cutoff=0.5)
    same = [name for name in source.columns if name.lower() == column.lower()]
    hint = f"; is it {(same or close)[0]}?" if same or close else ""
    names = (*source.columns, *source.repeated)
    if source.is_text and sum(VALUE.fullmatch(name) is not None for name in names) >= 2:
        hint = "; the first line looks like a row: name the columns with --header"
    elif source.is_text and (len(names) == 1 or names[0].startswith("sep=")):
        hint = (
            "; is the separator another? name it with --separator; or do lines stand above the "
            "header? delete them"
        )
    raise InputError(
        f"{option} {column}: no such column in {source.name}, expected one of "
        f"{_listed(source)}{hint}"
    )


def _listed(source: SourceTable) -> str:
    names = list(source.columns)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
