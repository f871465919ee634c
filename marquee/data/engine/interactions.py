"""Bring the rows of all interaction files into one narrow table, checked but not yet numbered.

    read_rows(connection, spec, sources) -> Rows

A row of `rows` is 28 bytes: a number for the user and one for the item, the time as a number in its
own unit, the rating. An integer id is that number itself. Of text it is a hash: a scan before finds
the different texts, which `users` and `items` hold once each. Text of a file counts as integers
until a row says otherwise, so files of integer ids are read once. Nothing is cast before it is
checked: what cannot be read is NULL or NaN here, and a rejected row later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import duckdb

from marquee.data.engine.id_columns import (
    IdColumn,
    are_integers,
    as_integers,
    check_id_type,
    id_column,
    is_bad,
    may_be_integers,
)
from marquee.data.engine.times import SAMPLE_ROWS, TimeForm, time_form
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.number_text import BAD, number_sql
from marquee.data.source_tables.sql import literal, quote, row_of
from marquee.data.spec import ROLES, DatasetSpec

KEYS = {"user": "u", "item": "i"}
"""The column of `rows` that names the user, the item."""
IGNORED, UNKNOWN_KIND = -10, -20
"""Added to `part` of a row that --kinds leaves out, and of one whose kind it does not name."""
KIND, OTHER_KINDS = '"kind"::VARCHAR', "*"
LIKE, DISLIKE = "'inf'::FLOAT", "'-inf'::FLOAT"
"""Ratings until the scale is known: its largest value, its smallest."""


@dataclass(frozen=True)
class Rows:
    """The tables `rows` (u, i, t, rating, watched, strength, part), users, items."""

    columns: tuple[str, ...]
    types: dict[str, str]  # of each role that the data set has, as the files hold it
    user: IdColumn
    item: IdColumn
    time: TimeForm | None


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    spec: DatasetSpec,
    sources: Sequence[SourceTable],
    *,
    strict: bool = False,
) -> Rows:
    """Read every file once; twice where ids are text.

    sources: one for each part. strict: ids that are no integers are bad, as MovieLens has it.
    Raises InputError for a column whose type cannot be what its option says.
    """
    types = join_sources(connection, spec, sources)
    user, item = (
        id_column(connection, "source", role, types[role], option=f"--{role}",
                  is_text=_is_open(sources, getattr(spec, role), f"--{role}"))
        for role in ("user", "item")
    )  # fmt: skip
    form = time_form(connection, "source", "time", types["time"]) if "time" in types else None
    ids = {"user": user, "item": item}
    guess = {
        role: as_integers(column) if _may_be_integers(connection, role, column, strict) else column
        for role, column in ids.items()
    }
    columns = _create_rows(connection, spec, types, guess, form)
    checked = {
        role: ids[role] if not strict and _is_wrong(connection, role, column) else column
        for role, column in guess.items()
    }
    has_fractions = form is not None and _has_fractions(connection, form, types["time"])
    if has_fractions:
        form = time_form(connection, "source", "time", types["time"], fractions=True)
    if checked != guess or has_fractions:
        columns = _create_rows(connection, spec, types, checked, form)
    return Rows(columns, types, checked["user"], checked["item"], form)


def _is_open(sources: Sequence[SourceTable], column: str, option: str) -> bool:
    """Return whether a text file decides the type of ids; typed ones beside it are checked."""
    typed = [source.columns[column] for source in sources if not source.is_text]
    for type_name in typed:
        check_id_type(type_name, option)
    return len(typed) < len(sources) and may_be_integers(typed)


def _may_be_integers(
    connection: duckdb.DuckDBPyConnection, role: str, ids: IdColumn, strict: bool
) -> bool:
    sample = f"(FROM source LIMIT {SAMPLE_ROWS}) WHERE"
    return ids.is_open and (strict or are_integers(connection, sample, role))


def _is_wrong(connection: duckdb.DuckDBPyConnection, role: str, ids: IdColumn) -> bool:
    """Return whether ids were read as integers, and some text is none."""
    if not (ids.is_open and ids.type == "int"):
        return False
    query = f"SELECT coalesce(bool_or({KEYS[role]} IS NULL), false) FROM rows"
    has_none = bool(row_of(connection, query)[0])
    return has_none and not are_integers(connection, "source WHERE", role)


def join_sources(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, sources: Sequence[SourceTable]
) -> dict[str, str]:
    """Create the view `source` of all files, columns by role; return their types."""
    columns = {role: getattr(spec, role) for role in ROLES if getattr(spec, role)}
    types = {}
    for role, column in columns.items():
        role_types = {str(source.columns[column]) for source in sources}
        types[role] = role_types.pop() if len(role_types) == 1 else "VARCHAR"
    selects = (
        "SELECT "
        + ", ".join(
            f"{quote(column)}"
            + ("" if str(source.columns[column]) == types[role] else "::VARCHAR")
            + f" AS {quote(role)}"
            for role, column in columns.items()
        )
        + f", {part}::TINYINT AS part FROM {source.view}"
        for part, source in enumerate(sources)
    )
    connection.execute(f"CREATE TEMP VIEW source AS {' UNION ALL '.join(selects)}")
    return types


def _create_rows(
    connection: duckdb.DuckDBPyConnection,
    spec: DatasetSpec,
    types: dict[str, str],
    ids: dict[str, IdColumn],
    time: TimeForm | None,
) -> tuple[str, ...]:
    """Create `rows`, and `users` and `items` (id, h: the number in `rows`, is_bad)."""
    texts = {role: column for role, column in ids.items() if column.type == "text"}
    salt = _read_texts(connection, texts) if texts else 0
    columns = {
        KEYS[role]: f"hash({column.sql}, {salt})" if role in texts else column.sql
        for role, column in ids.items()
    }
    if time is not None:
        columns["t"] = time.sql
    if spec.rating or spec.kinds:
        columns["rating"] = _rating(spec, types)
    if spec.watched:
        columns["watched"] = number_sql("watched", types["watched"])
    elif spec.watched_seconds:
        roles = ("watched_seconds", "duration")
        seconds, duration = (number_sql(role, types[role]) for role in roles)
        columns["watched"] = f"({seconds} / nullif({duration}, 0))"
    if spec.strength:
        columns["strength"] = number_sql("strength", types["strength"])
    columns["part"] = _part(spec)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE rows AS SELECT {selected} FROM source")
    for role in ids.keys() - texts.keys():
        key = KEYS[role]
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {role}s AS SELECT DISTINCT {key} AS id, {key} AS h, "
            f"false AS is_bad FROM rows WHERE {key} IS NOT NULL"
        )
    return tuple(columns)


def _read_texts(connection: duckdb.DuckDBPyConnection, ids: dict[str, IdColumn]) -> int:
    """Create `users` or `items` or both, and return a salt by which all hashes of one differ."""
    selected = ", ".join(
        f"{column.sql} AS {role}, grouping({column.sql}) AS not_{role}"
        for role, column in ids.items()
    )
    sets = ", ".join(f"({column.sql})" for column in ids.values())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE ids AS SELECT {selected} FROM source "
        f"GROUP BY GROUPING SETS ({sets})"
    )
    for salt in count():
        clashes = 0
        for role in ids:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {role}s AS SELECT {role} AS id, "
                f"hash({role}, {salt}) AS h, {is_bad(role)} AS is_bad FROM ids "
                f"WHERE not_{role} = 0"
            )
            clashes += row_of(connection, f"SELECT count(*) - count(DISTINCT h) FROM {role}s")[0]
        if not clashes:
            connection.execute("DROP TABLE ids")
            return salt
    raise AssertionError("a salt without a clash exists")


def _rating(spec: DatasetSpec, types: dict[str, str]) -> str:
    rating = number_sql("rating", types["rating"]) if spec.rating else "NULL::FLOAT"
    if not spec.kinds:
        return rating
    finite = f"(CASE WHEN isinf({rating}) THEN {BAD} ELSE {rating} END)"
    values = {"like": LIKE, "dislike": DISLIKE, "rating": finite}
    return _by_kind(
        {kind: values.get(meaning) or _constant(meaning) for kind, meaning in spec.kinds.items()},
        "NULL::FLOAT",
    )


def _by_kind(values: Mapping[str, str], other: str) -> str:
    """Return SQL of the value that a row's kind has; of kinds without a name that of `*`."""
    cases = "".join(f"WHEN {literal(kind)} THEN {value} " for kind, value in values.items())
    return f"CASE {KIND} {cases}ELSE {values.get(OTHER_KINDS, other)} END"


def _constant(meaning: str) -> str:
    word, _, value = meaning.partition(":")
    return f"{float(value)}::FLOAT" if word == "rating" else "NULL::FLOAT"


def _part(spec: DatasetSpec) -> str:
    if not spec.kinds:
        return "part"
    parts = {
        kind: f"part + {IGNORED}" if meaning == "ignore" else "part"
        for kind, meaning in spec.kinds.items()
    }
    return f"({_by_kind(parts, f'part + {UNKNOWN_KIND}')})::TINYINT"


def _has_fractions(connection: duckdb.DuckDBPyConnection, form: TimeForm, type_name: str) -> bool:
    """Return whether a text column of whole numbers holds some with a fraction, too."""
    if form.is_date or form.has_fractions or type_name != "VARCHAR":
        return False
    if not row_of(connection, "SELECT coalesce(bool_or(t IS NULL), false) FROM rows")[0]:
        return False
    query = (
        "SELECT count(*) FROM (SELECT 1 FROM source WHERE contains(\"time\", '.') "
        'AND TRY_CAST(trim("time") AS DOUBLE) IS NOT NULL LIMIT 1)'
    )
    return bool(row_of(connection, query)[0])
