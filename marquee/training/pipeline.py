"""The steps of a run, for train.py and the studies: select, refit, export, test.

config = read_config(args)
run = open_run(config, new=True)
data, model, trainer = prepare(config, run, phase="select")
selection = select(config, run, data, model, trainer)        # the epoch, by validation
refit_seed(config, run, selection, seed=0)                   # bundles/NAME
evaluate_run(config, run, data, model, trainer, selection, loggers=[])     # results/

fit(config)        # all of this; train.py spells it out
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.results import code_commit
from marquee.recommender.recommender import Recommender
from marquee.training import checkpoints, comet, distributed, evaluate_ratings
from marquee.training.callbacks import CostMeter
from marquee.training.checkpoints import CheckpointSaver
from marquee.training.config import RunConfig
from marquee.training.distributed import say_once
from marquee.training.run_bundles import (
    check_before_training,
    is_served,
    seed_bundle,
    write_run_bundle,
)
from marquee.training.run_evaluation import evaluate_models
from marquee.training.run_folder import BEST, SELECT, RunFolder, open_run
from marquee.training.run_logging import archive_results, log_end, log_start
from marquee.training.selection import SelectionResult
from marquee.training.trainer import build_trainer, callback_of, is_done
from models.lightning_module import RankingModule


class Parts(NamedTuple):
    """The parts of one training, as `data, model, trainer`."""

    data: InteractionDataModule
    model: RankingModule
    trainer: pl.Trainer


def build_data(config: RunConfig, refit: Refit = "none") -> InteractionDataModule:
    """Return the data of a run, read when it is used. refit: the ratings to train on."""
    return InteractionDataModule(config.data, refit)


def prepare(
    config: RunConfig,
    run: RunFolder,
    *,
    phase: str,
    refit: Refit = "none",
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
) -> Parts:
    """Seed everything, then build data, model and trainer of one phase.

    Nothing is trained yet. phase: the folder within the run. refit: the ratings to train on.
    epochs: stop after so many, without validation. callbacks: further ones.
    """
    pl.seed_everything(config.seed_everything, workers=True)
    data = build_data(config, refit)
    model = RankingModule(data.sizes, config.model.network, config.model.learning)
    trainer = build_trainer(config, run, data, phase=phase, epochs=epochs, callbacks=callbacks)
    return Parts(data, model, trainer)


def fit(config: RunConfig) -> None:
    """Select, refit each seed, export and test.

    These are the steps of `train.py fit`, for the studies.
    """
    run = open_run(config, new=True)
    if is_done(config, run):
        return say_once(already_finished(run))
    data, model, trainer = prepare(config, run, phase=SELECT)
    try:
        selection = select(config, run, data, model, trainer)
        for seed in config.seeds:
            refit_seed(config, run, selection, seed=seed)
        evaluate_run(config, run, data, model, trainer, selection, loggers=trainer.loggers)
        finish(run)
    finally:
        comet.close(trainer.loggers)


def already_finished(run: RunFolder) -> str:
    """Return the message for a run that is resumed and has nothing left to do."""
    return f"{run.path} is finished; without --ckpt_path another run is started"


def select(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    model: RankingModule,
    trainer: pl.Trainer,
) -> SelectionResult:
    """Train on the training part, and choose the epoch by validation.

    Writes fit.json, and a bundle of the selected model, which was trained without the validation
    part. Raises InputError before the training for what would fail after it.
    """
    commit = code_commit()
    check_before_training(config, data, config.bundle_folder if is_served(config) else None)
    train(config, data, model, trainer)
    epochs, value = best_epoch(trainer)
    selection = SelectionResult(
        folder=run.path, commit=commit, epochs=epochs, validation={config.monitor: value}
    )
    say_once(f"selected epoch {epochs}: {config.monitor} {value:.4f}")
    if distributed.global_rank() == 0:
        selection.save()
        if is_served(config):
            checkpoints.load_weights(model, run.checkpoint(SELECT, BEST))
            export(config, data, model, trainer, selection, run.unrefitted_bundle)
    distributed.barrier()
    return selection


def refit_seed(config: RunConfig, run: RunFolder, selection: SelectionResult, *, seed: int) -> None:
    """Train one seed on train + validation for the selected epochs, and export it."""
    seed_config = config.with_settings({"seed_everything": seed})
    data, model, trainer = prepare(
        seed_config, run, phase=f"refit-{seed}", refit="validation", epochs=selection.epochs
    )
    refit(seed_config, run, data, model, trainer, selection)


def refit(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    model: RankingModule,
    trainer: pl.Trainer,
    selection: SelectionResult,
) -> None:
    """Train the parts of a refit, and export them as the bundle of `seed_everything`."""
    train(config, data, model, trainer)
    if is_served(config) and distributed.global_rank() == 0:
        folder = seed_bundle(config, run, config.seed_everything)
        say_once(f"bundle: {export(config, data, model, trainer, selection, folder)}")
    distributed.barrier()


def train(
    config: RunConfig, data: InteractionDataModule, model: RankingModule, trainer: pl.Trainer
) -> None:
    """Train one phase, from its checkpoint if --ckpt_path says so.

    Raises KeyboardInterrupt after a ctrl-C, with the way to resume as its message, and Terminated
    after a SIGTERM; both after the step has ended and been saved.
    """
    saver, meter = callback_of(trainer, CheckpointSaver), callback_of(trainer, CostMeter)
    num_parameters = model.network.num_parameters()
    say_once(f"{saver.phase}: {config.name}, {num_parameters:,} parameters")
    checkpoint = saver.find_resumable(config.ckpt_path)
    if checkpoint:
        say_once(f"{saver.phase}: resuming from {checkpoint.path}, step {checkpoint.step}")
    log_start(trainer.loggers, config, data, device_of(trainer))
    save_config(config, trainer)
    meter.start()
    try:
        with checkpoints.converted_stops(saver):
            path = checkpoint.path if checkpoint else None
            trainer.fit(model, data, ckpt_path=path, weights_only=False)
            checkpoints.raise_signal(saver.signal)
    finally:
        meter.stop()


def save_config(config: RunConfig, trainer: pl.Trainer) -> None:
    """Write config.yaml beside the metrics of a phase, in rank 0."""
    if distributed.global_rank() == 0:
        config.save(callback_of(trainer, CostMeter).folder)


def best_epoch(trainer: pl.Trainer) -> tuple[int, float]:
    """Return the number of epochs with the best validation, and its value."""
    best = callback_of(trainer, ModelCheckpoint)
    if best.best_model_score is None:
        raise InputError("no epoch was validated, expected one or more; train longer")
    checkpoint = checkpoints.read_checkpoint(best.best_model_path)
    return int(checkpoint["epoch"]) + 1, float(best.best_model_score)


def export(
    config: RunConfig,
    data: InteractionDataModule,
    model: RankingModule,
    trainer: pl.Trainer,
    selection: SelectionResult,
    folder: Path,
) -> Path:
    """Write the bundle of a trained model.

    Its rating model is fitted here, which counts as cost of the phase.
    """
    meter = callback_of(trainer, CostMeter)
    meter.start()
    write_run_bundle(folder, model.network, config=config, data=data, selection=selection)
    meter.stop()
    return folder


def evaluate_run(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    model: RankingModule,
    trainer: pl.Trainer,
    selection: SelectionResult,
    *,
    loggers: Sequence[Logger],
) -> None:
    """Read the test part once, and publish its results.

    They go to `results/`, the run's folder and Comet. model: takes the weights of the classic
    user's checkpoints. trainer: for its device. In a distributed training rank 0 alone evaluates.
    """
    if distributed.global_rank() != 0:
        return
    device = device_of(trainer)
    metrics = evaluate_models(config, run, data, model, selection, device=device)
    bundle = config.bundle_folder if is_served(config) else None
    archive_results(config, run, bundle)
    log_end(loggers, config, run, data, selection, metrics=metrics, bundle=bundle)


def finish(run: RunFolder) -> None:
    """Mark a run as finished, in rank 0."""
    if distributed.global_rank() == 0:
        run.mark_finished()


def validate(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    model: RankingModule,
    trainer: pl.Trainer,
) -> dict[str, float]:
    """Return the validation metrics of a checkpoint.

    It is the selected one, or that of --ckpt_path.
    """
    checkpoints.load_weights(model, config.ckpt_path or run.checkpoint(SELECT, BEST))
    save_config(config, trainer)
    with checkpoints.converted_stops(callback_of(trainer, CheckpointSaver)):
        trainer.validate(model, data, verbose=False)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if PROTOCOLS[config.data.protocol].targets == "ratings":
        recommender = Recommender.load(run.unrefitted_bundle)
        metrics |= evaluate_ratings.validate(recommender, data)
    return metrics


def device_of(trainer: pl.Trainer) -> str:
    """Return the device of a trainer: "cpu", "cuda:0"."""
    return str(trainer.strategy.root_device)
