"""The end of `make demo`: start the service on a bundle, request one list, print it, stop.

    python -m deploy.demo --bundle bundles/demo --events sqlite:///runs/demo.sqlite

It speaks to the service over HTTP as any client does. The user (--user) is one of the event store.
The reader can check the printed reasons: genres of the user's history, and genres of the
recommended movies.
"""

import argparse
import sys
from collections import Counter

from deploy.local_processes import run_service
from marquee.core.command import ArgumentParser, run_command
from marquee.core.errors import InputError
from marquee_client import Marquee, MarqueeError, label
from marquee_client.types import HistoryItem, RecommendResponse

NUM_LATEST = 10
"""Newest movies of the history whose genres are counted on their own."""


def main(args: list[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    parser = ArgumentParser(description="Start the service, request one list, print it, stop.")
    parser.add_argument("--bundle", default="bundles/demo")
    parser.add_argument("--events", default="sqlite:///runs/demo.sqlite")
    parser.add_argument("--user", type=int, default=1)
    return run_command("demo", lambda: run(parser.parse_args(args)))


def run(args: argparse.Namespace) -> None:
    """Request history and list of one user, and print both."""
    with run_service(args.bundle, args.events) as url, Marquee(url) as marquee:
        try:
            history = marquee.history(args.user)["items"]
            response = marquee.recommend(user_id=args.user, k=10)
        except MarqueeError as error:
            raise InputError(f"service at {url}: {error}, expected a list") from error
    if not history:
        raise InputError(
            f"user {args.user}: no history in {args.events}, expected one; fill the store with: "
            "marquee import-ratings --data … --events …"
        )
    print_lists(args.user, history, response)


def print_lists(user_id: int, history: list[HistoryItem], response: RecommendResponse) -> None:
    """Print the user's history and list, with the genres that they share."""
    genres = count_genres(history)
    print(f"\nUser {user_id} watched {len(history)} movies, lately:")
    for entry in history[:-4:-1]:
        print(f"  {label(entry)}  [{', '.join(entry['genres'])}]")
    latest = history[-NUM_LATEST:]
    print(f"  genres of all {len(history)}: {shares(genres, len(history))}")
    print(f"  genres of the last {len(latest)}: {shares(count_genres(latest), len(latest))}")
    print(f"\nRecommended ({response['strategy']}, model {response['model_version'][:12]}):")
    for place, item in enumerate(response["items"], 1):
        counts = [f"{genre} ({genres[genre]} of {len(history)})" for genre in item["genres"]]
        stars = item["stars"]
        print(f"{place:3}. {label(item)}")
        print(f"       genres, and how many you watched: {', '.join(counts) or 'none listed'}")
        print(f"       {stars['expected']:.1f} stars, likely {stars['low']:.1f} to ", end="")
        print(f"{stars['high']:.1f}, from {item['num_ratings']} ratings")
    list_genres = Counter(genre for item in response["items"] for genre in item["genres"])
    print(f"  genres of this list: {shares(list_genres, len(response['items']))}")


def count_genres(history: list[HistoryItem]) -> Counter[str]:
    return Counter(genre for entry in history for genre in entry["genres"])


def shares(genres: Counter[str], total: int) -> str:
    """Return the five most common genres: "Action 41%, Drama 22%"."""
    return ", ".join(f"{genre} {count / total:.0%}" for genre, count in genres.most_common(5))


if __name__ == "__main__":
    sys.exit(main())
