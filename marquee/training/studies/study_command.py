"""The frame of a study: its command, and the summary of a metric over its repetitions.

def main(args: list[str]) -> int:
    return run_study("ablate", ablate, args)
"""

from collections.abc import Callable, Sequence

import pandas as pd

from marquee.core.command import ArgumentParser, run_command
from marquee.core.errors import InputError
from marquee.training import distributed
from marquee.training.trainer import quiet_libraries


def study_parser(verb: str, description: str) -> ArgumentParser:
    """Return a parser of a study's own options; parse_known_args leaves the settings."""
    return ArgumentParser(
        f"marquee {verb}",
        description=description,
        epilog="--config RECIPE and every setting of `train.py fit` can be given, too.",
        allow_abbrev=False,
    )


def mean_and_range(values: Sequence[float]) -> dict[str, float]:
    """Return mean, low and high of a few repetitions, too few for an interval."""
    series = pd.Series(values)
    return {"mean": series.mean(), "low": series.min(), "high": series.max()}


def run_study(verb: str, study: Callable[[list[str]], None], args: list[str]) -> int:
    """Run the study of a verb and return its exit status; torchrun is refused."""

    def run() -> None:
        if distributed.world_size() > 1:
            raise InputError(
                f"marquee {verb}: {distributed.world_size()} processes, expected one; torchrun is "
                "for train.py fit, select and refit"
            )
        quiet_libraries()
        study(args)

    return run_command(f"marquee {verb}", run)
