"""From a ratings file to a model that can be served, measured and compared.

    python train.py fit --config recipes/ml-1m.yaml      select, refit, export, test: 45 min
    python train.py fit --config recipes/demo.yaml       the same on generated data: 1 min
    python train.py validate | test | export --config …  one of these steps again
    python train.py import-ratings --data ml-1m --events sqlite:///events.sqlite

`fit` reads in this order: seed, data, model, trainer; training with the epoch chosen on validation;
the same again on train + validation for that many epochs; export to `bundles/NAME`; the test part,
read once, through that bundle, beside the baselines, into `results/`. `runs/NAME/` keeps config,
checkpoints, metrics and every test row. Any setting of a recipe can be given on the command line
(`--trainer.max_epochs 2`); `fit --help` lists them.
"""

import argparse
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")  # before torch, or comet_ml complains

import jsonargparse
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import SIGTERMException

import measure
import tracking
from catalogue.errors import UserError
from datamodules.batches import spans
from datamodules.movielens import MovieLens
from models.export import export_bundle
from models.module import RankingModule
from serving.bundle import read_bundle

MONITOR = "val/ndcg@10"
SHOWN = ("train/loss", "val/hit_rate@10", MONITOR)

for _name in ("pytorch_lightning", "lightning_fabric"):  # their tips and lists of devices
    logging.getLogger(_name).setLevel(logging.WARNING)
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", message="LightningCLI's args parameter")  # args come from main
warnings.filterwarnings("ignore", message=".*number of training batches")
warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")
warnings.filterwarnings("ignore", message=".*treespec")


class StopAfter(Callback):
    """Ends a refit after the chosen epoch, on the learning-rate schedule of the full training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


class Lines(Callback):
    """One line an epoch where there is no terminal to draw a progress bar on."""

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        epoch, metrics = trainer.current_epoch + 1, trainer.callback_metrics
        validated = epoch % (trainer.check_val_every_n_epoch or 1) == 0
        shown = [name for name in SHOWN[: None if validated else 1] if name in metrics]
        say(f"epoch {epoch}: " + "  ".join(f"{name} {metrics[name]:.4f}" for name in shown))


class Recipe(LightningCLI):
    """A recipe file and the command line, as data, model and trainer. Runs nothing by itself."""

    datamodule: MovieLens
    model: RankingModule

    def __init__(self, args: list[str], phase: str, epochs: int | None = None) -> None:
        self.phase, self.epochs = phase, epochs
        super().__init__(
            RankingModule,
            MovieLens,
            run=False,
            args=args,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"exit_on_error": False, "prog": "train.py fit"},
            trainer_defaults={
                "num_sanity_val_steps": 0,
                "enable_model_summary": False,
                "enable_progress_bar": sys.stdout.isatty(),
            },
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, help="the recipe's name, and its bundle's")
        parser.add_argument(
            "--protocols", type=list[str], default=["next"], help="what the test part is asked"
        )
        parser.add_argument("--comet", type=tracking.Mode, default="auto", help="see tracking.py")
        parser.add_argument("--runs", type=str, default="runs", help="folder of runs")
        parser.add_argument("--bundles", type=str, default="bundles", help="folder of bundles")
        parser.add_argument("--results", type=str, default="results", help="folder of results")
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="resume from here")
        parser.add_argument(
            "--refit",
            type=Literal["none", "validation", "all"],
            default="validation",
            help="export: which ratings the bundle is trained on",
        )
        parser.add_argument("--out", type=str | None, default=None, help="export: bundle folder")
        parser.link_arguments("model.network.user", "data.user")
        parser.link_arguments("model.network.history_length", "data.history_length")
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("data.sizes", "model.sizes", apply_on="instantiate")

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        self.name = self.config["name"]
        if not self.name:
            raise UserError("the recipe has no name; add a line `name: …` or give --name")
        self.runs = Path(self.config["runs"]) / self.name
        self.run_folder = newest_run(self.runs) if self.phase != "select" else new_run(self.runs)
        self.folder = self.run_folder / self.phase
        self.folder.mkdir(parents=True, exist_ok=True)
        mode: tracking.Mode = self.config["comet"] if self.phase == "select" else "off"
        archive = Path(self.config["runs"]) / "comet"
        self.loggers = tracking.make_loggers(self.folder, self.name, mode, archive)
        self.best = ModelCheckpoint(
            self.folder,
            filename="best",
            monitor=MONITOR if self.epochs is None else None,
            mode="max",
            save_last=True,
            save_on_exception=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        callbacks: list[Callback] = [self.best]
        if not sys.stdout.isatty():
            callbacks.append(Lines())
        if self.epochs is not None:
            callbacks.append(StopAfter(self.epochs))
            kwargs["limit_val_batches"] = 0
        return super().instantiate_trainer(logger=self.loggers, callbacks=callbacks, **kwargs)

    def train(self, ckpt_path: str | None = None) -> "Recipe":
        say(f"{self.phase}: {self.name}, {self.model.network.num_parameters():,} parameters")
        try:
            self.trainer.fit(self.model, self.datamodule, ckpt_path=ckpt_path, weights_only=False)
        except SystemExit as stop:
            if isinstance(stop, SIGTERMException):
                raise
            raise KeyboardInterrupt(self.run_folder) from stop  # what Lightning made it from
        return self


@dataclass
class Fit:
    """What the selection decided and cost; `fit.json` of a run."""

    commit: str
    epochs: int
    validation: dict[str, float]
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def save(self, folder: Path) -> None:
        (folder / "fit.json").write_text(json.dumps(vars(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Fit":
        if not (folder / "fit.json").is_file():
            raise UserError(f"{folder} holds no finished training; run train.py fit first")
        return cls(**json.loads((folder / "fit.json").read_text()))


def fit(args: list[str]) -> None:
    """Select on validation, refit, export, test."""
    started, commit = (time.time(), time.process_time()), measure.commit()
    run = Recipe(args, "select")
    try:
        select_and_refit(run, args, started, commit)
    finally:
        tracking.close(run.loggers)


def select_and_refit(
    run: Recipe, args: list[str], started: tuple[float, float], commit: str
) -> None:
    for sentence in run.datamodule.dataset.report:
        say(f"data: {sentence}")
    run.train(run.config["ckpt_path"])
    epochs, validation = best_epoch(run)
    chosen = Fit(commit, epochs, validation)
    say(f"selected epoch {epochs} of {run.trainer.max_epochs}: {MONITOR} {validation[MONITOR]:.4f}")

    again = Recipe([*args, "--data.refit=validation"], "refit", epochs).train()
    chosen.wall_s, chosen.cpu_s = time.time() - started[0], time.process_time() - started[1]
    chosen.save(run.run_folder)
    if again.datamodule.user == "history":
        say(f"bundle: {write(again, Path(again.config['bundles']) / again.name, 'validation')}")
        write(load_best(run), run.run_folder / "bundle-unrefitted", "none")
    report = measure.test(again, chosen, run.run_folder)
    tracking.log_summary(run.loggers, report, measure.facts(again, chosen))


def validate(args: list[str]) -> None:
    """Rank the validation movies with the selected checkpoint."""
    run = load_best(Recipe(args, "validate"))
    run.model.take_features(run.datamodule)
    run.trainer.validate(run.model, run.datamodule, verbose=False)
    for name, value in sorted(run.trainer.callback_metrics.items()):
        say(f"{name} {float(value):.4f}")


def test(args: list[str]) -> None:
    """Measure `bundles/NAME` on the test part once more and write `results/`."""
    run = Recipe([*args, "--data.refit=validation"], "test")
    measure.test(run, Fit.load(run.run_folder), run.run_folder)


def export(args: list[str]) -> None:
    """Write a bundle: of a checkpoint, or trained on all ratings for the selected epochs."""
    run = Recipe(args, "validate")
    how, out = run.config["refit"], run.config["out"]
    if out is None:
        raise UserError("export needs --out FOLDER: where the bundle goes")
    if how == "all":
        epochs = Fit.load(run.run_folder).epochs
        run = Recipe([*args, "--data.refit=all"], "refit-all", epochs).train()
    else:
        phase = "refit/last.ckpt" if how == "validation" else "select/best.ckpt"
        path = run.config["ckpt_path"] or run.run_folder / phase
        run = load_checkpoint(Recipe([*args, f"--data.refit={how}"], "validate"), path)
    say(f"bundle: {write(run, Path(out), how)}")


def import_ratings(args: list[str]) -> None:
    """Seed an event store with the histories of a data set."""
    from serving.events import EventStore

    parser = argparse.ArgumentParser("train.py import-ratings", exit_on_error=False)
    parser.add_argument("--data", required=True, help="a data set: ml-1m, demo, …")
    parser.add_argument("--data.root", dest="root", help="folder of data sets, else DATA_ROOT")
    parser.add_argument("--events", required=True, help="SQLAlchemy URL, sqlite:///events.sqlite")
    chosen = parser.parse_args(args)
    data = MovieLens(chosen.data, chosen.root)
    ratings = data.dataset.ratings
    stored = EventStore(chosen.events).import_ratings(
        ratings.user_id, ratings.movie_id, ratings.stars, ratings.timestamp
    )
    say(f"{stored:,} ratings of {chosen.data} are in {chosen.events}")


def write(run: Recipe, folder: Path, refit: str) -> Path:
    """The bundle of a trained recipe."""
    split, dataset = run.datamodule.plain_split.refit(refit), run.datamodule.dataset  # type: ignore[arg-type]
    user, position = spans(split.histories.indptr[:-1], split.train_end)
    train = user, split.histories.item[position], split.histories.stars[position]
    sibling = None
    if refit == "all":
        sibling_folder = Path(run.config["bundles"]) / run.name
        sibling = read_bundle(sibling_folder).manifest["model_version"]
    manifest = {
        "name": run.name,
        "recipe": f"recipes/{run.name}.yaml",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": json.loads(run.parser.dump(run.config, format="json")),
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "num_users": len(split.histories),
            "num_items": split.num_items,
            "num_ratings": len(user),
        },
        "refit": refit,
        "sibling": sibling,
        "metrics": {name: float(v) for name, v in run.trainer.callback_metrics.items()},
    }
    export_bundle(
        folder,
        run.model.network,
        manifest=manifest,
        movies=dataset.movies,
        scale=dataset.scale,
        train=train,
    )
    return folder


def best_epoch(run: Recipe) -> tuple[int, dict[str, float]]:
    """Number of epochs after which validation was best, and its figures there."""
    saved = torch.load(run.best.best_model_path, weights_only=False)
    metrics = {MONITOR: float(run.best.best_model_score)}  # type: ignore[arg-type]
    return int(saved["epoch"]) + 1, metrics


def load_best(run: Recipe) -> Recipe:
    return load_checkpoint(run, run.config["ckpt_path"] or run.run_folder / "select" / "best.ckpt")


def load_checkpoint(run: Recipe, path: str | Path) -> Recipe:
    if not Path(path).is_file():
        raise UserError(f"no checkpoint at {path}; run train.py fit first, or give --ckpt_path")
    run.model.load_state_dict(torch.load(path, weights_only=False)["state_dict"])
    return run


def new_run(folder: Path) -> Path:
    return folder / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def newest_run(folder: Path) -> Path:
    runs = sorted(path for path in folder.glob("*") if path.is_dir())
    if not runs:
        raise UserError(f"{folder} holds no run; train one first: python train.py fit --config …")
    return runs[-1]


def say(sentence: str) -> None:
    print(sentence, flush=True)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "fit": fit,
    "validate": validate,
    "test": test,
    "export": export,
    "import-ratings": import_ratings,
}


def main(args: list[str]) -> int:
    """Run one command; wrong arguments and wrong data give one line and exit status 2."""
    if not args or args[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0 if args else 2
    try:
        if args[0] not in COMMANDS:
            raise UserError(f"unknown command {args[0]!r}; one of {', '.join(COMMANDS)}")
        COMMANDS[args[0]](args[1:])
    except (UserError, jsonargparse.ArgumentError, argparse.ArgumentError, OSError) as error:
        print("train.py: error: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except SIGTERMException:
        return 143  # Lightning itself exits 0, and a killed run would look finished
    except KeyboardInterrupt as stop:
        where = stop.args[0] if stop.args else "RUN"
        print(
            f"train.py: stopped; go on with --ckpt_path {where}/select/last.ckpt", file=sys.stderr
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
