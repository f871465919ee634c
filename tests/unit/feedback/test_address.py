"""Test that each bad EVENTS_URL is one sentence: what was found, what was expected, what helps."""

import pytest

from marquee.core.errors import InputError
from marquee.feedback.address import parse_url, redact
from marquee.feedback.store import EventStore

HOST = "postgresql://ann:secret@localhost:1"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("nonsense", "not a database address, expected", id="no-url"),
        pytest.param("mysql://ann:secret@h/db", "begins with mysql://, expected", id="database"),
        pytest.param("postgres://ann:secret@h/db", "begins with postgres://", id="scheme"),
        pytest.param("postgresql+asyncpg://a:secret@h/db", r"with postgresql\+async", id="driver"),
        pytest.param("sqlite+aiosqlite:///x", r"begins with sqlite\+aiosqlite://", id="aiosqlite"),
        pytest.param("sqlite+aiosqlite://", r"begins with sqlite\+aiosqlite://", id="async-memory"),
        pytest.param("postgresql://ann:secret@h:port/db", "check the .* port", id="port-text"),
        pytest.param("postgresql://ann:secret@[::1]:99999/db", "invalid port", id="port-number"),
        pytest.param("postgresql://ann:se@secret@h/db", "an @ in the password.*%40", id="at"),
        pytest.param("postgresql://ann:secret%zz@h/db", "two hex digits, expected %25", id="hex"),
        pytest.param("postgresql://ann:secret%ff@h/db", "no UTF-8, expected", id="utf-8"),
        pytest.param("postgresql://ann:secret@/db", r"no host, expected .*\?host=", id="no-host"),
        pytest.param("postgresql:///db?host=", "no host, expected", id="empty-host"),
        pytest.param("postgresql://ann:secret@a b/db", "white space in the host", id="space"),
        pytest.param("postgresql://ann:secret@a..b/db", "idna.*, expected", id="host-name"),
        pytest.param(f"{HOST}/db?foo=1", "parameter 'foo', expected .*leave it out", id="unknown"),
        pytest.param(f"{HOST}/db?row_factory=x", "parameter 'row_factory'", id="of-the-driver"),
        pytest.param(f"{HOST}/db?plugin=x", "parameter 'plugin'", id="of-sqlalchemy"),
        pytest.param(f"{HOST}/db?sslmode=bogus", 'sslmode value: "bogus", exp.*; cor', id="value"),
        pytest.param(f"{HOST}/db?connect_timeout=x", "bad value for connect_timeout", id="timeout"),
        pytest.param(f"{HOST}/db?service=q", 'service "q" not found, expected', id="service"),
        pytest.param("sqlite:///x?mode=bogus", "parameters, .* leave out mode=", id="sqlite-mode"),
        pytest.param("sqlite://x", "two slashes, expected three", id="two-slashes"),
        pytest.param("sqlite://", "no file, expected", id="memory"),
        pytest.param("sqlite:////no/such/folder/x", "unable to open.*, expected", id="no-folder"),
    ],
)
def test_event_store_bad_address_is_one_sentence(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=message) as caught:
        EventStore(address)
    assert type(caught.value) is InputError  # and not a StoreUnavailable, which is tried again
    sentence = str(caught.value)
    assert "EVENTS_URL" in sentence and "secret" not in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ann:secret@db.example/db",
        "postgresql+psycopg://ann:secret@db.example:5432/db?sslmode=require",
        "postgresql://ann@/db?host=/var/run/postgresql&password=secret",
        "postgresql://ann:se%40cret@db.example/db?options=-csearch_path%3Dx\n",
    ],
)
def test_parse_url_good_address_is_shown_without_secret(address: str) -> None:
    shown = redact(parse_url(address))
    assert "secret" not in shown and "se%40cret" not in shown


def test_parse_url_without_host_takes_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "/var/run/postgresql")
    assert parse_url("postgresql:///db").database == "db"
