"""Recommend for every user of an event store, into a folder of parquet files.

    marquee batch --bundle bundles/ml-1m --events sqlite:///events.sqlite --out lists
    …  --address 10.0.0.5:6379     on a Ray cluster, all of its cores
    …  --single-process            without Ray

A list is the answer of `Recommender.recommend` for the stored history of that user, computed by the
same code for a block of users at a time. Ray Data distributes the blocks over processes of one core
each. Every process loads the bundle once and has one connection to the store. There is one row per
user and place: user_id, place, movie_id (int64 or string, as in the data), score, expected, low,
high, p_like (these four only with ratings), strategy, model_version. The folder appears when it is
complete, and its `_lists.json` holds counts and sources. Ratings that arrive during the run may or
may not count.

On a cluster the command runs on one of the nodes. Every node needs the packages of
requirements-serving.lock and `ray[data]`, and bundle, store and --out under the same paths (a
shared disk); the code itself travels with the job.

Needs the extra `ray`: pip install -e '.[ray]'.
"""

import argparse
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its products are small here

from marquee.batch.batch_recommender import BatchJob, BatchRecommender
from marquee.batch.parquet_writer import TableBatches, write_manifest, write_ranges
from marquee.core.command import ArgumentParser, run_command, say, sigterm_raises
from marquee.core.errors import InputError
from marquee.core.files import atomic_folder
from marquee.recommender.query import RecommendQuery

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The environment of every Ray process, because each has one core."""
MAX_K = 100
"""The limit of the API for k."""
USERS_PER_BLOCK = 1024
"""Users of one task and one file: 10,240 rows at k = 10, 300 kB, some seconds of one core."""
CONNECT_TIMEOUT_S = 5
"""A cluster's head answers within this, or counts as absent; Ray itself would try for minutes."""
OBJECT_STORE_BYTES = 256 * 2**20
"""The object store of a local Ray, instead of 30% of the memory: only tables pass through it."""
RAY_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
CLUSTER_SETTINGS = {"RAY_NUM_REDIS_GET_RETRIES": "1"}
"""Ask a head that does not answer once (40 s), not twenty times."""
PACKAGE = Path(__file__).parents[1]


def main(args: list[str]) -> int:
    """Run `marquee batch` and return its exit status."""
    return run_command("marquee batch", lambda: run(make_parser().parse_args(args)))


def make_parser() -> ArgumentParser:
    parser = ArgumentParser(
        "marquee batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", required=True, help="folder of the bundle")
    parser.add_argument(
        "--events", required=True, help="event store, sqlite:///FILE or postgresql://…"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder to write; new or empty")
    parser.add_argument("--k", type=int, default=10, help="places of a list, 1 to 100")
    parser.add_argument("--block", type=int, default=USERS_PER_BLOCK, help="users per task")
    parser.add_argument("--address", help="HOST:PORT of a Ray cluster; else this machine")
    parser.add_argument("--cpus", type=int, help="processes of one core each (default: all cores)")
    parser.add_argument("--single-process", action="store_true", help="do without Ray")
    for name in ("calibration", "novelty", "freshness"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="0 to 1, as in a request")
    return parser


def run(args: argparse.Namespace) -> None:
    """Write the lists; on an InputError nothing is left behind."""
    check_arguments(args)
    query = RecommendQuery(
        k=args.k, calibration=args.calibration, novelty=args.novelty, freshness=args.freshness
    )
    query.check_strengths()
    job = BatchJob(bundle=args.bundle, events=args.events, query=query)
    try:
        with atomic_folder(args.out) as folder:
            manifest = write_lists(job, folder, args)
    except OSError as error:
        raise InputError(
            f"{args.out}: the lists cannot be written ({error.strerror or error}), expected a "
            "folder that can be written and space for it; name another --out"
        ) from error
    say(f"{manifest['lists']:,} lists of {args.k}, {manifest['rows']:,} rows, are in {args.out}")


def write_lists(job: BatchJob, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Write the lists of every user, and return their manifest."""
    batch = BatchRecommender(job)
    ranges = list(batch.store.user_id_ranges(args.block))
    if not ranges:
        raise InputError(
            f"{batch.store.address}: the event store has no users, expected at least one; "
            "fill it with: marquee import-ratings --data … --events …"
        )
    if args.single_process:
        write_ranges(batch, ranges, folder)
    else:
        write_with_ray(job, ranges, folder, address=args.address, cpus=args.cpus)
    return write_manifest(folder, batch)


def check_arguments(args: argparse.Namespace) -> None:
    """Raise InputError for numbers out of range and contradictory options."""
    if not 1 <= args.k <= MAX_K:
        raise InputError(f"--k {args.k}: expected 1 to {MAX_K}")
    for name in ("block", "cpus"):
        number = getattr(args, name)
        if number is not None and number < 1:
            raise InputError(f"--{name} {number}: expected 1 or more")
    for name in ("address", "cpus"):
        if args.single_process and getattr(args, name) is not None:
            raise InputError(f"--single-process and --{name}: contradict each other; drop one")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise InputError(
            f"{args.out}: not empty, expected a new or empty folder; name another --out"
        )


def write_with_ray(
    job: BatchJob,
    ranges: list[tuple[str, str]],
    folder: Path,
    *,
    address: str | None,
    cpus: int | None,
) -> None:
    """Run every range of users as a Ray task that writes its table as a file."""
    for name, value in (RAY_SETTINGS | (CLUSTER_SETTINGS if address else {})).items():
        os.environ.setdefault(name, value)  # read when Ray is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"Ray: cannot be imported ({error}), expected the extra `ray`; install it with: "
            "pip install -e '.[ray]', or use --single-process"
        ) from error

    with connect(ray, address, cpus) as num_cores:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = sys.stderr.isatty()
        context.raise_original_map_exception = True  # else its message is lost
        tasks = [{"first": first, "last": last} for first, last in ranges]
        ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            TableBatches,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=min(cpus or num_cores, len(ranges))),
        ).write_parquet(str(folder), concurrency=1, ray_remote_args={"num_cpus": 0})


@contextmanager
def connect(ray: Any, address: str | None, cpus: int | None) -> Iterator[int]:
    """Start Ray here or join the cluster at `address`, yield its cores, leave it.

    An error in another process is reported by the last line of its traceback.
    """
    local_settings: dict[str, Any] = {}
    if address:
        check_reachable(address)
    else:
        local_settings["num_cpus"] = cpus or len(os.sched_getaffinity(0))
        local_settings |= {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    logging.disable()  # Ray Data logs every traceback itself
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="CRITICAL",
            runtime_env={"env_vars": ONE_THREAD, "py_modules": [str(PACKAGE)]},
            **local_settings,
        )
        with sigterm_raises():  # Ray has installed its own handler
            yield int(ray.cluster_resources()["CPU"])
    except ray.exceptions.RayError as error:
        raise InputError(f"a Ray process failed: {last_line(error)}") from error
    except ConnectionError as error:
        raise InputError(
            f"--address {address}: {last_line(error)}, expected a cluster of Ray "
            f"{ray.__version__}; set RAY_AUTH_MODE=token where it asks for a token"
        ) from error
    finally:
        ray.shutdown()
        logging.disable(logging.NOTSET)


def last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def check_reachable(address: str) -> None:
    """Raise InputError unless a server accepts connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address}: expected HOST:PORT of a Ray cluster's head")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise InputError(
            f"--address {address}: no answer ({error}), expected the head of a Ray cluster"
        ) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
