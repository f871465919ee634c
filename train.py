"""Train a recommender: from a data set to a bundle that can be served, measured and compared.

    python train.py fit --config recipes/demo.yaml      generated data, 1 min on one core
    python train.py fit --config recipes/ml-1m.yaml     MovieLens 1M, three refits: 100 min
    python train.py select | refit | test --config …    the steps of fit, one at a time
    python train.py validate --config …                 rank the validation items again

Every setting of a recipe can be given on the command line (`--trainer.max_epochs 2`); `fit --help`
lists them. `refit --seed_everything 1` trains one seed, so that seeds can share a machine.

| written | holds |
|---|---|
| runs/NAME/DATE | config, checkpoints, metrics, costs, model card and every test row |
| bundles/NAME | the first seed's model, as it is served |
| results/NAME.PROTOCOL.json | test metrics with intervals, beside the baselines |

`marquee export | register | compare | ablate | tune | …` work on finished runs; `marquee --help`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl

from datamodules.datamodule import InteractionDataModule
from marquee.core.bootstrap import figure_text
from marquee.core.command import run_command, say
from marquee.core.errors import InputError
from marquee.training import comet, distributed, pipeline
from marquee.training.config import RunConfig, read_config
from marquee.training.run_folder import SelectionResult, open_run
from marquee.training.studies.cross_validation import fit_folds
from marquee.training.trainer import Training, build_trainer, prepare, quiet_libraries
from models.lightning_module import RankingModule


def fit(config: RunConfig) -> None:
    """Select the epoch on validation, refit on train + validation, export, test."""
    if config.folds:
        return fit_folds(config)
    run = open_run(config, new=True)  # runs/NAME/DATE, or the run of --ckpt_path
    if pipeline.is_finished(config, run):
        return None

    # Seed, data, model and trainer: nothing is trained yet.
    pl.seed_everything(config.seed_everything, workers=True)
    data = InteractionDataModule(config.data)
    model = RankingModule(data.sizes, config.model.network, config.model.learning)
    trainer = build_trainer(config, run, data, phase="select")
    with Training(config=config, run=run, data=data, model=model, trainer=trainer) as training:
        # Select: train on the training part, and choose the epoch by validation.
        selection = pipeline.select(training)

        # Refit: the same with each seed on train + validation, for as many epochs; a bundle each.
        for seed in config.seeds:
            pipeline.refit_seed(config, run, selection, seed=seed)

        # Test: read the test part once, through the bundles, beside the baselines.
        pipeline.evaluate_run(training, selection, loggers=trainer.loggers)
        pipeline.finish(run)


def select(config: RunConfig) -> None:
    """Train, and choose the epoch on validation: the first step of fit."""
    run = open_run(config, new=True)
    if pipeline.is_finished(config, run):
        return
    with prepare(config, run, phase="select") as training:
        pipeline.select(training)


def refit(config: RunConfig) -> None:
    """Train `seed_everything` on train + validation, and export it."""
    if config.seed_everything not in config.seeds:
        raise InputError(
            f"--seed_everything {config.seed_everything}: expected one of the recipe's seeds "
            f"{config.seeds}"
        )
    run = open_run(config, new=False)
    selection = SelectionResult.load(run.path)
    pipeline.refit_seed(config, run, selection, seed=config.seed_everything)


def test(config: RunConfig) -> None:
    """Measure the newest run's bundles on the test part: the last step of fit."""
    run = open_run(config, new=False)
    selection = SelectionResult.load(run.path)
    training = prepare(config, run, phase="test", refit="validation")
    with comet.continued(run.path, Path(config.runs), config.comet) as loggers:
        pipeline.evaluate_run(training, selection, loggers=loggers)


def validate(config: RunConfig) -> None:
    """Rank the validation items with the selected checkpoint, and print its metrics."""
    training = prepare(config, open_run(config, new=False), phase="validate")
    for name, value in sorted(pipeline.validate(training).items()):
        say(f"{name} {figure_text(value)}")


VERBS: dict[str, Callable[[RunConfig], None]] = {
    "fit": fit,
    "select": select,
    "refit": refit,
    "validate": validate,
    "test": test,
}
DISTRIBUTED = ("fit", "select", "refit")  # verbs that several processes can run together


def run_verb(verb: str, args: list[str]) -> None:
    """Run one verb; InputError for an unknown one, or one that torchrun cannot run."""
    if verb not in VERBS:
        raise InputError(f"verb {verb!r}: expected one of {', '.join(VERBS)}")
    if distributed.world_size() > 1 and verb not in DISTRIBUTED:
        raise InputError(
            f"{verb} with {distributed.world_size()} processes: expected one; torchrun is for "
            f"{', '.join(DISTRIBUTED)}"
        )
    quiet_libraries()
    VERBS[verb](read_config(args))
    distributed.leave()


def main(args: list[str]) -> int:
    """Run a command line and return its exit status: 0, 1, 2, 130 or 143."""
    if not args or args[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0 if args else 2
    rank = distributed.global_rank()
    name = f"train.py (rank {rank})" if rank else "train.py"
    return run_command(name, lambda: run_verb(args[0], args[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
