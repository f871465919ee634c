"""From a ratings file to a model that can be served, measured and compared.

    python train.py fit --config recipes/demo.yaml      select, refit, test on generated data: 1 min
    python train.py fit --config recipes/ml-1m.yaml     the same with three refits: 100 min
    python train.py select | refit | test --config …    the three steps of fit, one at a time
    python train.py validate | export --config …        rank validation again; write a bundle
    marquee ablate --config …                   without each of its parts: ablation.py
    marquee controls --config …                 what re-ranking costs: rerank_tradeoff.py
    marquee rate-next --config …                what to ask for: elicitation.py
    marquee influence --config …                without its busiest raters: user_influence.py
    marquee simulate                            persons whose liking is known: simulation.py
    marquee tune --config … --trials 12         search for its settings: hyperparameter_search.py
    marquee compare [RUN …]                     runs beside each other: command.py
    marquee register --bundle bundles/ml-1m     into Comet's model registry
    marquee import-ratings --data ml-1m --events sqlite:///events.sqlite

The files named are in training/. `fit` reads in this order: seed, data, model, trainer; training
with the epoch chosen on validation; for each seed the same again on train + validation for that
many epochs, exported as a bundle (the first seed's is `bundles/NAME`); the test part, read once,
through those bundles, beside the baselines, into `results/`. `refit --seed_everything 1` trains one
seed, so that seeds can share a machine. `runs/NAME/` keeps config, checkpoints, metrics and every
test row. Any setting of a recipe can be given on the command line (`--trainer.max_epochs 2`); `fit
--help` lists them.
"""

import argparse
import copy
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")  # before torch, or comet_ml complains

import jsonargparse
import numpy as np
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from datamodules.loaders import training_ratings
from datamodules.splits.leave_one_out import Refit
from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.interactions import build_histories
from marquee.evaluation.ranker import Scorer
from marquee.evaluation.results import code_commit
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import read_bundle, refuse_to_replace
from marquee.recommender.recommender import Recommender
from marquee.training import (
    checkpoints,
    comet,
    distributed,
    evaluate,
    evaluate_ratings,
    run_logging,
)
from marquee.training.callbacks import say
from marquee.training.compare import command
from marquee.training.evaluate import Fit
from marquee.training.export import check_exportable, export_bundle
from marquee.training.recipe import Recipe
from marquee.training.studies import (
    ablation,
    elicitation,
    hyperparameter_search,
    rerank_tradeoff,
    simulation,
    user_influence,
)
from marquee.training.studies.cross_validation import fit_folds

UNREFITTED = "bundle-unrefitted"
"""Folder in a run: the model as selected, trained without the validation movies."""


def fit(args: list[str]) -> None:
    """Select on validation, refit, export, test."""
    run = Recipe(args, "select")
    if run.config["folds"]:
        return fit_folds(fit, args, run)
    if run.is_finished():
        return say(f"{run.run_folder} is finished; without --ckpt_path another run is started")
    try:
        done = select_epoch(run)
        for seed in run.config["seeds"]:
            refit_seed(args, done, seed)
        if distributed.rank() == 0:
            publish(run, done, run.loggers)
            checkpoints.mark(f"{run.kept}/finished")
    finally:
        comet.close(run.loggers)


def select(args: list[str]) -> None:
    """Train and choose the epoch on validation."""
    run = Recipe(args, "select")
    try:
        select_epoch(run)
    finally:
        comet.close(run.loggers)


def refit(args: list[str]) -> None:
    """Train one seed on train + validation for the selected epochs, and export it."""
    run = Recipe(args, "test")
    seed = run.config["seed_everything"]
    if seed not in run.config["seeds"]:
        raise InputError(
            f"--seed_everything {seed} is none of the recipe's seeds {run.config['seeds']}"
        )
    refit_seed(args, Fit.load(run.run_folder), seed)


def test(args: list[str]) -> None:
    """Measure the newest run's bundles on the test part and write `results/`."""
    run = Recipe(args, "test", refit="validation")
    runs = Path(run.config["runs"])
    with comet.continued(run.run_folder, runs, run.config["comet"]) as loggers:
        publish(run, Fit.load(run.run_folder), loggers)


def publish(run: Recipe, done: Fit, loggers: list[Logger]) -> None:
    """Read the test part and write its results, into the run's folder and Comet, too."""
    report = report_test(run, done)
    bundle = bundle_folder(run) if is_served(run) else None
    run_logging.keep(run, done, bundle)
    run_logging.log_end(loggers, run, done, report, bundle)


def select_epoch(run: Recipe) -> Fit:
    commit = code_commit()
    prepare(run, bundle_folder(run) if is_served(run) else None)
    run.train()
    epochs, validation = run.best_epoch()
    done = Fit(run.run_folder, commit, epochs, validation)
    say(f"selected epoch {epochs}: {run.monitor} {validation[run.monitor]:.4f}")
    if distributed.rank() == 0:
        done.save()
        if is_served(run):
            write(run.load(run.checkpoint("best.ckpt")), run.run_folder / UNREFITTED, done)
    distributed.wait()
    return done


def refit_seed(args: list[str], done: Fit, seed: int) -> Recipe:
    run = Recipe(
        [*args, f"--seed_everything={seed}"],
        f"refit-{seed}",
        refit="validation",
        epochs=done.epochs,
        run_folder=done.folder,
    ).train()
    if is_served(run) and distributed.rank() == 0:
        say(f"bundle: {write(run, seed_bundle(run, done, seed), done)}")
    distributed.wait()
    return run


def is_served(run: Recipe) -> bool:
    return run.datamodule.user == "history"


def seed_bundle(run: Recipe, done: Fit, seed: int) -> Path:
    """The first seed's bundle is the recipe's; the others only average its results."""
    first = seed == run.config["seeds"][0]
    return bundle_folder(run) if first else done.folder / f"bundle-seed-{seed}"


def prepare(run: Recipe, bundle: Path | None) -> None:
    """What can be refused is refused before the training, not after it."""
    for sentence in run.datamodule.dataset.report:
        say(f"data: {sentence}")
    if bundle is not None:
        check_exportable(run.model.config)
        refuse_to_replace(bundle)
    for folder in (run.config["bundles"], run.config["results"]):
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise InputError(
                f"{folder} cannot be written to; give another with --bundles/--results"
            )
    if "ncf-paper" in run.config["protocols"]:
        _ = run.datamodule.candidates, run.datamodule.valid_candidates


def validate(args: list[str]) -> None:
    """Rank the validation movies with the selected checkpoint."""
    run = Recipe(args, "validate")
    run.load(run.config["ckpt_path"] or run.checkpoint("best.ckpt", phase="select"))
    run.trainer.validate(run.model, run.datamodule, verbose=False)
    found = {name: float(value) for name, value in run.trainer.callback_metrics.items()}
    if run.config["protocols"] == ["stars"]:
        selected = Recommender.load(run.run_folder / UNREFITTED)
        found |= evaluate_ratings.validate(selected, run.datamodule)
    for name, value in sorted(found.items()):
        say(f"{name} {value:.4f}")


def refuse_another(run: Recipe, folder: Path, refit: Refit, done: Fit, seed: int) -> Path:
    """A bundle of another run, split or refit may have been trained on the test part."""
    manifest = read_bundle(folder).manifest
    wanted = {
        "refit": refit,
        "commit": done.commit,
        "data": run.datamodule.dataset.sha256,
        "config": run.settings(seed),
    }
    found = {name: manifest.get(name) for name in ("refit", "commit", "config")}
    found["data"] = manifest["data"]["sha256"]
    other = [name for name in wanted if wanted[name] != found[name]]
    if other:
        raise InputError(
            f"{folder} was not made by this recipe's newest run (another {', '.join(other)}); "
            "make it with: python train.py fit"
        )
    return folder


def verified_bundles(run: Recipe, done: Fit) -> tuple[Path, Path]:
    """The first seed's bundles of a finished run: as selected, and refitted with validation."""
    selected, refitted = done.folder / UNREFITTED, bundle_folder(run)
    return (
        refuse_another(run, selected, "none", done, run.config["seed_everything"]),
        refuse_another(run, refitted, "validation", done, run.config["seeds"][0]),
    )


def export(args: list[str]) -> None:
    """Write a bundle: of a checkpoint, or trained on all ratings for the selected epochs."""
    run = Recipe(args, "export")
    how, out = run.config["refit"], run.config["out"]
    if out is None:
        raise InputError("export needs --out FOLDER: where the bundle goes")
    if Path(out).resolve() == bundle_folder(run).resolve():
        raise InputError(f"{out} is the bundle that results are measured on; give another --out")
    prepare(run, Path(out))
    done = Fit.load(run.run_folder)
    if how == "all":
        read_bundle(bundle_folder(run))  # its sibling
        run = Recipe(
            args, "refit-all", refit="all", epochs=done.epochs, run_folder=run.run_folder
        ).train()
    else:
        run.datamodule.refit = how
        run.load(run.config["ckpt_path"] or trained(run, how, run.config["seeds"][0]))
    say(f"bundle: {write(run, Path(out), done)}")


def register(args: list[str]) -> None:
    """Put a bundle that a run has logged into Comet's model registry."""
    parser = Arguments("marquee register")
    parser.add_argument("--bundle", type=Path, required=True, help="a bundle that fit wrote")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--version", help="X.Y.Z; else Comet counts on from the last one")
    parser.add_argument("--status", help="a stage of the registry: Production, …")
    chosen = parser.parse_args(args)
    manifest = read_bundle(chosen.bundle).manifest
    comet.register(manifest, chosen.runs, chosen.version, chosen.status)
    say(f"{manifest['name']} {manifest['model_version'][:12]} is in Comet's model registry")


class Arguments(argparse.ArgumentParser):
    """Says what is wrong in one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def import_ratings(args: list[str]) -> None:
    """Seed an event store with the histories of a data set."""
    parser = Arguments("marquee import-ratings")
    parser.add_argument("--data", required=True, help="a data set: ml-1m, demo, …")
    parser.add_argument("--data.root", dest="root", help="folder of data sets, else DATA_ROOT")
    parser.add_argument("--events", required=True, help="sqlite:///FILE or postgresql://…")
    chosen = parser.parse_args(args)
    dataset = load_dataset(chosen.data, chosen.root)
    try:  # ties stand as they were trained on: as in the file where it has an order of its own
        histories = build_histories(dataset, "file")
    except InputError:
        histories = build_histories(dataset, "hash")
    for sentence in dataset.report:
        say(f"data: {sentence}")
    store = EventStore(chosen.events)
    stored = store.import_ratings(
        np.repeat(histories.user_id, histories.length),
        dataset.movies.movie_id[histories.item],
        histories.stars,
        histories.timestamp,
    )
    say(f"{stored:,} ratings of {chosen.data} are in {store.address}")


def write(run: Recipe, folder: Path, done: Fit) -> Path:
    """The bundle of a trained recipe, proven before it replaces another; no test figure in it."""
    dataset, split, refit = run.datamodule.dataset, run.datamodule.split, run.datamodule.refit
    train = training_ratings(split)
    sibling = read_bundle(bundle_folder(run)) if refit == "all" else None
    manifest = {
        "name": run.name,
        "recipe": run.file,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": done.commit,
        "config": run.settings(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "num_users": len(split.histories),
            "num_items": split.num_items,
            "num_ratings": len(train[0]),
        },
        "refit": refit,
        "sibling": sibling.manifest["model_version"] if sibling else None,
        "epochs": done.epochs,
        "metrics": done.validation,
    }
    run.clock.start()  # the stars are learned here
    export_bundle(
        folder,
        run.model.network,
        manifest=manifest,
        movies=dataset.movies,
        scale=dataset.scale,
        train=train,
        timestamp=split.histories.timestamp,
        features=run.datamodule.feature_IF.numpy(),
        stars=run.stars,
        seed=run.config["seed_everything"],
        prove=Recommender.load,
    )
    run.clock.stop()
    return folder


def report_test(run: Recipe, done: Fit) -> dict[str, float]:
    """Read the test part through the bundles, or the checkpoints of the classic user."""
    seeds: list[int] = run.config["seeds"]
    if is_served(run):
        folders = {seed: seed_bundle(run, done, seed) for seed in seeds}
        for seed, folder in folders.items():
            refuse_another(run, folder, "validation", done, seed)
        chosen, _ = verified_bundles(run, done)
        if run.config["protocols"] == ["stars"]:
            return evaluate_ratings.test(
                run.datamodule,
                done,
                {seed: Recommender.load(folder) for seed, folder in folders.items()},
                Recommender.load(chosen),
                name=run.name,
                results=Path(run.config["results"]),
                rows=run.runs,
                device=run.device,
            )
        model = {seed: evaluate.bundle_scorer(folder) for seed, folder in folders.items()}
        unrefitted = evaluate.bundle_scorer(chosen)
    else:
        model = {seed: classic_scorer(run, trained(run, "validation", seed)) for seed in seeds}
        unrefitted = classic_scorer(run, trained(run, "none", seeds[0]))
    return evaluate.test(
        run.datamodule,
        done,
        model,
        unrefitted,
        name=run.name,
        protocols=run.config["protocols"],
        results=Path(run.config["results"]),
        rows=run.runs,
        device=run.device,
    )


def trained(run: Recipe, refit: Refit, seed: int) -> str:
    """The checkpoint of a finished training: as selected, or of a seed's refit."""
    if refit == "none":
        return run.checkpoint("best.ckpt", phase="select")
    return run.checkpoint("last.ckpt", phase=f"refit-{seed}")


def classic_scorer(run: Recipe, checkpoint: str) -> Scorer:
    network = copy.deepcopy(run.load(checkpoint).model.network)
    return evaluate.table_scorer(network, run.datamodule.plain_split.test_user)


def bundle_folder(run: Recipe) -> Path:
    return Path(run.config["bundles"]) / run.name


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "fit": fit,
    "select": select,
    "refit": refit,
    "validate": validate,
    "test": test,
    "export": export,
    "ablate": lambda args: ablation.ablate(fit, args),
    "controls": lambda args: rerank_tradeoff.measure_controls(verified_bundles, args),
    "rate-next": lambda args: elicitation.measure_rate_next(verified_bundles, args),
    "influence": lambda args: user_influence.measure_influence(write, args),
    "simulate": lambda args: simulation.simulate(fit, args),
    "tune": hyperparameter_search.tune,
    "compare": lambda args: command.compare(Arguments("marquee compare"), args),
    "register": register,
    "import-ratings": import_ratings,
}


SHARED = ("fit", "select", "refit")
"""Commands that several processes can do together."""


def main(args: list[str]) -> int:
    """Run one command; wrong arguments and wrong data give one line and exit status 2."""
    if not args or args[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0 if args else 2
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        if args[0] not in COMMANDS:
            raise InputError(f"unknown command {args[0]!r}; one of {', '.join(COMMANDS)}")
        if distributed.world_size() > 1 and args[0] not in SHARED:
            raise InputError(f"{args[0]} runs in one process; torchrun is for {', '.join(SHARED)}")
        COMMANDS[args[0]](args[1:])
        distributed.leave()
    except (InputError, jsonargparse.ArgumentError, OSError) as error:
        return fail(str(error), 2)
    except SIGTERMException:
        return 143  # Lightning itself exits 0, and a killed run would look finished
    except KeyboardInterrupt as stop:
        again = f"; go on with the same command and --ckpt_path {stop.args[0]}" if stop.args else ""
        return fail("stopped" + again, 130)
    except Exception as error:
        log = Path("error.log")
        log.write_text(traceback.format_exc())
        return fail(f"{type(error).__name__}: {error} (not foreseen; where it arose: {log})", 1)
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM outside of a training, which saves itself first."""
    raise SIGTERMException


def fail(sentence: str, status: int) -> int:
    who = f"rank {distributed.rank()}: " if distributed.rank() else ""
    print(f"train.py: error: {who}" + " ".join(sentence.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
