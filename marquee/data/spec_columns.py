"""The columns that a spec names, against those that a source has."""

import difflib
import re
from collections.abc import Iterator

from marquee.core.errors import InputError
from marquee.data.source_tables.table import SourceTable
from marquee.data.spec import ROLES, DatasetSpec, option_of, parse_feature, split_column

SHOWN = 30  # columns in a message
MAX_NAMES = 15  # of columns; files of interactions with more may be a matrix
WIDE = "; has the file a column for each item? write a row for each rating: user, item, rating"
ONE_PERSON = "; is it the file of one person? the app imports those"
HEADERLESS = "; the first line looks like a row: name the columns with --header"
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
    raise InputError(
        f"{option} {column}: no such column in {source.name}, expected one of "
        f"{_listed(source)}{_hint(option, column, source)}"
    )


def _hint(option: str, column: str, source: SourceTable) -> str:
    """Return what a column that is not there may mean."""
    names = (*source.columns, *source.repeated)
    wide = WIDE if source.option == "--interactions" and len(names) > MAX_NAMES else ""
    if source.is_text and sum(VALUE.fullmatch(name) is not None for name in names) >= 2:
        return HEADERLESS + wide
    if source.is_text and len(names) == 1:
        return (
            "; is the separator another? name it with --separator; or do lines stand above the "
            "header? delete them"
        )
    close = difflib.get_close_matches(column, source.columns, n=1, cutoff=0.6)
    same = [name for name in source.columns if name.lower() == column.lower()]
    if same or close:
        return f"; is it {(same or close)[0]}?"
    return ONE_PERSON if option == "--user" else wide


def _listed(source: SourceTable) -> str:
    names = list(source.columns)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
