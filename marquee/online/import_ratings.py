"""Seed an event store with the histories of a data set.

    marquee import-ratings --data ml-1m --events sqlite:///events.sqlite

An interaction with a rating becomes a rating, another one a watch, with the watched share where it
is known. Of one user and item the last interaction counts. In a data set without times all have
that of 1970-01-01T00:00:00Z, in the order of its file: every later event counts after them.

A row that an earlier import brought is replaced, so importing twice changes nothing. Rows are
stored in chunks beside a running service: an import that was stopped is finished by running it
again. A million rows take 3 s of CPU into SQLite; into PostgreSQL 8 s, and more in the server. The
memory does not grow with them. The store's tables are created, or expanded, at the same time.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from marquee.core import memmap
from marquee.core.arrays import Float32, Float64, Int64, shortest_decimal
from marquee.core.command import ArgumentParser, run_command, say
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.user_histories import UserHistories
from marquee.feedback.store import EventStore

ROWS_PER_CHUNK = 100_000
"""Interactions that are stored together: half a second, for which SQLite's other writers wait."""
ROWS_PER_REPORT = 1_000_000


def main(args: list[str]) -> int:
    """Run `marquee import-ratings` and return its exit status."""
    parser = ArgumentParser("marquee import-ratings")
    parser.add_argument("--data", required=True, help="a data set: ml-1m, demo, …")
    parser.add_argument("--data.root", dest="root", help="folder of data sets, else DATA_ROOT")
    parser.add_argument("--events", required=True, help="sqlite:///FILE or postgresql://…")
    interrupted = "stopped; the same command finishes the import"
    return run_command(
        "marquee import-ratings",
        lambda: import_ratings(parser.parse_args(args)),
        interrupted=interrupted,
    )


def import_ratings(args: argparse.Namespace) -> None:
    """Store every interaction of a data set, and print their number."""
    dataset = load_dataset(args.data, args.root)
    for message in dataset.report:
        say(f"data: {message}")
    store = EventStore(args.events)
    count, reported = 0, 0
    for rows, user in iter_chunks(dataset.histories):
        count += import_rows(store, dataset, rows, user)
        if count - reported >= ROWS_PER_REPORT:
            reported = count
            say(f"{count:,} of {len(dataset.histories.item):,} rows")
    store.close()
    kind = "ratings" if dataset.has_ratings else "watches"
    say(f"{count:,} {kind} of {args.data} are in {store.address}")


def iter_chunks(histories: UserHistories) -> Iterator[tuple[slice, Int64]]:
    """Yield rows, and the user of each, in chunks that split no user."""
    for users, rows in memmap.iter_user_chunks(histories.indptr, ROWS_PER_CHUNK):
        length = np.diff(histories.indptr[users.start : users.stop + 1])
        yield rows, np.repeat(np.arange(users.start, users.stop), length)


def import_rows(store: EventStore, dataset: Dataset, rows: slice, user: Int64) -> int:
    """Store the last interaction of each user and item; return their number."""
    histories, item = dataset.histories, dataset.histories.item[rows].astype(np.int64)
    last = last_of_each_pair(user, item)
    watched = None if histories.watched is None else decimals(histories.watched[rows][last])
    return store.import_interactions(
        histories.user_id[user[last]],
        dataset.movies.movie_id[item[last]],
        decimals(histories.rating[rows][last]),
        watched,
        histories.timestamp[rows][last],
    )


def decimals(column: Float32) -> Float64:
    """Return the shortest decimal of each 32-bit number, as the bundle's scale has it.

    >>> decimals(np.array([3.3, 4.0], np.float32)).tolist()
    [3.3, 4.0]
    """
    values, position = np.unique(column, return_inverse=True)
    return np.array([shortest_decimal(value) for value in values], np.float64)[position]


def last_of_each_pair(user: Int64, item: Int64) -> Int64:
    """Return the positions of the last row of each user and item, ascending."""
    order = np.lexsort((np.arange(len(user)), item, user))
    is_last = np.ones(len(user), bool)
    is_last[:-1] = (np.diff(user[order]) != 0) | (np.diff(item[order]) != 0)
    return np.sort(order[is_last])
