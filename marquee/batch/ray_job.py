"""Lists for everybody in the event store, as a folder of parquet files.

    marquee batch --bundle bundles/ml-1m --events sqlite:///events.sqlite --out lists
    …  --address 10.0.0.5:6379     on a Ray cluster, all of its cores
    …  --single-process            without Ray

A list is what `Recommender.recommend` answers for that person's stored history: the same code, fed
a block of persons at a time. Ray Data shares the blocks among processes of one core each; every
process loads the bundle once and has one connection to the store. One row a person and place:
user_id, place, movie_id, score, expected, low, high, p_like, strategy, model_version
(marquee/batch/parquet_writer.py). The folder appears when it is whole; `_lists.json` in it says what it was made
of. What is rated while the command runs may or may not be in it.

On a cluster the command runs on one of its nodes, and every node needs the packages of
requirements-serving.txt with `ray[data]`, and finds bundle, store and --out's folder under the same
paths (a shared disk); the code itself travels with the job.

Needs the extra `ray`: pip install -e '.[ray]'.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its products are small here

from marquee.core.errors import InputError
from marquee.recommender.rerank import Controls

if TYPE_CHECKING:
    from marquee.batch.parquet_writer import Job

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Of every process of Ray: each has one core."""
MOST_PLACES = 100
"""The service's limit for k, too."""
PERSONS_A_BLOCK = 1024
"""One task, one file: 10,240 rows at k = 10, 300 kB, some seconds of one core."""
CONNECT_S = 5
"""A cluster's head answers within this, or there is none: Ray itself would try for minutes."""
OBJECT_STORE_BYTES = 256 * 2**20
"""Of a local Ray, instead of 30% of the memory: only finished tables pass through it."""
RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
JOINING = {"RAY_NUM_REDIS_GET_RETRIES": "1"}
"""A head that does not answer is asked once (40 s), not twenty times."""
INSTALL = "install it with: pip install -e '.[ray]'"


class Arguments(argparse.ArgumentParser):
    """Says what is wrong in one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def arguments() -> Arguments:
    parser = Arguments(
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
    parser.add_argument("--block", type=int, default=PERSONS_A_BLOCK, help="persons a task")
    parser.add_argument("--address", help="HOST:PORT of a Ray cluster; else this machine")
    parser.add_argument("--cpus", type=int, help="processes of one core each (default: all cores)")
    parser.add_argument("--single-process", action="store_true", help="do without Ray")
    for name in ("calibration", "novelty", "freshness"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="0 to 1, as in a request")
    return parser


def run(args: list[str]) -> None:
    """Write the lists, or raise InputError and leave nothing."""
    chosen = arguments().parse_args(args)
    refuse_contradictions(chosen)
    try:
        from marquee.batch.parquet_writer import Job, Lists, sign, whole
    except ImportError as error:
        raise InputError(f"pyarrow cannot be imported ({error}); {INSTALL}") from error
    controls = Controls(chosen.calibration, chosen.novelty, chosen.freshness)
    job = Job(chosen.bundle, chosen.events, chosen.k, controls)
    with whole(chosen.out) as folder:
        lists = Lists(job)
        ranges = list(lists.store.ranges(chosen.block))
        if not ranges:
            raise InputError(
                f"{lists.store.address}: this event store holds nobody; fill it with: "
                "marquee import-ratings --data … --events …"
            )
        if chosen.single_process:
            lists.write(ranges, folder)
        else:
            write_with_ray(job, ranges, folder, chosen.address, chosen.cpus)
        card = sign(folder, lists, job)
    print(f"{card['lists']:,} lists of {job.k}, {card['rows']:,} rows, are in {chosen.out}")


def refuse_contradictions(chosen: argparse.Namespace) -> None:
    for name, most in (("k", MOST_PLACES), ("block", None), ("cpus", None)):
        number = getattr(chosen, name)
        if number is not None and not 1 <= number <= (most or number):
            raise InputError(f"--{name} {number}: needed 1 {f'to {most}' if most else 'or more'}")
    for name in ("address", "cpus"):
        if chosen.single_process and getattr(chosen, name) is not None:
            raise InputError(f"--single-process and --{name} contradict each other; drop one")


def write_with_ray(
    job: "Job", ranges: list[tuple[str, str]], folder: Path, address: str | None, cpus: int | None
) -> None:
    """Each range of persons a task, each table a file."""
    for name, value in (RAY_SETTINGS | (JOINING if address else {})).items():
        os.environ.setdefault(name, value)  # read when Ray is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise InputError(
            f"Ray cannot be imported ({error}); {INSTALL}, or give --single-process"
        ) from error
    from marquee.batch.parquet_writer import Lists

    with connected(ray, address, cpus) as found:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = sys.stderr.isatty()
        context.raise_original_map_exception = True  # else its sentence is lost on the way
        processes = min(cpus or found, len(ranges))
        tasks = [{"first": first, "last": last} for first, last in ranges]
        ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            Lists,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=processes),
        ).write_parquet(str(folder), concurrency=1, ray_remote_args={"num_cpus": 0})


@contextmanager
def connected(ray: Any, address: str | None, cpus: int | None) -> Iterator[int]:
    """A Ray of our own on this machine, or the cluster at `address`, left in the end -> its cores.

    Of what goes wrong in another process the last line is told, without its pages of traceback.
    """
    here = {
        "num_cpus": cpus or len(os.sched_getaffinity(0)),
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    if address:
        refuse_unreachable(address)
    code = [str(Path(__file__).parents[1] / room) for room in ("catalogue", "serving")]
    logging.disable()  # Ray Data logs every traceback itself
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="CRITICAL",
            runtime_env={"env_vars": ONE_THREAD, "py_modules": code},
            **({} if address else here),
        )
        stop_on_sigterm()  # Ray has put its own way in place
        yield int(ray.cluster_resources()["CPU"])
    except ray.exceptions.RayError as error:
        raise InputError(f"a Ray process failed: {last_line(error)}") from error
    except ConnectionError as error:
        raise InputError(
            f"--address {address}: {last_line(error)}; needed a cluster of Ray {ray.__version__}, "
            "and RAY_AUTH_MODE=token where it asks for a token"
        ) from error
    finally:
        ray.shutdown()
        logging.disable(logging.NOTSET)


def last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def refuse_unreachable(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address}: expected HOST:PORT of a Ray cluster's head")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise InputError(f"--address {address}: no Ray cluster answers there ({error})") from error


def main(args: list[str]) -> int:
    """Wrong arguments, a wrong bundle or store: one line and exit status 2."""
    stop_on_sigterm()
    try:
        run(args)
    except (InputError, OSError) as error:
        return fail(str(error), 2)
    except KeyboardInterrupt:
        return fail("stopped", 130)
    return 0


def stop_on_sigterm() -> None:
    """As any other way out: nothing half-written stays. Exit status 143."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def fail(sentence: str, status: int) -> int:
    print("marquee.batch.ray_job: error: " + " ".join(sentence.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
