"""Seed an event store with the histories of a data set.

    marquee import-ratings --data ml-1m --events sqlite:///events.sqlite

A rating that an earlier import brought is replaced, so importing twice changes nothing. The store's
tables are created, or migrated to the newest version, at the same time.
"""

import argparse

import numpy as np

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.user_histories import UserHistories, build_histories
from marquee.feedback.store import EventStore


def main(args: list[str]) -> int:
    """Run `marquee import-ratings` and return its exit status."""
    parser = ArgumentParser("marquee import-ratings")
    parser.add_argument("--data", required=True, help="a data set: ml-1m, demo, …")
    parser.add_argument("--data.root", dest="root", help="folder of data sets, else DATA_ROOT")
    parser.add_argument("--events", required=True, help="sqlite:///FILE or postgresql://…")
    return run_command("marquee import-ratings", lambda: import_ratings(parser.parse_args(args)))


def import_ratings(args: argparse.Namespace) -> None:
    """Store every rating of a data set, all or none, and print their number."""
    dataset = load_dataset(args.data, args.root)
    histories = histories_in_training_order(dataset)
    for message in dataset.report:
        say(f"data: {message}")
    store = EventStore(args.events)
    count = store.import_ratings(
        np.repeat(histories.user_id, histories.length),
        dataset.movies.movie_id[histories.item],
        histories.rating,
        histories.timestamp,
    )
    say(f"{count:,} ratings of {args.data} are in {store.address}")


def histories_in_training_order(dataset: Dataset) -> UserHistories:
    """Build histories with ties in the file's order, else in the order of a hash."""
    try:
        return build_histories(dataset, "file")
    except InputError:
        return build_histories(dataset, "hash")
