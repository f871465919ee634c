"""Push, serve, promote and roll back on this machine, without an account: `make twin`.

    python -m deploy.twin bundles/demo runs/twin/second

An S3 server is started (moto's), the first bundle pushed and promoted, the service started on the
bucket; then, under load, the second is promoted and taken back. Each step prints the version that
`/model` answers with and how many requests of the load were served and failed since the last one:

    step=promote model_version=91c0… served=812 failed=0

Exit status 1 if a request failed, or a version did not come within a minute; 2 if a bundle cannot
be used.
"""

import argparse
import logging
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

import boto3
from moto.server import ThreadedMotoServer

from deploy.local_processes import run_service
from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.promotion.releases_command import main as releases
from marquee.recommender.bundle import read_bundle
from marquee_client import Marquee, MarqueeError, Retries
from marquee_client.requests import HistoryEntry
from marquee_client.types import MovieId

BUCKET, STORE = "movies", "s3://movies/models/twin"
NUM_CLIENTS, HISTORY_LENGTH = 4, 5
LOAD_S = 3.0
"""Seconds of load in each step, after its version answers."""
WAIT_S = 60.0


class Load:
    """Clients that request one user's list all the time, as a context."""

    def __init__(self, url: str, movie_ids: list[MovieId], versions: list[str]) -> None:
        self._url, self._versions, self._stopped = url, versions, threading.Event()
        self._history: list[HistoryEntry] = [{"movie_id": movie_id} for movie_id in movie_ids]
        self._outcomes: SimpleQueue[bool] = SimpleQueue()
        self._pool = ThreadPoolExecutor(NUM_CLIENTS)

    def __enter__(self) -> "Load":
        for _ in range(NUM_CLIENTS):
            self._pool.submit(self._request)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown()

    def outcomes(self) -> Counter[bool]:
        """Return the number of served and failed requests since the last call."""
        return Counter(self._outcomes.get() for _ in range(self._outcomes.qsize()))

    def _request(self) -> None:
        with Marquee(self._url, retries=Retries(0)) as marquee:
            while not self._stopped.is_set():
                try:
                    answer = marquee.recommend(history=self._history, k=10)
                except MarqueeError:
                    self._outcomes.put(False)
                else:
                    is_known = answer["model_version"] in self._versions
                    self._outcomes.put(bool(answer["items"]) and is_known)


def main(args: Sequence[str] | None = None) -> int:
    """Run the steps; return 2 for an error that the caller can mend."""
    parser = ArgumentParser(description="Push, serve, promote and roll back on this machine.")
    parser.add_argument("first", help="folder of the bundle that is promoted first")
    parser.add_argument("second", help="that of the next one")
    return run_command("twin", lambda: run(parser.parse_args(args)))


def run(options: argparse.Namespace) -> int:
    """Run the steps; return 1 if one fails."""
    first, second = read_bundle(options.first), read_bundle(options.second)
    versions = [str(bundle.manifest["model_version"]) for bundle in (first, second)]
    if versions[0] == versions[1]:
        raise InputError(
            f"{options.first} and {options.second}: the same version, expected two; train another"
        )
    with tempfile.TemporaryDirectory() as scratch, bucket():
        os.environ |= {"BUNDLE_CACHE": f"{scratch}/cache", "BUNDLE_POLL_S": "1"}
        command("push", options.first, STORE)
        command("promote", versions[0], STORE)
        history = first.movies.movie_id[:HISTORY_LENGTH].tolist()
        with (
            run_service(STORE, f"sqlite:///{scratch}/events.sqlite") as url,
            Load(url, history, versions) as load,
        ):
            is_good = step("serve", url, versions[0], load)
            command("push", options.second, STORE)
            command("promote", versions[1], STORE)
            is_good &= step("promote", url, versions[1], load)
            command("rollback", STORE)
            is_good &= step("rollback", url, versions[0], load)
    return 0 if is_good else 1


def step(name: str, url: str, expected: str, load: Load) -> bool:
    """Wait for a version, let the load run on, and print the counts."""
    deadline = time.monotonic() + WAIT_S
    with Marquee(url) as marquee:
        while (
            version := marquee.model()["model_version"]
        ) != expected and time.monotonic() < deadline:
            time.sleep(0.1)
    time.sleep(LOAD_S)
    outcomes = load.outcomes()
    served, failed = outcomes[True], outcomes[False]
    say(f"step={name} model_version={version} served={served} failed={failed}")
    return version == expected and served > 0 and failed == 0


def command(*args: str) -> None:
    """Run `marquee releases`; InputError if it fails."""
    if releases(list(args)) != 0:
        raise InputError(
            f"marquee releases {' '.join(args)}: failed, expected exit status 0; see its error"
        )


@contextmanager
def bucket() -> Iterator[None]:
    """Run an S3 server with one bucket; this process's environment points there."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "twin",
        "AWS_SECRET_ACCESS_KEY": "twin",
        "AWS_REGION": "us-east-1",
    }
    os.environ.pop("AWS_SESSION_TOKEN", None)
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
    try:
        yield
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
