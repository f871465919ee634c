"""The steps of a run, for train.py and the studies: select, refit, test; `marquee export`.

--refit none exports the network as selected, validation the first seed's refit (or the one of
--ckpt_path, both). all trains again, on all ratings: its manifest names the measured bundle as its
sibling.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.results import code_commit
from marquee.recommender.bundle import read_bundle
from marquee.training import checkpoints, distributed, evaluate, evaluate_ratings, popularity_check
from marquee.training.callbacks import CostMeter
from marquee.training.checkpoints import CheckpointSaver
from marquee.training.config import RunConfig, read_config
from marquee.training.distributed import say_once
from marquee.training.export.bundle import export_bundle
from marquee.training.run_bundles import check_before_training, seed_bundle, verified_bundles
from marquee.training.run_folder import BEST, SELECT, RunFolder, SelectionResult, open_run
from marquee.training.run_logging import archive_results, log_end, log_start
from marquee.training.studies.study_command import run_study
from marquee.training.trainer import Training, prepare
from models.lightning_module import RankingModule


def fit(config: RunConfig) -> None:
    """Select, refit each seed, export and test, as `train.py fit` spells it out."""
    run = open_run(config, new=True)
    if is_finished(config, run):
        return
    with prepare(config, run, phase=SELECT) as training:
        selection = select(training)
        for seed in config.seeds:
            refit_seed(config, run, selection, seed=seed)
        evaluate_run(training, selection, loggers=training.trainer.loggers)
        finish(run)


def is_finished(config: RunConfig, run: RunFolder) -> bool:
    """Return whether a resumed run has nothing left to do, and print so."""
    is_done = bool(config.ckpt_path) and run.is_finished()
    if is_done:
        say_once(f"{run.path} is finished; without --ckpt_path another run is started")
    return is_done


def select(training: Training) -> SelectionResult:
    """Train on the training part, and choose the epoch by validation.

    Writes fit.json, and a bundle of the selected model. Raises InputError before the training for
    what would fail after it.
    """
    config, run, commit = training.config, training.run, code_commit()
    bundle = config.bundle_folder if config.is_served else None
    check_before_training(config, training.data, bundle)
    train(training)
    selection = compare_selection(training, commit)
    if distributed.is_first():
        selection.save()
        if config.is_served:
            checkpoints.load_weights(training.model, run.checkpoint(SELECT, BEST))
            export(training, selection, run.unrefitted_bundle)
    distributed.barrier()
    return selection


def compare_selection(training: Training, commit: str) -> SelectionResult:
    """Return the epoch that validation chose, compared with popularity; print both."""
    config, run = training.config, training.run
    epochs, value = best_epoch(training)
    reason = evaluate.validation_too_small(training.data, config.monitor)
    figure = f"n/a ({reason})" if reason else f"{value:.4f}"
    say_once(f"selected epoch {epochs}: {config.monitor} {figure}")
    popularity = None
    if reason is None:
        popularity = popularity_check.popularity_on_validation(training.data, config.monitor)
    is_below = popularity is not None and value <= popularity
    selection = SelectionResult(
        folder=run.path,
        commit=commit,
        epochs=epochs,
        validation={config.monitor: None if reason else value},
        below_popularity=is_below,
        withheld=config.is_served and popularity_check.is_withheld(config, is_below),
    )
    if popularity is not None and is_below:
        folder = seed_bundle(config, run, selection, seed=config.seeds[0])
        popularity_check.warn_below_popularity(config, value, popularity, folder)
    return selection


def refit_seed(config: RunConfig, run: RunFolder, selection: SelectionResult, *, seed: int) -> None:
    """Train one seed on train + validation for the selected epochs, and export it."""
    training = prepare(
        config.with_settings({"seed_everything": seed}),
        run,
        phase=f"refit-{seed}",
        refit="validation",
        epochs=selection.epochs,
    )
    train(training)
    if config.is_served and distributed.is_first():
        folder = seed_bundle(config, run, selection, seed=seed)
        say_once(f"bundle: {export(training, selection, folder)}")
    distributed.barrier()


def train(training: Training) -> None:
    """Train one phase, from its checkpoint if --ckpt_path says so.

    Raises KeyboardInterrupt after a ctrl-C, with the way to resume as its message, and Terminated
    after a SIGTERM; both after the step has ended and been saved.
    """
    config, trainer = training.config, training.trainer
    saver, meter = training.callback(CheckpointSaver), training.callback(CostMeter)
    num_parameters = training.model.network.num_parameters()
    say_once(f"{saver.phase}: {config.name}, {num_parameters:,} parameters")
    checkpoint = saver.find_resumable(config.ckpt_path)
    log_start(training)
    save_config(training)
    meter.start()
    try:
        with checkpoints.converted_stops(saver):
            trainer.fit(training.model, training.data, ckpt_path=checkpoint, weights_only=False)
    finally:
        meter.stop()


def save_config(training: Training) -> None:
    if distributed.is_first():
        training.config.save(training.callback(CostMeter).folder)


def best_epoch(training: Training) -> tuple[int, float]:
    """Return the number of epochs with the best validation, and its value."""
    best = training.callback(ModelCheckpoint)
    if best.best_model_score is None:
        raise InputError("no epoch was validated, expected one or more; train longer")
    checkpoint = checkpoints.read_checkpoint(best.best_model_path)
    return int(checkpoint["epoch"]) + 1, float(best.best_model_score)


def export(training: Training, selection: SelectionResult, folder: Path) -> Path:
    meter = training.callback(CostMeter)
    meter.start()  # fitting the rating model costs, too
    network, config, data = training.model.network, training.config, training.data
    export_bundle(folder, network, config=config, data=data, selection=selection)
    meter.stop()
    return folder


def evaluate_run(
    training: Training, selection: SelectionResult, *, loggers: Sequence[Logger]
) -> None:
    """Read the test part once; publish to `results/`, the run's folder and Comet."""
    if distributed.is_first():
        metrics = measure_models(training, selection)
        archive_results(training.config, training.run)
        log_end(loggers, training, selection, metrics=metrics)


def measure_models(training: Training, selection: SelectionResult) -> dict[str, float]:
    """Measure each seed's model and the one as selected; write results and test rows.

    A network that encodes histories is measured as it is served, through its bundles. The classic
    one, with a table of users, has no bundle and is measured from its checkpoints.
    """
    config, run, data, model = training.config, training.run, training.data, training.model
    is_rated = PROTOCOLS[config.data.protocol].targets == "ratings"
    if config.is_served or is_rated:
        bundles = verified_bundles(config, run, data, selection, seeds=config.seeds)
        if is_rated:
            return evaluate_ratings.evaluate_on_test(
                config, data, selection, bundles, device=training.device
            )
        scorers = {
            seed: evaluate.bundle_scorer(path, data.dataset.num_items)
            for seed, path in bundles.by_seed.items()
        }
        unrefitted = evaluate.bundle_scorer(bundles.unrefitted, data.dataset.num_items)
    else:
        scorers = {
            seed: checkpoint_scorer(model, run.trained_checkpoint("validation", seed))
            for seed in config.seeds
        }
        unrefitted = checkpoint_scorer(model, run.trained_checkpoint("none", config.seeds[0]))
    return evaluate.evaluate_on_test(
        config, data, selection, scorers, unrefitted, device=training.device
    )


def checkpoint_scorer(model: RankingModule, checkpoint: str) -> Scorer:
    checkpoints.load_weights(model, checkpoint)
    return evaluate.table_scorer(copy.deepcopy(model.network))


def finish(run: RunFolder) -> None:
    if distributed.is_first():
        run.mark_finished()


def validate(training: Training) -> dict[str, float | None]:
    """Return the validation metrics of the selected checkpoint, or --ckpt_path.

    A metric that says nothing is None.
    """
    config, run, trainer = training.config, training.run, training.trainer
    checkpoints.load_weights(training.model, config.ckpt_path or run.checkpoint(SELECT, BEST))
    save_config(training)
    with checkpoints.converted_stops(training.callback(CheckpointSaver)):
        trainer.validate(training.model, training.data, verbose=False)
    metrics: dict[str, float | None] = {
        name: None if evaluate.validation_too_small(training.data, name) else float(value)
        for name, value in trainer.callback_metrics.items()
    }
    if PROTOCOLS[config.data.protocol].targets == "ratings":
        metrics |= evaluate_ratings.validate(run.unrefitted_bundle, training.data)
    return metrics


def main(args: list[str]) -> int:
    return run_study("export", lambda settings: export_run(read_config(settings)), args)


def export_run(config: RunConfig) -> None:
    """Write the bundle of a finished run to --out."""
    run = open_run(config, new=False)
    if config.out is None:
        raise InputError("--out: not set, expected the folder of the bundle; add --out FOLDER")
    folder = Path(config.out)
    if folder.resolve() == config.bundle_folder.resolve():
        raise InputError(
            f"{folder}: the bundle that results are measured on, expected another folder; change "
            "--out"
        )
    selection = SelectionResult.load(run.path)
    if config.refit == "all":
        training = prepare(config, run, phase="refit-all", refit="all", epochs=selection.epochs)
        check_before_training(config, training.data, folder)
        read_bundle(config.bundle_folder)  # its sibling
        train(training)
    else:
        training = prepare(config, run, phase="export", refit=config.refit)
        check_before_training(config, training.data, folder)
        checkpoint = run.trained_checkpoint(config.refit, config.seeds[0])
        is_refit = config.refit == "validation" and not config.ckpt_path
        epochs = selection.epochs if is_refit else 0
        checkpoints.load_weights(training.model, config.ckpt_path or checkpoint, epochs)
    say(f"bundle: {export(training, selection, folder)}")
