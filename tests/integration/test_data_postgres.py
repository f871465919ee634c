"""A query of PostgreSQL as a source: types, streaming, and errors without a password."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest

from marquee.cli import main
from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.source_tables import SourceTable, open_source
from tests.support import postgres

pytestmark = pytest.mark.postgres
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
TABLE = f"""
CREATE TABLE plays (account uuid, asset bigint, code text, at timestamptz, day date, share real,
    price numeric, big numeric(30), genres text[], extra jsonb, fixed char(5), seen boolean);
INSERT INTO plays VALUES
 ('{UUID}', 9007199254740993, '007', '2024-01-01 12:00:00+02', '2024-01-01', .5, 1.25,
  12345678901234567890, '{{Drama,"Sci, Fi"}}', '{{"a": 1}}', 'ab', true),
 ('{UUID}', -5, '', NULL, NULL, NULL, 2, 1, NULL, NULL, NULL, NULL);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server() as server:
        with psycopg.connect(server.url) as database:
            database.execute(TABLE)
        yield server.url


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _open(connection: duckdb.DuckDBPyConnection, folder: Path, url: str, query: str) -> SourceTable:
    return open_source(connection, (url,), query=query, folder=folder)


def test_open_source_database_types_decide(
    server: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = _open(connection, tmp_path, server, "SELECT * FROM plays ORDER BY asset DESC;")
    assert source.columns == {
        "account": "UUID", "asset": "BIGINT", "code": "VARCHAR", "at": "TIMESTAMPTZ",
        "day": "DATE", "share": "DOUBLE", "price": "DOUBLE", "big": "VARCHAR",
        "genres": "VARCHAR", "extra": "VARCHAR", "fixed": "VARCHAR", "seen": "BOOLEAN",
    }  # fmt: skip
    query = f'SELECT * REPLACE (CAST("at" AS VARCHAR) AS "at") FROM {source.view}'
    rows = connection.sql(query).fetchall()
    assert str(rows[0][0]) == UUID
    assert rows[0][1:4] == (9007199254740993, "007", "2024-01-01 10:00:00+00")
    assert rows[0][7:11] == ("12345678901234567890", '["Drama","Sci, Fi"]', '{"a": 1}', "ab")
    assert rows[1][1:4] == (-5, None, None)
    (file,) = source.finish()
    assert "secret" not in file.path + "".join(source.notes)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        pytest.param("SELECT nothing FROM plays", 'column "nothing" does not exist', id="column"),
        pytest.param("DELETE FROM plays RETURNING *", "--query: ", id="delete"),
        pytest.param("SELECT asset, asset FROM plays", "'asset' twice", id="twice"),
        pytest.param("", "--query: ", id="empty"),
    ],
)
def test_open_source_query_that_fails_is_refused(
    server: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path, query: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        _open(connection, tmp_path, server, query)
    assert "secret" not in str(error.value)
    with psycopg.connect(server) as database:
        assert database.execute("SELECT count(*) FROM plays").fetchall() == [(2,)]


def test_open_source_database_away_shows_no_password(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    url = "postgresql://reader:hush@127.0.0.1:1/shop"
    with pytest.raises(InputError, match=r"postgresql://reader@127.0.0.1:1/shop") as error:
        _open(connection, tmp_path, url, "SELECT 1")
    assert "hush" not in str(error.value)


def test_open_source_wrong_password_names_its_place(
    server: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    url = server.replace("secret-of-the-tests", "hush")
    with pytest.raises(InputError, match=r"PGPASSWORD or ~/\.pgpass") as error:
        _open(connection, tmp_path, url, "SELECT 1")
    assert "hush" not in str(error.value)


def test_add_database_loads_and_keeps_no_password(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_ROOT", "data")
    query = "SELECT 'u' || n AS account, n % 7 AS asset, now() AS at FROM generate_series(1, 50) n"
    args = ["--interactions", server, "--query", query, "--user", "account", "--item", "asset"]
    assert main(["data", "add", "shop", *args, "--time", "at"]) == 0
    assert "secret" not in Path("data/shop/dataset.yaml").read_text()
    dataset = load_dataset("shop")
    assert dataset.histories.user_id[0] == "u1"
    assert dataset.movies.movie_id.tolist() == list(range(7))
