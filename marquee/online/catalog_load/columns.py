"""Map the columns of a file to fields and attributes, and find how their cells are read.

A column that is no field is an attribute. Of text files all cells of an attribute have one type:
numbers where every one is a plain number, true and false, lists where one holds "|", else text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from marquee.core.errors import InputError
from marquee.data.attributes.text_values import text_of
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.sql import NONE_WORDS, literal, quote, row_of
from marquee.online.catalog_load.fields import (
    ATTRIBUTES,
    CONVERTERS,
    MOVIE_ID,
    TITLES,
    flag_value,
    list_value,
    number_value,
    plain_value,
)

OF_THE_SERVICE = "num_ratings"
"""A field of `GET /movies` that nobody can set."""
NUMBER = r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?"
KINDS: dict[str, Callable[[Any], Any]] = {
    "number": number_value,
    "true or false": flag_value,
    "list": list_value,
    "text": text_of,
}
TIME_TEXT = "'%Y-%m-%dT%H:%M:%SZ'"


@dataclass(frozen=True)
class Target:
    """The place of a column's cells in a document."""

    field: str
    key: str | None
    """The language of a title, or the name of an attribute."""
    convert: Callable[[Any], Any]

    def put(self, document: dict[str, Any], value: Any) -> None:
        """Set the value in a document."""
        if self.key is None:
            others = document.get(self.field)
            if isinstance(value, dict) and isinstance(others, dict):
                value = {**value, **others}
            document[self.field] = value
            return
        if not isinstance(document.get(self.field), dict):
            document[self.field] = {}
        document[self.field][self.key] = value


class ColumnMap:
    """The targets of the columns of a source."""

    def __init__(
        self,
        columns: Sequence[str],
        *,
        renamed: Mapping[str, str],
        skipped: Sequence[str],
    ) -> None:
        """renamed: column by field. InputError without a column of ids."""
        self._field_of = {column: field for field, column in renamed.items()}
        self._left_out = {*skipped, OF_THE_SERVICE} | (set(renamed) - set(self._field_of))
        self._kinds: dict[str, str] = {}
        self._targets: dict[str, Target | None] = {}
        self.id_column = renamed.get(MOVIE_ID, MOVIE_ID)
        if self.id_column not in columns:
            raise InputError(
                f"column {MOVIE_ID}: not there, expected an id of each title among "
                f"{', '.join(columns)[:500]}; name it with --column {MOVIE_ID}=COLUMN"
            )

    def target(self, column: str) -> Target | None:
        """Return the place of a column; None for one that is left out."""
        if column not in self._targets:
            self._targets[column] = self._new_target(column)
        return self._targets[column]

    def is_attribute(self, column: str) -> bool:
        """Return whether a column is a value by a name of the platform's own."""
        target = self.target(column)
        return target is not None and target.field == ATTRIBUTES and target.key is not None

    def set_kinds(self, kinds: Mapping[str, str]) -> None:
        """Set how the cells of attributes are read, by column."""
        self._kinds |= kinds
        self._targets.clear()

    def describe(self, columns: Sequence[str]) -> str:
        """Return a sentence on what becomes of the columns."""
        fields = [self.name_of(column) for column in columns if self._is_field(column)]
        attributes = [
            f"{self.name_of(column)} ({self._kinds[column]})"
            if column in self._kinds
            else self.name_of(column)
            for column in columns
            if self.is_attribute(column)
        ]
        parts = [f"fields {', '.join(fields) or 'none but the id'}"]
        return "; ".join(parts + [f"attributes {', '.join(attributes)}"] * bool(attributes))

    def name_of(self, column: str) -> str:
        """Return the name that a column has in a document."""
        name = self._field_of.get(column, column)
        return name.removeprefix(f"{ATTRIBUTES}.")

    def _is_field(self, column: str) -> bool:
        return self.target(column) is not None and not self.is_attribute(column)

    def _new_target(self, column: str) -> Target | None:
        if column in self._left_out or column == self.id_column:
            return None
        name = self._field_of.get(column, column)
        if name in CONVERTERS:
            return Target(name, None, CONVERTERS[name])
        if name.startswith(f"{TITLES}."):
            return Target(TITLES, name.removeprefix(f"{TITLES}."), CONVERTERS["title"])
        return Target(ATTRIBUTES, self.name_of(column), KINDS.get(self._kind(column), plain_value))

    def _kind(self, column: str) -> str:
        return self._kinds.get(column, "")


def check_columns(names: Sequence[str], columns: Sequence[str]) -> None:
    """Raise InputError for a name that no column has."""
    for name in names:
        if name not in columns:
            raise InputError(
                f"column {name!r}: not there, expected one of {', '.join(columns)[:500]}"
            )


def cell_sql(column: str, type_name: str) -> str:
    """Return SQL of a cell that JSON can hold: times are text, decimals numbers."""
    name = quote(column)
    if type_name.startswith(("TIMESTAMP", "DATE")) and not type_name.endswith("]"):
        return f"strftime(CAST({name} AS TIMESTAMP), {TIME_TEXT})"
    if type_name in ("FLOAT", "FLOAT[]"):  # 3.3 and not 3.299999952316284
        is_list = "[]" if type_name.endswith("]") else ""
        return f"CAST(CAST({name} AS VARCHAR{is_list}) AS DOUBLE{is_list})"
    if type_name.startswith(("DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT")):
        return f"CAST({name} AS DOUBLE{'[]' if type_name.endswith(']') else ''})"
    is_plain = type_name in ("BOOLEAN", "DOUBLE") or type_name.endswith(("INT", "INTEGER"))
    return name if is_plain or type_name.endswith(("]", ")")) else f"CAST({name} AS VARCHAR)"


def text_kinds(
    connection: duckdb.DuckDBPyConnection, source: SourceTable, columns: Sequence[str]
) -> dict[str, str]:
    """Return the kind of each column of text, by all of its cells.

    Text of Parquet and databases has a type already: it is text, or a list.
    """
    texts = [name for name in columns if source.columns[name] == "VARCHAR"]
    if not texts:
        return {}
    results = row_of(connection, f"SELECT {', '.join(map(_kind_sql, texts))} FROM {source.view}")
    kinds = dict(zip(texts, results, strict=True))
    if not source.is_text:
        return {name: kind if kind == "list" else "text" for name, kind in kinds.items()}
    return kinds


def _kind_sql(column: str) -> str:
    text = f"trim({quote(column)})"
    is_known = f"{text} NOT IN ({', '.join(map(literal, sorted(NONE_WORDS)))})"
    tests = {
        "number": f"bool_and(regexp_full_match({text}, {literal(NUMBER)})) FILTER ({is_known})",
        "true or false": f"bool_and(lower({text}) IN ('true', 'false')) FILTER ({is_known})",
        "list": f"bool_or(contains({text}, '|'))",
    }
    cases = " ".join(f"WHEN {test} THEN {literal(kind)}" for kind, test in tests.items())
    return f"CASE {cases} ELSE 'text' END"
