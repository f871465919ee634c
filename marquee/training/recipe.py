"""A recipe file and the command line, as data, model and trainer.

    run = Recipe(["--config", "recipes/demo.yaml"], "select")
    run.datamodule, run.model, run.trainer      # ready; nothing has run yet

LightningCLI reads them: every setting can be given in the file or as `--data.ties hash`, and the
resolved values are written beside the checkpoints. Sizes of the network's tables are read off the
data, and what data and network must agree on is linked, so that a recipe says it once.
"""

import json
import logging
import re
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.core.nested_dicts import flatten
from marquee.evaluation.protocols import PROTOCOLS, protocols_of_split
from marquee.training import checkpoints, comet, distributed, run_logging
from marquee.training.callbacks import CostMeter, EpochLogger, StopAfter, TrainLoss
from marquee.training.checkpoints import AtomicCheckpointIO, CheckpointConfig, CheckpointSaver
from marquee.training.distributed import say_once as say
from marquee.training.throughput import ThroughputMeter
from models.bpmf.gibbs import StarConfig
from models.lightning_module import RankingModule

TRIAL = "trial-"
"""Phases of a search, each a training that is logged like a selection."""
LEARNS = ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches")
"""Settings of the trainer that change what is learned."""

for _name in ("pytorch_lightning", "lightning_fabric"):  # their tips and lists of devices
    logging.getLogger(_name).setLevel(logging.WARNING)
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", message="LightningCLI's args parameter")  # args come from main
warnings.filterwarnings("ignore", message=".*number of training batches")
warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")
warnings.filterwarnings("ignore", message=".*treespec")
warnings.filterwarnings("ignore", message=".*sync_dist=True")  # it is synchronised by then
warnings.filterwarnings("ignore", message="Experiment logs directory")  # keep_metrics moved them


class Recipe(LightningCLI):
    """A recipe file and the command line, as data, model and trainer. Runs nothing by itself."""

    datamodule: InteractionDataModule
    model: RankingModule
    monitor: str
    """The figure that validation chooses by."""

    def __init__(
        self,
        args: list[str],
        phase: str,
        *,
        refit: Refit = "none",
        epochs: int | None = None,
        run_folder: Path | None = None,
    ) -> None:
        """phase: the folder within the run. refit: which ratings are trained on. epochs: stop after
        so many, without validation. run_folder: the run; else that of --ckpt_path; else a new one
        for `select`, and the newest finished one for other phases.
        """
        self.phase, self.epochs, self.given_folder = phase, epochs, run_folder
        try:
            super().__init__(
                RankingModule,
                InteractionDataModule,
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
        except (InputError, jsonargparse.ArgumentError):
            raise
        except ValueError as error:  # of what builds the parts: "-1 is not in bounds", a seed
            raise InputError(f"a setting is off: {error}") from error
        self.datamodule.refit = refit

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, help="the recipe's name, and its bundle's")
        parser.add_argument(
            "--protocols",
            type=list[Literal["next", "ncf-paper", "time", "new-users", "new-movies", "stars"]],
            default=["next"],
            help="what the test part is asked",
        )
        parser.add_argument(
            "--seeds",
            type=list[int],
            default=[0],
            help="seeds of the refits: results are their mean, the first one's bundle is served",
        )
        parser.add_argument(
            "--folds", type=list[int], default=[], help="data.fold of each fit; none: as data says"
        )
        parser.add_argument("--stars", type=StarConfig, default=StarConfig())
        parser.add_argument(
            "--comet", type=comet.Mode, default="auto", help="see marquee/training/comet.py"
        )
        parser.add_argument("--runs", type=str, default="runs", help="folder of runs")
        parser.add_argument("--bundles", type=str, default="bundles", help="folder of bundles")
        parser.add_argument("--results", type=str, default="results", help="folder of results")
        parser.add_argument("--checkpoints", type=CheckpointConfig, default=CheckpointConfig())
        parser.add_argument(
            "--ckpt_path",
            type=str | None,
            default=None,
            help="go on from this checkpoint; `last`: with the newest run, or a new one",
        )
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
        self.check()
        self.monitor = PROTOCOLS[self.config["data"]["protocol"]].monitor
        self.runs = Path(self.config["runs"]) / self.name
        self.run_folder = self.given_folder or distributed.on_first_rank(self.choose_run)
        self.folder = self.run_folder / self.phase
        self.loggers: list[Logger] = []
        if distributed.global_rank() == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            keep_metrics(self.folder)
            chooses = self.phase == "select" or self.phase.startswith(TRIAL)
            logged = chooses and not self.is_finished()
            mode: comet.Mode = self.config["comet"] if logged else "off"
            trial = self.phase.startswith(TRIAL)  # an experiment of its own
            logged_as = self.folder if trial else self.run_folder
            runs = Path(self.config["runs"])
            self.loggers = comet.make_loggers(self.folder, logged_as, runs, mode)
        distributed.barrier()
        trainer = self.config["trainer"]
        every = min(trainer["check_val_every_n_epoch"] or 1, trainer["max_epochs"] or 1)
        kwargs |= {"logger": self.loggers, "check_val_every_n_epoch": max(1, every)}
        if distributed.world_size() > 1:
            nodes = distributed.world_size() // distributed.local_world_size()
            kwargs |= {
                "strategy": "ddp",
                "devices": distributed.local_world_size(),
                "num_nodes": nodes,
            }
        self.clock = CostMeter(self.folder, self.monitor)
        kwargs["plugins"] = [AtomicCheckpointIO()]
        kwargs["callbacks"] = [
            TrainLoss(),
            ThroughputMeter(),
            *self.savers(),
            self.clock,
            *([] if sys.stdout.isatty() else [EpochLogger(self.monitor)]),
        ]
        if self.epochs is not None:
            kwargs["callbacks"].append(StopAfter(self.epochs))
            kwargs["limit_val_batches"] = 0
        try:
            return super().instantiate_trainer(**kwargs)
        except (MisconfigurationException, ValueError, TypeError) as error:
            raise InputError(f"trainer: {error}") from error

    def check(self) -> None:
        """Refuse what could not end well, before anything is trained or written."""
        config = self.config
        self.name = config["name"] or ""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise InputError(
                f"name {self.name!r}: needed letters, digits, '.', '_' and '-', as it names folders"
            )
        protocol = config["data"]["protocol"]
        allowed = protocols_of_split(protocol)
        if not config["protocols"] or not set(config["protocols"]) <= set(allowed):
            raise InputError(
                f"protocols {config['protocols']}: data.protocol {protocol} "
                f"answers {allowed}; give one or more of them"
            )
        if not (config["trainer"]["max_epochs"] or 0) >= 1:
            raise InputError(
                f"trainer.max_epochs {config['trainer']['max_epochs']}: needed 1 or more"
            )
        if config["folds"] and config["protocols"] != ["stars"]:
            raise InputError(f"folds {config['folds']}: only protocols [stars] has folds")
        if not config["seeds"] or len(set(config["seeds"])) < len(config["seeds"]):
            raise InputError(f"seeds {config['seeds']}: needed one or more, each once")
        devices = config["trainer"]["devices"]
        if devices not in ("auto", 1, "1"):
            raise InputError(
                f"trainer.devices {devices}: leave it out; several devices are several processes: "
                f"torchrun --nproc-per-node {devices} train.py …"
            )
        checkpoints.check_bucket(self.kept_in)
        if config["trainer"]["val_check_interval"] not in (None, 1.0):
            raise InputError(
                f"trainer.val_check_interval {config['trainer']['val_check_interval']}: validation "
                "is at the ends of epochs (check_val_every_n_epoch), or no stop could be exact"
            )

    def choose_run(self) -> Path:
        """The folder of a new run for `select`, of the newest selected one for what follows it, or
        the one that --ckpt_path names."""
        given = self.config["ckpt_path"]
        if given not in (None, "last"):
            return self.runs / self.run_of(given)
        if self.phase != "select":
            return newest_run(self.runs)
        name = checkpoints.newest_run(f"{self.kept_in}/{self.name}") if given else None
        return self.runs / name if name else new_run(self.runs)

    def run_of(self, checkpoint: str) -> str:
        """Name of the run that a checkpoint is of; InputError where it is none of this recipe's."""
        run, _, _ = checkpoint.rstrip("/").rpartition("/")[0].rpartition("/")
        folder = f"{self.kept_in}/{self.name}"
        here = run.rpartition("/")[0]
        same = here == folder or (
            not checkpoints.is_url(folder) and Path(here).resolve() == Path(folder).resolve()
        )
        if not same or not checkpoints.exists(checkpoint):
            raise InputError(
                f"--ckpt_path {checkpoint}: no checkpoint of a run in {folder}; fit writes "
                f"{folder}/DATE/select/last.ckpt"
            )
        return run.rpartition("/")[2]

    @property
    def kept_in(self) -> str:
        """The folder or URL that holds the checkpoints of all recipes."""
        return str(self.config["checkpoints"]["folder"] or self.config["runs"]).rstrip("/")

    def checkpoint(self, file: str, phase: str | None = None) -> str:
        """Path or URL of `last.ckpt` or `best.ckpt` of this run, of this phase or another."""
        return f"{self.kept}/{phase or self.phase}/{file}"

    @property
    def kept(self) -> str:
        """The folder or URL of this run's checkpoints; an empty file `finished` ends it."""
        return f"{self.kept_in}/{self.name}/{self.run_folder.name}"

    def is_finished(self) -> bool:
        """Whether this run, gone on with, has nothing left to do."""
        return bool(self.config["ckpt_path"]) and checkpoints.exists(f"{self.kept}/finished")

    def savers(self) -> list[Callback]:
        """`last` as CheckpointConfig says; `best` by validation, apart from it, so that a stop in
        mid-epoch cannot touch the chosen weights."""
        last = self.checkpoint("last.ckpt")
        self.saver = CheckpointSaver(
            last, CheckpointConfig(**self.config["checkpoints"].as_dict()), {}
        )
        self.best = ModelCheckpoint(
            last.rpartition("/")[0],
            filename="best",
            monitor=self.monitor,
            mode="max",
            save_on_train_epoch_end=False,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )
        return [self.saver] if self.epochs is not None else [self.best, self.saver]

    def train(self) -> "Recipe":
        """Train this phase, from where it was stopped if --ckpt_path asks for that."""
        say(f"{self.phase}: {self.name}, {self.model.network.num_parameters():,} parameters")
        data = {"sha256": self.datamodule.dataset.sha256, "refit": self.datamodule.refit}
        self.saver.settings = self.settings() | {"of": data}
        resumed = self.resumed()
        run_logging.log_start(self.loggers, self)
        self.clock.start()
        try:
            self.trainer.fit(self.model, self.datamodule, ckpt_path=resumed, weights_only=False)
            checkpoints.raise_signal(self.saver.signal)
        except SystemExit as stop:
            if isinstance(stop, SIGTERMException):
                raise
            # Ctrl-C is what Lightning made it from.
            saved = [self.saver.path] if checkpoints.exists(self.saver.path) else []
            raise KeyboardInterrupt(*saved) from stop
        finally:
            self.clock.stop()
        return self

    def resumed(self) -> str | None:
        """The checkpoint that this phase goes on from, if it is to and there is one."""
        given, last = self.config["ckpt_path"], self.saver.path
        if given is None:
            return None
        path = str(given) if self.phase in str(given).split("/")[-2:-1] else last
        if not checkpoints.exists(path):
            return None
        state = checkpoints.read_checkpoint(path)
        checkpoints.check_settings(path, state, self.saver.settings)
        say(f"{self.phase}: going on from {path}, step {state['global_step']}")
        return path

    def everything(self) -> dict[str, Any]:
        """Every resolved setting but the folders of this machine, by its name on the command line:
        what two runs are told apart by."""
        config: dict[str, Any] = json.loads(self.parser.dump(self.config, format="json"))
        for name in ("config", "runs", "bundles", "results", "ckpt_path", "out", "comet"):
            config.pop(name, None)
        config["data"].pop("root", None)
        config["checkpoints"].pop("folder", None)
        config["trainer"] = {key: config["trainer"].get(key) for key in LEARNS}
        return flatten(config)

    def settings(self, seed: int | None = None) -> dict[str, Any]:
        """What a training depends on, resolved, as plain JSON; no folder of this machine.

        seed: of another refit, if given."""
        config: dict[str, Any] = json.loads(self.parser.dump(self.config, format="json"))
        config["data"].pop("root", None)
        config["trainer"] = {key: config["trainer"].get(key) for key in LEARNS}
        if seed is not None:
            config["seed_everything"] = seed
            config["data"] |= {"seed": seed} if "seed" in config["data"] else {}
        names = ("seed_everything", "data", "model", "stars", "trainer")
        return {key: config[key] for key in names}

    @property
    def file(self) -> str:
        """`recipes/ml-100k.yaml`; a variant or a fold bears another name than its file."""
        given = self.config.get("config")
        return f"recipes/{Path(str(given[-1])).name if given else f'{self.name}.yaml'}"

    @property
    def device(self) -> str:
        return str(self.trainer.strategy.root_device)

    @property
    def stars(self) -> StarConfig:
        return StarConfig(**self.config["stars"].as_dict())

    def load(self, checkpoint: str) -> "Recipe":
        """Put a checkpoint's weights into the model; InputError where there is none."""
        if not checkpoints.exists(checkpoint):
            raise InputError(
                f"no checkpoint at {checkpoint}; run train.py fit first, or give --ckpt_path"
            )
        state = checkpoints.read_checkpoint(checkpoint)
        try:
            self.model.load_state_dict(state["state_dict"])
        except (KeyError, RuntimeError) as error:
            raise InputError(
                f"{checkpoint} is not a checkpoint of this recipe on this data; give one that fit "
                "wrote with the same settings"
            ) from error
        return self

    def best_epoch(self) -> tuple[int, dict[str, float]]:
        """Number of epochs after which validation was best, and its figure there."""
        score = self.best.best_model_score
        if score is None:
            raise InputError("no epoch was validated, so none can be chosen; train longer")
        saved = checkpoints.read_checkpoint(self.best.best_model_path)
        return int(saved["epoch"]) + 1, {self.monitor: float(score)}


def as_args(settings: dict[str, Any]) -> list[str]:
    """Settings as on a command line: `--model.network.features=["genres", "period"]`."""
    return [
        f"--{path}={value if isinstance(value, str) else json.dumps(value)}"
        for path, value in settings.items()
    ]


def new_run(folder: Path) -> Path:
    """A folder of its own, named by the time; a second run of the same second gets another."""
    name, number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), 1
    while True:
        path = folder / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def keep_metrics(folder: Path) -> None:
    """A resumed run starts a new metrics.csv: the old one is kept beside it."""
    metrics = folder / "metrics.csv"
    if metrics.is_file():
        metrics.rename(folder / f"metrics-{len(list(folder.glob('metrics-*.csv'))) + 1}.csv")


def newest_run(folder: Path) -> Path:
    runs = sorted(path.parent for path in folder.glob("*/fit.json"))
    if not runs:
        raise InputError(f"{folder} holds no finished run; first: python train.py fit --config …")
    return runs[-1]
