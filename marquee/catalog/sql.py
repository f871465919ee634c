"""The statements of the catalog: one text for both databases wherever that is possible.

Rows of titles are for the driver itself. SQLite takes them one by one, PostgreSQL a thousand as one
text of JSON: psycopg takes ten times the CPU to write arrays.
"""

import sqlalchemy as sa

LOCK_VERSION = "SELECT version FROM catalog_state"
"""SQLite has begun to write before; PostgreSQL locks the row."""
SELECT_VERSION = sa.text("SELECT version FROM catalog_state")
UPDATE_VERSION = sa.text("UPDATE catalog_state SET version = :version")

MOVIE_COLUMNS = "movie_key, document, is_deleted, version, added_us, changed_us"
SELECT_MOVIE = sa.text(f"SELECT {MOVIE_COLUMNS} FROM catalog_movies WHERE movie_key = :movie_key")
SELECT_MOVIES = sa.text(
    f"SELECT {MOVIE_COLUMNS} FROM catalog_movies WHERE movie_key > :movie_key "
    "ORDER BY movie_key LIMIT :limit"
)
SELECT_CHANGED_MOVIES = sa.text(
    f"SELECT {MOVIE_COLUMNS} FROM catalog_movies "
    "WHERE (version, movie_key) > (:version, :movie_key) ORDER BY version, movie_key LIMIT :limit"
)
COUNT_CHANGES = sa.text("SELECT count(*) FROM catalog_movies WHERE version > :version")

RULE_COLUMNS = "name, document, is_deleted, version, changed_us"
SELECT_RULE = sa.text(f"SELECT {RULE_COLUMNS} FROM catalog_rules WHERE name = :name")
SELECT_RULES = sa.text(f"SELECT {RULE_COLUMNS} FROM catalog_rules ORDER BY name")
SELECT_CHANGED_RULES = sa.text(
    f"SELECT {RULE_COLUMNS} FROM catalog_rules "
    "WHERE :version < (SELECT max(version) FROM catalog_rules) ORDER BY name"
)
"""All of them, or none."""
UPSERT_RULE = sa.text(f"""
    INSERT INTO catalog_rules ({RULE_COLUMNS})
    VALUES (:name, :document, :is_deleted, :version, :changed_us)
    ON CONFLICT (name) DO UPDATE SET document = excluded.document,
        is_deleted = excluded.is_deleted, version = excluded.version,
        changed_us = excluded.changed_us
""")

AUDIT_COLUMNS = "at_us, actor, action, subject, before, after"
TYPES = {
    "movie_key": "text",
    "document": "text",
    "is_deleted": "boolean",
    "version": "bigint",
    "added_us": "bigint",
    "changed_us": "bigint",
    "at_us": "bigint",
    "actor": "text",
    "action": "text",
    "subject": "text",
    "before": "text",
    "after": "text",
}
"""Columns of the rows that are written together, and their types in PostgreSQL."""


def select_stored(*, is_sqlite: bool) -> str:
    """Return the statement that reads the titles of many keys."""
    keys = "IN (SELECT value FROM json_each(?))" if is_sqlite else "= ANY(%s::text[])"
    return f"SELECT {MOVIE_COLUMNS} FROM catalog_movies WHERE movie_key {keys}"


def upsert_movies(*, is_sqlite: bool) -> str:
    """Return the statement that writes titles."""
    columns = MOVIE_COLUMNS.split(", ")
    values = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "movie_key")
    insert = _insert("catalog_movies", columns, is_sqlite)
    return f"{insert} ON CONFLICT (movie_key) DO UPDATE SET {values}"


def insert_audit(*, is_sqlite: bool) -> str:
    """Return the statement that adds entries to the audit."""
    return _insert("catalog_audit", AUDIT_COLUMNS.split(", "), is_sqlite)


def select_audit(*, has_subject: bool) -> sa.TextClause:
    """Return the statement that reads the audit, the newest entry first."""
    condition = "AND subject = :subject" if has_subject else ""
    return sa.text(
        f"SELECT id, {AUDIT_COLUMNS} FROM catalog_audit WHERE id < :cursor {condition} "
        "ORDER BY id DESC LIMIT :limit"
    )


def _insert(table: str, columns: list[str], is_sqlite: bool) -> str:
    names = ", ".join(columns)
    if is_sqlite:
        values = f"VALUES ({', '.join('?' * len(columns))})"
    else:
        types = ", ".join(f"{name} {TYPES[name]}" for name in columns)
        values = f"SELECT {names} FROM json_to_recordset(%s::json) AS rows_to_add ({types})"
    return f"INSERT INTO {table} ({names}) {values}"
