"""The frame of a study: its command, its recipe, and the finished run that it measures."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from datamodules.datamodule import InteractionDataModule
from marquee.core.arrays import Float64
from marquee.core.command import ArgumentParser, run_command
from marquee.core.errors import InputError
from marquee.evaluation.results import code_commit
from marquee.training import distributed
from marquee.training.config import RunConfig, read_config
from marquee.training.evaluate import provenance
from marquee.training.run_bundles import VerifiedBundles, verified_bundles
from marquee.training.run_folder import SelectionResult, open_run
from marquee.training.trainer import quiet_libraries


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


def study_parser(verb: str, description: str) -> ArgumentParser:
    """Return a parser of a study's own options; parse_known_args leaves the settings."""
    return ArgumentParser(
        f"marquee {verb}",
        description=description,
        epilog="--config RECIPE and every setting of `train.py fit` can be given, too.",
        allow_abbrev=False,
    )


class FinishedRun(NamedTuple):
    """The newest finished run of a recipe."""

    config: RunConfig
    data: InteractionDataModule
    bundles: VerifiedBundles
    header: dict[str, Any]  # the first keys of the study's results file


def open_finished_run(
    verb: str, description: str, args: list[str], *, protocol: str
) -> FinishedRun:
    """Open the run that a study without options measures.

    Raises InputError for a recipe of another protocol, and if its bundles are not of that run.
    """
    _, settings = study_parser(verb, description).parse_known_args(args)
    config = read_config(settings)
    if config.data.protocol != protocol:
        raise InputError(
            f"{config.name}: data.protocol {config.data.protocol}, expected {protocol}, by which "
            f"marquee {verb} measures"
        )
    run, data = open_run(config, new=False), InteractionDataModule(config.data)
    selection = SelectionResult.load(run.path)
    header = {
        "recipe": config.recipe,
        "protocol": protocol,
        **provenance(data, selection, "cpu"),
        "commit": code_commit(),
        "trained_by": selection.commit,
    }
    return FinishedRun(config, data, verified_bundles(config, run, data, selection), header)


def mean_and_range(values: Sequence[float] | Float64) -> dict[str, float]:
    """Return mean, low and high of a few repetitions, too few for an interval."""
    series = pd.Series(values)
    return {"mean": series.mean(), "low": series.min(), "high": series.max()}
