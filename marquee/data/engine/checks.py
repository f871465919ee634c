"""Find bad rows, and name each with its file, its line, its value and what was expected."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from marquee.core.errors import InputError
from marquee.core.id_limits import MAX_ID_LENGTH
from marquee.data.engine.interactions import IGNORED, UNKNOWN_KIND
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.sql import literal, row_of

NUM_SHOWN = 3
NOT_IGNORED = f"NOT part BETWEEN {IGNORED} AND {IGNORED} + 2"
REJECTS_TABLE = (
    "CREATE OR REPLACE TEMP TABLE rejected (file VARCHAR, line BIGINT, reason VARCHAR, raw VARCHAR)"
)


@dataclass(frozen=True)
class Check:
    role: str  # of the column with the bad value
    expected: str
    sql: str  # true for a bad row of the table `rows`
    remedy: str = ""  # where an option helps


@dataclass
class Rejects:
    """Rows that are left out: those of each source, and how many rows there were."""

    num_rows: int = 0
    rows: list[tuple[str, int, str, str]] = field(default_factory=list)  # file, line, reason, raw
    reasons: dict[str, int] = field(default_factory=dict)
    remedies: list[str] = field(default_factory=list)

    def add(
        self, reason: str, rows: Sequence[tuple[str, int, str, str]], number: int, remedy: str = ""
    ) -> None:
        self.rows.extend(rows)
        self.reasons[reason] = self.reasons.get(reason, 0) + number
        self.remedies += [remedy] if remedy else []

    def add_lines(self, connection: duckdb.DuckDBPyConnection, source: SourceTable) -> None:
        """Add the lines of a source that are no rows; refuse a quote that nothing closes."""
        source.check_end()
        lines = connection.execute(
            f"SELECT file, line, reason, raw FROM ({source.rejects_sql()})"
        ).fetchall()
        self.num_rows += len(lines)
        if lines:
            self.add("a line that is no row", lines, len(lines))

    def extend(self, other: "Rejects") -> None:
        self.num_rows += other.num_rows
        for reason, number in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + number
        self.rows.extend(other.rows)

    def __len__(self) -> int:
        return sum(self.reasons.values())

    def refuse_above(self, max_rejected: float, name: str) -> None:
        """Raise InputError where more rows are bad than the share `max_rejected`."""
        if len(self) <= max_rejected * self.num_rows:
            return
        shown = "; ".join(f"{file} line {line}: {reason}" for file, line, reason, _ in
                          self.rows[:NUM_SHOWN])  # fmt: skip
        remedies = ["mend them", *self.remedies]
        if len(self) < self.num_rows:
            remedies.append(f"add it with --max-rejected {_above(len(self) / self.num_rows)}")
        raise InputError(
            f"{name}: {len(self):,} of {self.num_rows:,} rows cannot be read ({shown}), expected "
            f"at most {max_rejected:g} of them; {', or '.join(remedies)}"
        )

    def write(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(REJECTS_TABLE)
        if self.rows:
            connection.executemany("INSERT INTO rejected VALUES (?, ?, ?, ?)", self.rows)
        connection.execute(f"COPY rejected TO {literal(str(path))} (FORMAT parquet)")


def _above(share: float) -> str:
    """Return a share of one digit that is not below: 0.0123 -> 0.02."""
    digits = next((d for d in range(1, 9) if round(share, d) > 0), 8)
    step = 10.0**-digits
    return f"{min((int(share / step) + 1) * step, 0.99):.{digits}f}"


def checks_of(
    columns: Sequence[str], *, time: str | None, rating: str | None, has_kinds: bool
) -> list[Check]:
    """Return the checks of the table `rows`; the first that fails is the reason.

    time: SQL of a time that is plausible. rating: SQL of a rating on a scale that is known.
    has_kinds: infinite ratings stand for likes and dislikes.
    """
    id_form = f"an id of 1 to {MAX_ID_LENGTH} characters, none of them NUL"
    checks = [
        Check(
            "kind",
            "one that --kinds names",
            f"part < {UNKNOWN_KIND} + 5",
            "give all kinds a meaning with --kinds (KIND=ignore leaves rows out, * is all others)",
        ),
        Check("user", id_form, "u IS NULL OR u IN (SELECT h FROM users WHERE is_bad)"),
        Check("item", id_form, "i IS NULL OR i IN (SELECT h FROM items WHERE is_bad)"),
    ]
    if time is not None:
        checks.append(
            Check("time", "a time in the unit of the others", f"NOT coalesce({time}, false)")
        )
    number = "a finite number"
    if "rating" in columns:
        if rating is not None:
            checks.append(
                Check("rating", "a rating on the scale", f"NOT coalesce({rating}, false)")
            )
        checks.append(
            Check(
                "rating",
                number,
                "isnan(rating)" if has_kinds else "NOT isfinite(rating)",
                "give words a meaning with --kind and --kinds",
            )
        )
    if "watched" in columns:
        checks.append(
            Check("watched", "a number of at least 0", "(NOT isfinite(watched) OR watched < 0)")
        )
    if "strength" in columns:
        bad = "(strength IS NULL OR NOT isfinite(strength) OR strength < 0)"
        checks.append(Check("strength", "a number of at least 0", bad))
    return checks


def mark_bad(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> int:
    """Create the table `bad` (row, number of the check); return its size."""
    cases = " ".join(f"WHEN {check.sql} THEN {number}" for number, check in enumerate(checks))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE bad AS SELECT * FROM (SELECT rowid AS row, CASE {cases} END "
        f"AS number FROM rows WHERE {NOT_IGNORED}) WHERE number IS NOT NULL"
    )
    return int(row_of(connection, "SELECT count(*) FROM bad")[0])


def collect(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[SourceTable],
    checks: Sequence[Check],
    rejects: Rejects,
    max_rejected: float,
) -> None:
    """Add the bad rows to the rejects; only some, where they are too many anyway."""
    counts = dict(connection.execute("SELECT number, count(*) FROM bad GROUP BY 1").fetchall())
    is_refused = len(rejects) + sum(counts.values()) > max_rejected * rejects.num_rows
    limit = f"ORDER BY row LIMIT {NUM_SHOWN}" if is_refused else ""
    sample = connection.execute(
        f"WITH few AS MATERIALIZED (SELECT * FROM bad {limit}) SELECT few.number, source.* FROM "
        "(SELECT row_number() OVER () - 1 AS row, * FROM source) AS source "
        "JOIN few USING (row) ORDER BY row"
    )
    names = [column[0] for column in sample.description or ()]
    records = [dict(zip(names, record, strict=True)) for record in sample.fetchall()]
    places = _places(connection, sources, records)
    for number, count in sorted(counts.items()):
        check = checks[number]
        rows = [
            (file, line, _reason(check, record), _raw(record))
            for record, (file, line) in zip(records, places, strict=True)
            if record["number"] == number
        ]
        rejects.add(f"{check.role}: expected {check.expected}", rows, count, check.remedy)
    rejects.rows.sort(key=lambda row: row[:2])


def _places(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[SourceTable],
    records: Sequence[dict[str, Any]],
) -> list[tuple[str, int]]:
    parts = "SELECT (part + 20) % 10, count(*) FROM rows GROUP BY 1"
    sizes = dict(connection.execute(parts).fetchall())
    places, first = [], 0
    for part, source in enumerate(sources):
        rows = [int(record["row"]) - first for record in records if record["part"] == part]
        places += source.locate(rows) if rows else []
        first += sizes.get(part, 0)
    return places


def _reason(check: Check, record: dict[str, Any]) -> str:
    value = record.get(check.role)
    if check.role == "watched" and "watched_seconds" in record:
        value = f"{record['watched_seconds']} of {record['duration']}"
    problem = f"no {check.role}" if value is None else f"{check.role} {str(value)[:60]!r}"
    return f"{problem}, expected {check.expected}"


def _raw(record: dict[str, Any]) -> str:
    values = {
        name: value for name, value in record.items() if name not in ("row", "number", "part")
    }
    return json.dumps(values, ensure_ascii=False, default=str)
