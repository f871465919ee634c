"""The frame of every command: one error line, and one exit status for one kind of error.

    def main(args: list[str]) -> int:
        return run_command("releases", lambda: run(parser().parse_args(args)))

| status | means |
|---|---|
| 0 | done |
| 1 | the answer is no (a check or gate refuses), or an error that nobody foresaw |
| 2 | an error that the caller can mend: arguments, files, settings |
| 130 | stopped by ctrl-C |
| 143 | stopped by SIGTERM |
"""

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from marquee.core.errors import InputError

REFUSED = 1
UNFORESEEN = 1
INPUT_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
ERROR_LOG = "error.log"


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose errors are InputError."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


class Terminated(BaseException):
    """SIGTERM: leave through every `finally`, so that nothing stays half-written."""

    has_come = False  # for callers of a library that makes another error of it, as DuckDB does


def run_command(name: str, run: Callable[[], int | None], *, interrupted: str = "stopped") -> int:
    """Run one command and return its exit status; errors are one line on stderr.

    run: returns a status, or None for 0. interrupted: the message after ctrl-C; a KeyboardInterrupt
    with an argument brings its own.
    """
    try:
        with sigterm_raises():
            return run() or 0
    except (InputError, OSError) as error:
        return fail(name, str(error), INPUT_ERROR)
    except Terminated:
        return TERMINATED
    except KeyboardInterrupt as stop:
        return fail(name, str(stop.args[0]) if stop.args else interrupted, INTERRUPTED)
    except Exception as error:
        Path(ERROR_LOG).write_text(traceback.format_exc())
        message = f"{type(error).__name__}: {error} (not foreseen; traceback: {ERROR_LOG})"
        return fail(name, message, UNFORESEEN)


def fail(name: str, message: str, status: int) -> int:
    """Print one error line on stderr and return the status."""
    print(f"{name}: error: " + " ".join(message.split()), file=sys.stderr)
    return status


def say(message: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    print(message, flush=True)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Raise Terminated on SIGTERM while the block runs."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        Terminated.has_come = True
        raise Terminated

    Terminated.has_come = False
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
