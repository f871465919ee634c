"""A recipe file and the command line, as data, model and trainer.

    run = Recipe(["--config", "recipes/demo.yaml"], "select")
    run.datamodule, run.model, run.trainer      # ready; nothing has run yet

LightningCLI reads them: every setting can be given in the file or as `--data.ties hash`, and the
resolved values are written beside the checkpoints. Sizes of the network's tables are read off the
data, and what data and network must agree on is linked, so that a recipe says it once.
"""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import SIGTERMException

import tracking
from catalogue.errors import UserError
from datamodules.movielens import MovieLens
from models.module import RankingModule

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

    def __init__(
        self,
        args: list[str],
        phase: str,
        epochs: int | None = None,
        run_folder: Path | None = None,
    ) -> None:
        """phase: the folder within the run; `select` starts a new run, others go on in
        `run_folder`, or in the newest finished run. epochs: stop after so many, without validation.
        """
        self.phase, self.epochs, self.given_folder = phase, epochs, run_folder
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
        if self.given_folder:
            self.run_folder = self.given_folder
        else:
            self.run_folder = (new_run if self.phase == "select" else newest_run)(self.runs)
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

    def settings(self) -> dict[str, Any]:
        """What a training depends on, resolved, as plain JSON; no folder of this machine."""
        config: dict[str, Any] = json.loads(self.parser.dump(self.config, format="json"))
        config["data"].pop("root", None)
        return {key: config[key] for key in ("seed_everything", "data", "model", "trainer")}

    def load(self, checkpoint: str | Path) -> "Recipe":
        """Put a checkpoint's weights into the model; UserError where there is none."""
        if not Path(checkpoint).is_file():
            raise UserError(
                f"no checkpoint at {checkpoint}; run train.py fit first, or give --ckpt_path"
            )
        self.model.load_state_dict(torch.load(checkpoint, weights_only=False)["state_dict"])
        return self

    def best_epoch(self) -> tuple[int, dict[str, float]]:
        """Number of epochs after which validation was best, and its figure there."""
        saved = torch.load(self.best.best_model_path, weights_only=False)
        score = self.best.best_model_score
        assert score is not None
        return int(saved["epoch"]) + 1, {MONITOR: float(score)}


def new_run(folder: Path) -> Path:
    return folder / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def newest_run(folder: Path) -> Path:
    runs = sorted(path.parent for path in folder.glob("*/fit.json"))
    if not runs:
        raise UserError(f"{folder} holds no finished run; first: python train.py fit --config …")
    return runs[-1]


def say(sentence: str) -> None:
    print(sentence, flush=True)
