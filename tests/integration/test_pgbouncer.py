"""Test the event store behind PgBouncer in transaction mode, with real clients side by side.

Two connections to the server are shared by all clients: what one leaves on a connection, a prepared
statement or a setting, meets another.
"""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from marquee.core.errors import InputError
from marquee.feedback import database
from marquee.feedback.driver_errors import is_slow
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
from tests.support import pgbouncer, postgres
from tests.support.paths import ROOT
from tests.support.processes import start_together, wait_until

pytestmark = pytest.mark.postgres

NUM_EVENTS = 60
NUM_MOVIES = 5
CLIENT = """
import sys
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
print("ready", flush=True)
sys.stdin.readline()
url, user_id, num_events, num_movies = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = EventStore(url)
for n in range(num_events):
    event = Event(event_id=f"{user_id}-{n}", user_id=user_id, movie_id=n % num_movies,
                  kind="rating", stars=n / num_events, at_us=n)
    assert store.add([event]).accepted == 1, n
    history = store.user_state(user_id).history
    assert len(history) == min(n + 1, num_movies) and history[-1][0] == n % num_movies, history
    assert store.state_version(user_id)[1] == n + 1
store.import_ratings([user_id] * 3, [100, 101, 102], [1.0, 2.0, 3.0], [1, 2, 3])
reader = EventStore(url, read_only=True)
ranges = list(reader.user_id_ranges(2))
states = dict(state for pair in ranges for state in reader.user_states(*pair))
assert len(states[user_id].history) == num_movies + 3, states[user_id]
print(store.delete_user(user_id))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="module")
def url(server: postgres.Server) -> Iterator[str]:
    with pgbouncer.running(server) as url:
        yield url


def rating(event_id: str, user_id: str = "ann") -> Event:
    return Event(
        event_id=event_id, user_id=user_id, movie_id=6, kind="rating", stars=4.0, at_us=1_000_000
    )


def test_pgbouncer_processes_side_by_side_never_fail(url: str) -> None:
    """They migrate, write, read, import, export in a stream and erase at the same time."""
    users = ("ann", "bob", "cem", "dov")
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, url, user, str(NUM_EVENTS), str(NUM_MOVIES)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for user in users
    ]
    start_together(clients)
    outputs = [client.communicate(timeout=120) for client in clients]
    assert [output for output, _ in outputs] == [f"{NUM_EVENTS + 3}\n"] * len(users), outputs


def test_pgbouncer_threads_of_one_store_never_fail(url: str) -> None:
    store = EventStore(url)

    def write_and_read(worker: int) -> int:
        user = f"user-{worker}"
        for n in range(NUM_EVENTS):
            assert store.add([rating(f"{user}-{n}", user)]).accepted == 1
            assert [entry[0] for entry in store.user_state(user).history] == [6]
        return store.delete_user(user)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(write_and_read, range(8))) == [NUM_EVENTS] * 8
    store.close()


def test_pgbouncer_statement_timeout_holds(url: str, server: postgres.Server) -> None:
    """A read of a locked table is given up by the server; the next one is tried at once."""
    store = EventStore(url)
    store.add([rating("t1")])
    with psycopg.connect(server.url) as other:
        other.execute("LOCK TABLE ratings IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="statement timeout") as caught:
            store.user_state("ann")
        assert is_slow(caught.value.__cause__ or caught.value)
    assert len(store.user_state("ann").history) == 1
    store.close()


def test_pgbouncer_other_clients_keep_their_settings(url: str) -> None:
    """The server's own values, on each connection that a store has used."""
    stores = [EventStore(url), EventStore(url, read_only=True)]
    for store in stores:
        for _ in range(5):
            store.user_state("ann")
    stores[0].add([rating("s1")])
    settings = ("statement_timeout", "default_transaction_read_only", "lock_timeout")
    connect = partial(psycopg.connect, url, prepare_threshold=None)
    with connect() as one, connect() as two:  # in transactions: on both connections of the pool
        values = [
            [client.execute(f"SHOW {name}").fetchone() for name in settings]
            for client in (one, two)
        ]
        prepared = [
            client.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
            for client in (one, two)
        ]
    assert values == [[("0",), ("off",), ("0",)]] * 2 and prepared == [(0,)] * 2
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("mode", "parameters", "message"),
    [
        pytest.param("statement", "", "expected transactions; set pool_mode = trans", id="mode"),
        pytest.param(
            "transaction",
            "?options=-csearch_path%3Dx",
            "options, expected none behind PgBouncer; leave options out .* ALTER ROLE",
            id="options",
        ),
    ],
)
def test_pgbouncer_that_cannot_work_is_refused_at_start(
    server: postgres.Server, mode: str, parameters: str, message: str
) -> None:
    with pgbouncer.running(server, mode=mode) as url:
        with pytest.raises(InputError, match=message) as caught:
            EventStore(url + parameters)
        assert type(caught.value) is InputError
        assert "EVENTS_URL" in str(caught.value) and postgres.PASSWORD not in str(caught.value)


@pytest.mark.slow
def test_pgbouncer_without_its_server_lets_a_service_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """PgBouncer answers nothing for two minutes; what waits is served when PostgreSQL is back."""
    with postgres.server() as server, pgbouncer.running(server) as url:
        server.stop()
        monkeypatch.setattr(database, "OPEN_S", 0.5)
        store = EventStore(url)
        server.start()
        wait_until(store.is_alive, "the store was not found again")
        assert store.add([rating("a1")]).accepted == 1
        store.close()
