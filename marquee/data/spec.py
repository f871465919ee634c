"""The sources of a data set: options of `marquee data add`, keys of dataset.yaml.

    spec = DatasetSpec(interactions=("plays.parquet",), user="account_id", item="asset_id")
    spec.features                                 # ("country=country:category",)
    parse_feature("cast=cast:categories:,")       # FeatureSpec("cast", "cast", "categories", ",")

A field's option has dashes: `watched_seconds` is --watched-seconds, in a file `watched-seconds`.
Contradictions are refused here, naming both options; the columns of a file in `spec_columns.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from marquee.core.errors import InputError

FEATURE_TYPES = ("category", "categories", "number", "text", "vector")
SEPARATED_TYPES = ("categories", "vector")
KINDS = ("watch", "like", "dislike", "rating", "ignore")
"""Values that --kinds maps to; "rating:5" is a rating of 5."""
ROLES = ("user", "item", "time", "rating", "watched", "watched_seconds", "duration", "kind",
         "strength")  # fmt: skip
"""Fields that name a column of interactions."""
REPEATS = ("last", "sum", "keep")
FEATURE = re.compile(
    rf"(?P<name>[^=]+)=(?P<column>.+?):(?P<type>{'|'.join(FEATURE_TYPES)})(?::(?P<separator>.+))?"
)
NAME_OF_FEATURE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
MEMORY = re.compile(r"\d+(\.\d+)?\s*(K|M|G|T)i?B", re.IGNORECASE)
DATABASE = ("postgresql://", "postgres://")
REPLACED = ":replace"
"""Ends an encoding: bytes that it does not know become U+FFFD instead of rejected rows."""


class FeatureSpec(NamedTuple):
    name: str
    column: str
    type: str  # one of FEATURE_TYPES
    separator: str | None


def _option(text: str, default: Any = None, *, metavar: str = "COLUMN") -> Any:
    return field(default=default, metadata={"help": text, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """The sources of a data set, the meaning of columns, options of text files."""

    interactions: tuple[str, ...] = _option(
        "files, globs, folders of part files, s3://BUCKET/KEY or postgresql://…", (), metavar="FROM"
    )
    query: str | None = _option("SQL of the interactions in a database", metavar="SQL")
    user: str = _option("ids of users", "")
    item: str = _option("ids of items", "")
    time: str | None = _option("when it happened, in any common form")
    rating: str | None = _option("ratings on any scale")
    watched: str | None = _option("the watched share, 0 to 1")
    watched_seconds: str | None = _option("the watched seconds; needs --duration")
    duration: str | None = _option("the item's length in seconds")
    kind: str | None = _option("what happened: view, play, like …")
    kinds: Mapping[str, str] = _option(
        "what the kinds mean: play=watch,like=rating:5,*=ignore (all others)",
        metavar="KIND=MEANING,…",
    )
    strength: str | None = _option("a weight of each interaction, e.g. hours played")
    repeats: str | None = _option(
        "several rows of one user and item: the last counts, plays are added up, or all stay",
        metavar="last|sum|keep",
    )
    ordered: bool = _option("without times: a user's rows stand oldest first", False, metavar="")
    valid_interactions: tuple[str, ...] = _option("files for validation", (), metavar="FROM")
    test_interactions: tuple[str, ...] = _option("files for the test", (), metavar="FROM")
    items: tuple[str, ...] = _option("as --interactions, for items", (), metavar="FROM")
    items_query: str | None = _option("SQL of the items in a database", metavar="SQL")
    item_id: str | None = _option("ids in --items; default: the name that --item gives")
    title: str | None = _option("titles; default: the id is shown")
    year: str | None = _option("years, or dates, of release")
    genres: str | None = _option("genres, several by separator", metavar="COLUMN[:SEPARATOR]")
    features: tuple[str, ...] = _option(
        f"a feature of items; TYPE is one of {', '.join(FEATURE_TYPES)}", (),
        metavar="NAME=COLUMN:TYPE[:SEPARATOR]",
    )  # fmt: skip
    users: tuple[str, ...] = _option("as --interactions, for users", (), metavar="FROM")
    users_query: str | None = _option("SQL of the users in a database", metavar="SQL")
    user_id: str | None = _option("ids in --users; default: the name that --user gives")
    user_features: tuple[str, ...] = _option(
        "a feature of users", (), metavar="NAME=COLUMN:TYPE[:SEPARATOR]"
    )
    encoding: str | None = _option(
        "of the text files; utf-8:replace keeps lines with broken bytes", metavar="NAME"
    )
    separator: str | None = _option('between fields: ",", "::", "\\t"', metavar="TEXT")
    header: tuple[str, ...] = _option("names of the columns of files without", (), metavar="NAMES")
    items_encoding: str | None = _option("as --encoding, of --items", metavar="NAME")
    items_separator: str | None = _option("as --separator, of --items", metavar="TEXT")
    items_header: tuple[str, ...] = _option("as --header, of --items", (), metavar="NAMES")
    users_encoding: str | None = _option("as --encoding, of --users", metavar="NAME")
    users_separator: str | None = _option("as --separator, of --users", metavar="TEXT")
    users_header: tuple[str, ...] = _option("as --header, of --users", (), metavar="NAMES")
    max_rejected: float = _option("the share of rows that may be bad", 0.0, metavar="SHARE")
    memory_limit: str = _option("of the reading, e.g. 4GB", "", metavar="SIZE")

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", dict(self.kinds or {}))
        check(self)


def option_of(name: str) -> str:
    """Return the option of a field: user_features -> --user-feature."""
    singular = {"features": "feature", "user_features": "user_feature"}.get(name, name)
    return "--" + singular.replace("_", "-")


def is_database(path: str) -> bool:
    return path.lower().startswith(DATABASE)


def parse_feature(text: str, option: str = "--feature") -> FeatureSpec:
    """Return the parts of NAME=COLUMN:TYPE[:SEPARATOR]; InputError otherwise."""
    match = FEATURE.fullmatch(text)
    if match is None or not NAME_OF_FEATURE.fullmatch(match["name"]):
        raise InputError(
            f"{option} {text!r}: not a feature, expected NAME=COLUMN:TYPE[:SEPARATOR] with TYPE "
            f"one of {', '.join(FEATURE_TYPES)}, for example cast=cast:categories:,"
        )
    if match["separator"] and match["type"] not in SEPARATED_TYPES:
        raise InputError(
            f"{option} {text!r}: a separator with type {match['type']}, expected one with "
            f"{' or '.join(SEPARATED_TYPES)} only; leave it out"
        )
    return FeatureSpec(match["name"], match["column"], match["type"], match["separator"])


def split_column(text: str) -> tuple[str, str | None]:
    """Return column and separator of COLUMN[:SEPARATOR].

    >>> split_column("genres:;"), split_column("genres::"), split_column("genres")
    (('genres', ';'), ('genres', ':'), ('genres', None))
    """
    column, colon, separator = text.partition(":")
    return (column, separator) if colon and column and separator else (text, None)


def check(spec: DatasetSpec) -> None:
    """Raise InputError for values and combinations that cannot be meant."""
    if not spec.interactions:
        raise InputError("--interactions: not given, expected the files of plays or ratings")
    for needed, dependents in _NEEDS.items():
        names = [name for name in dependents if getattr(spec, name)]
        if names and not getattr(spec, needed):
            raise InputError(
                f"{option_of(names[0])} without {option_of(needed)}, expected both; add "
                f"{option_of(needed)}, or leave {option_of(names[0])} out"
            )
    for one, other, advice in _EXCLUDE:
        if getattr(spec, one) and getattr(spec, other):
            raise InputError(
                f"{option_of(one)} and {option_of(other)} are given, expected one of them; {advice}"
            )
    _check_values(spec)
    _check_sources(spec)
    _check_columns_differ(spec)


_NEEDS = {
    "duration": ("watched_seconds",),
    "watched_seconds": ("duration",),
    "kind": ("kinds",),
    "items": ("items_query", "item_id", "title", "year", "genres", "features", "items_encoding",
              "items_separator", "items_header"),
    "users": ("users_query", "user_id", "user_features", "users_encoding", "users_separator",
              "users_header"),
    "user_features": ("users",),
    "test_interactions": ("valid_interactions",),
}  # fmt: skip
"""A field -> fields that say nothing without it."""
_EXCLUDE = (
    ("watched", "watched_seconds", "keep the one that the files hold"),
    (
        "time",
        "ordered",
        "times give the order, and equal ones keep the file's",
    ),
)


_QUERIES = {"interactions": "query", "items": "items_query", "users": "users_query"}


def _check_values(spec: DatasetSpec) -> None:
    if spec.repeats not in (None, *REPEATS):
        raise InputError(f"--repeats: {spec.repeats!r}, expected one of {', '.join(REPEATS)}")
    if not 0 <= spec.max_rejected < 1:
        raise InputError(
            f"--max-rejected: {spec.max_rejected}, expected a share from 0 to below 1, for "
            "example 0.001"
        )
    if spec.memory_limit and not MEMORY.fullmatch(spec.memory_limit):
        raise InputError(f"--memory-limit: {spec.memory_limit!r}, expected a size such as 4GB")
    for kind, meaning in spec.kinds.items():
        _check_kind(kind, meaning, spec)
    for name in ("features", "user_features"):
        names = [parse_feature(text, option_of(name)).name for text in getattr(spec, name)]
        _check_no_repeats(option_of(name), names, "a name once")
    for prefix in ("", "items_", "users_"):
        _check_text_options(spec, prefix)


def _check_kind(kind: str, meaning: str, spec: DatasetSpec) -> None:
    word, colon, value = meaning.partition(":")
    if word not in KINDS or (colon and (word != "rating" or not _is_number(value))):
        raise InputError(
            f"--kinds {kind}={meaning}: an unknown meaning, expected one of {', '.join(KINDS)} "
            "or rating:NUMBER"
        )
    if meaning == "rating" and not spec.rating:
        raise InputError(
            f"--kinds {kind}=rating without --rating, expected the column of the ratings; add "
            f"--rating, or a value: {kind}=rating:5"
        )


def _check_text_options(spec: DatasetSpec, prefix: str) -> None:
    encoding, header = getattr(spec, f"{prefix}encoding"), getattr(spec, f"{prefix}header")
    _check_no_repeats(option_of(f"{prefix}header"), header, "a column once")
    if any(not name.strip() for name in header):
        raise InputError(f"{option_of(f'{prefix}header')}: a column without a name, expected names")
    try:
        "".encode((encoding or "utf-8").removesuffix(REPLACED))
    except (LookupError, UnicodeError):  # also of a codec that is not of text, such as base64
        raise InputError(
            f"{option_of(f'{prefix}encoding')}: {encoding!r} is unknown, expected a name such as "
            "utf-8, utf-16, cp1252, latin-1, gb18030 or koi8-r"
        ) from None


def _check_no_repeats(option: str, names: Any, expected: str) -> None:
    repeated = [name for name in names if list(names).count(name) > 1]
    if repeated:
        raise InputError(f"{option}: {repeated[0]!r} twice, expected {expected}")


def _check_sources(spec: DatasetSpec) -> None:
    for sources, query in _QUERIES.items():
        paths, is_asked = getattr(spec, sources), bool(getattr(spec, query))
        databases = [path for path in paths if is_database(path)]
        if databases and len(paths) > 1:
            raise InputError(
                f"{option_of(sources)}: a database beside other sources, expected it alone; join "
                f"them in {option_of(query)}"
            )
        if bool(databases) != is_asked:
            raise InputError(
                f"{option_of(sources)} and {option_of(query)}: only one of a database and a query, "
                f"expected {option_of(sources)} postgresql://… with {option_of(query)} 'SELECT …'"
            )
    for name in ("valid_interactions", "test_interactions"):
        if any(map(is_database, getattr(spec, name))):
            raise InputError(f"{option_of(name)}: a database, expected files; export its rows")
        if same := set(getattr(spec, name)) & set(spec.interactions):
            raise InputError(
                f"{option_of(name)} and --interactions: {min(same)} in both, expected other files"
            )


def _check_columns_differ(spec: DatasetSpec) -> None:
    """Refuse one column as user, item or time, and as something else."""
    for role in ROLES[:3]:
        for other in ROLES:
            column = getattr(spec, role)
            if column and other != role and column == getattr(spec, other):
                raise InputError(
                    f"{option_of(role)} and {option_of(other)}: column {column!r} for both, "
                    "expected two columns"
                )


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


OPTIONS = {field.name: field for field in fields(DatasetSpec)}
