"""Bring the rows of all interaction files into one narrow table, checked but not yet numbered.

    read_rows(connection, spec, sources) -> Rows

A row of `rows` is 28 bytes: hashes of user and item (the ids themselves stay in `users` and
`items`, each once), the time as a number in its own unit, the rating. Nothing is cast before it is
checked: what cannot be read is NULL or NaN here, and a rejected row later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import duckdb

from marquee.data.engine.id_columns import IdColumn, id_column, is_bad, is_integer
from marquee.data.engine.times import TimeForm, time_form
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.sql import literal, quote, row_of
from marquee.data.spec import DatasetSpec

ROLES = ("user", "item", "time", "rating", "watched", "watched_seconds", "duration", "kind",
         "strength")  # fmt: skip
IGNORED, UNKNOWN_KIND = -10, -20
"""Added to `part` of a row that --kinds leaves out, and of one whose kind it does not name."""
KIND = '"kind"::VARCHAR'
LIKE, DISLIKE, BAD = "'inf'::FLOAT", "'-inf'::FLOAT", "'nan'::FLOAT"
"""Ratings until the scale is known: its largest value, its smallest, and what is no number."""


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
    """Read every file twice: for the different ids, and for the rows.

    sources: one for each part. strict: ids that are no integers are bad, as MovieLens has it.
    Raises InputError for a column whose type cannot be what its option says.
    """
    types = join_sources(connection, spec, sources)
    is_text = any(source.is_text for source in sources)
    user, item = (
        id_column(connection, "source", role, types[role], is_text=is_text, option=f"--{role}")
        for role in ("user", "item")
    )
    form = time_form(connection, "source", "time", types["time"]) if "time" in types else None
    salt = _read_ids(connection, user, item, strict=strict)
    columns = _create_rows(connection, spec, types, (user, item, form), salt)
    if form is not None and _has_fractions(connection, form, types["time"]):
        form = time_form(connection, "source", "time", types["time"], fractions=True)
        columns = _create_rows(connection, spec, types, (user, item, form), salt)
    return Rows(columns, types, user, item, form)


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


def _read_ids(
    connection: duckdb.DuckDBPyConnection, user: IdColumn, item: IdColumn, *, strict: bool
) -> int:
    """Create `users` and `items` (id, h, is_bad), and return a salt by which all hashes differ."""
    connection.execute(
        f"CREATE TEMP TABLE ids AS SELECT {user.sql} AS u, {item.sql} AS i, "
        f"grouping({user.sql}) AS is_item FROM source "
        f"GROUP BY GROUPING SETS (({user.sql}), ({item.sql}))"
    )
    for salt in count():
        clashes = 0
        for table, column, ids in (("users", "u", user), ("items", "i", item)):
            bad = is_bad(column, ids.type)
            if strict and ids.type == "text":
                bad = f"({bad} OR NOT {is_integer(column)})"
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {column} AS id, "
                f"hash({column}, {salt}) AS h, {bad} AS is_bad FROM ids "
                f"WHERE is_item = {int(ids is item)}"
            )
            clashes += row_of(connection, f"SELECT count(*) - count(DISTINCT h) FROM {table}")[0]
        if not clashes:
            connection.execute("DROP TABLE ids")
            return salt
    raise AssertionError("a salt without a clash exists")


def _create_rows(
    connection: duckdb.DuckDBPyConnection,
    spec: DatasetSpec,
    types: dict[str, str],
    forms: tuple[IdColumn, IdColumn, TimeForm | None],
    salt: int,
) -> tuple[str, ...]:
    user, item, time = forms
    columns = {"u": f"hash({user.sql}, {salt})", "i": f"hash({item.sql}, {salt})"}
    if time is not None:
        columns["t"] = time.sql
    if spec.rating or spec.kinds:
        columns["rating"] = _rating(spec, types)
    if spec.watched:
        columns["watched"] = number("watched", types["watched"])
    elif spec.watched_seconds:
        seconds, duration = (number(role, types[role]) for role in ("watched_seconds", "duration"))
        columns["watched"] = f"({seconds} / nullif({duration}, 0))"
    if spec.strength:
        columns["strength"] = number("strength", types["strength"])
    columns["part"] = _part(spec)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE rows AS SELECT {selected} FROM source")
    return tuple(columns)


def number(role: str, type_name: str) -> str:
    """Return SQL of a FLOAT: NULL where nothing is given, NaN where it is no number."""
    name = quote(role)
    if type_name == "BOOLEAN":
        return f"{name}::INTEGER::FLOAT"
    value = f"coalesce(TRY_CAST({name} AS FLOAT), {BAD})"
    return f"CASE WHEN {name} IS NULL THEN NULL ELSE {value} END"


def _rating(spec: DatasetSpec, types: dict[str, str]) -> str:
    rating = number("rating", types["rating"]) if spec.rating else "NULL::FLOAT"
    if not spec.kinds:
        return rating
    finite = f"(CASE WHEN isinf({rating}) THEN {BAD} ELSE {rating} END)"
    values = {"like": LIKE, "dislike": DISLIKE, "rating": finite}
    cases = (
        f"WHEN {literal(kind)} THEN {values.get(meaning) or _constant(meaning)}"
        for kind, meaning in spec.kinds.items()
    )
    return f"CASE {KIND} {' '.join(cases)} END"


def _constant(meaning: str) -> str:
    word, _, value = meaning.partition(":")
    return f"{float(value)}::FLOAT" if word == "rating" else "NULL::FLOAT"


def _part(spec: DatasetSpec) -> str:
    if not spec.kinds:
        return "part"
    ignored = [kind for kind, meaning in spec.kinds.items() if meaning == "ignore"]
    named = [kind for kind, meaning in spec.kinds.items() if meaning != "ignore"]
    cases = [
        f"WHEN {KIND} IN ({', '.join(map(literal, kinds))}) THEN {part}"
        for kinds, part in ((named, "part"), (ignored, f"part + {IGNORED}"))
        if kinds
    ]
    return f"(CASE {' '.join(cases)} ELSE part + {UNKNOWN_KIND} END)::TINYINT"


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
