"""Measure the throughput of one and of two workers: make bench-serving ARGS=--workers

The two services run side by side, and wrk loads them in turn, in several rounds. The ratio is taken
round by round. It needs two cores that nothing else uses; wrk itself takes a hundredth of one.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.report import Row, row
from benchmarks.serving.servers import MARQUEE, Server, load

WHAT = "/recommend, k = 10, history of 50 movies"


def measure(
    bundle: str,
    bodies: Sequence[bytes],
    folder: Path,
    *,
    clients: int,
    rounds: int,
    seconds: float,
) -> list[Row]:
    """Return the rows of both services; folder: an empty one, for what they store."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as stack:
        servers = {
            count: stack.enter_context(service(bundle, folder, workers=count)) for count in rates
        }
        for server in servers.values():  # warm-up; the second worker may become ready meanwhile
            load(server, "/recommend", bodies, clients, max(3, seconds))
        for _ in range(rounds):
            for count, server in servers.items():
                run = load(server, "/recommend", bodies, clients, seconds)
                rates[count].append(run["rate"])
    return table(rates, clients)


def service(bundle: str, folder: Path, *, workers: int) -> Server:
    home = Path(tempfile.mkdtemp(dir=folder))
    store = f"sqlite:///{home / 'events.sqlite'}"
    settings = {"BUNDLE": bundle, "EVENTS_URL": store, "WORKERS": str(workers)}
    return Server(MARQUEE, home, settings)


def table(rates: dict[int, list[float]], clients: int) -> list[Row]:
    rows = []
    for count, values in rates.items():
        what = f"{count} worker{'s' * (count > 1)}; {WHAT}; {clients} clients"
        rows.append(row(f"workers-{count}-rate", what, values, "requests/s"))
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    what = f"requests/s of 2 workers / of 1; {WHAT}; {clients} clients"
    return [*rows, row("workers-2-throughput-ratio", what, ratios, "x")]
