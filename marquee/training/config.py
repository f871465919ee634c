"""The settings of a run: a recipe file and the command line, parsed and checked.

config = read_config(["--config", "recipes/demo.yaml", "--trainer.max_epochs", "2"])
config.data.ties, config.model.network.embedding_dim      # typed settings
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import jsonargparse
import pytorch_lightning as pl
import yaml

from datamodules.config import DataConfig
from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.core.files import flatten, without_none, write_atomic
from marquee.data.dataset import Dataset, load_dataset
from marquee.evaluation.protocols import PROTOCOLS, protocols_of_split
from marquee.training.checkpoints import CheckpointConfig
from marquee.training.comet import Mode
from marquee.training.data_settings import settings_from_data
from marquee.training.distributed import say_once
from marquee.training.trainer_settings import check_trainer_settings
from models.config import LearningConfig, NetworkConfig, RatingModelConfig

# Settings of the trainer that change the trained weights.
TRAINER_SETTINGS = ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches")
# Settings of one machine or one call, by which runs are not compared.
LOCAL_SETTINGS = ("runs", "bundles", "results", "ckpt_path", "out", "replace", "comet")
LINKS = {  # settings that data and network must agree on: a recipe names them once
    "model.network.user": "data.user",
    "model.network.history_length": "data.history_length",
    "model.network.user_features": "data.user_features",
    "seed_everything": "data.seed",
}
MAX_SEED = 2**32 - 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
CONFIG_FILE = "config.yaml"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of the network, and its optimization."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All settings of one run; InputError for a contradiction."""

    name: str
    """Name of the recipe and of its bundle, results and folder of runs."""
    from_data: list[str] = field(default_factory=list)
    """Settings that follow from the data set, unless the command line gives them."""
    protocols: list[
        Literal["next", "ncf-paper", "time", "new-users", "new-movies", "stars", "fixed"]
    ] = field(default_factory=lambda: ["next"])
    """Protocols that the test part is measured by; their split is `data.protocol`."""
    seed_everything: int = 0
    """Seed of the selection. Each refit has its own seed, one of `seeds`."""
    seeds: list[int] = field(default_factory=lambda: [0])
    """Seeds of the refits: results are their mean, and the bundle of the first is served."""
    folds: list[int] = field(default_factory=list)
    """Values of `data.fold`, each a whole fit; empty fits the one fold of `data`."""
    data: DataConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    stars: RatingModelConfig = field(default_factory=RatingModelConfig)
    trainer: Mapping[str, Any]
    """Arguments of Lightning's Trainer."""
    comet: Mode = "auto"
    """Logging to Comet; auto: online if there is a key, else to an archive in runs/comet."""
    runs: str = "runs"
    """Folder of runs."""
    bundles: str = "bundles"
    """Folder of bundles."""
    results: str = "results"
    """Folder of results."""
    checkpoints: CheckpointConfig = field(default_factory=CheckpointConfig)
    ckpt_path: str | None = None
    """Resume from this checkpoint; `last` resumes the newest run, or starts a new one."""
    replace: bool = False
    """Replace an older bundle of this name even by a model that popularity beats."""
    refit: Refit = "validation"
    """For export: the ratings that the bundle is trained on."""
    out: str | None = None
    """For export: the folder of the bundle."""
    args: tuple[str, ...]  # the command line that these settings were read from
    config_file: str | None  # the recipe, the last file if several are given
    resolved: Mapping[str, Any]  # every setting as plain JSON, without the linked ones

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(
                f"name {self.name!r}: expected letters, digits, '.', '_' and '-', as it names "
                "folders"
            )
        protocols = protocols_of_split(self.data.protocol)
        if not self.protocols or not set(self.protocols) <= set(protocols):
            raise InputError(
                f"protocols {self.protocols}: expected one or more of {protocols}, which "
                f"data.protocol {self.data.protocol} answers"
            )
        if not 0 <= self.seed_everything <= MAX_SEED:
            raise InputError(f"seed_everything {self.seed_everything}: expected 0 to {MAX_SEED}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds {self.seeds}: expected one or more, each once")
        if self.folds and self.protocols != ["stars"]:
            raise InputError(
                f"folds {self.folds}: expected none, as only protocols [stars] has folds"
            )
        check_trainer_settings(self.trainer)

    @property
    def is_served(self) -> bool:
        """True if bundles are exported; a network with a table of users is never served."""
        return self.model.network.user == "history"

    @property
    def monitor(self) -> str:
        return PROTOCOLS[self.data.protocol].monitor

    @property
    def recipe(self) -> str:
        """The recipe file as results name it, not by the name of a variant or fold."""
        file = Path(self.config_file).name if self.config_file else f"{self.name}.yaml"
        return f"recipes/{file}"

    @property
    def runs_folder(self) -> Path:
        return Path(self.runs) / self.name

    @property
    def bundle_folder(self) -> Path:
        return Path(self.bundles) / self.name

    @property
    def checkpoint_root(self) -> str:
        root = str(self.checkpoints.folder or self.runs).rstrip("/")
        return f"{root}/{self.name}"

    def with_settings(self, settings: Mapping[str, Any]) -> "RunConfig":
        """Return the same recipe with some settings changed, by their dotted names."""
        changes = [
            f"--{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in settings.items()
        ]
        return parse_config([*self.args, *changes])

    def flat(self) -> dict[str, Any]:
        """Return every setting by its dotted name, without the linked ones."""
        return flatten(self.resolved)

    def training_settings(self, seed: int | None = None) -> dict[str, Any]:
        """Return the settings that a training depends on; seed: of a refit, instead."""
        comparable = self.comparable()
        names = ("seed_everything", "data", "model", "stars", "trainer")
        settings = {name: comparable[name] for name in names}
        return settings if seed is None else settings | {"seed_everything": seed}

    def comparable(self) -> dict[str, Any]:
        """Return the settings by which two runs are compared."""
        settings = {
            name: without_none(value) if isinstance(value, dict) else value
            for name, value in self.resolved.items()
            if name not in LOCAL_SETTINGS and value is not None
        }
        settings["data"].pop("root", None)
        settings["checkpoints"].pop("folder", None)
        trainer = self.resolved["trainer"]
        return settings | {"trainer": {name: trainer[name] for name in TRAINER_SETTINGS}}

    def save(self, folder: Path) -> None:
        """Write every resolved setting to `config.yaml`, a recipe that gives the same run."""
        text = yaml.safe_dump(dict(self.resolved), sort_keys=False, allow_unicode=True)
        write_atomic(folder / CONFIG_FILE, text)


def read_config(args: Sequence[str]) -> RunConfig:
    """Parse a command line, `--config recipes/NAME.yaml --trainer.max_epochs 2`.

    Reads the data set if the recipe has settings that follow from it. Raises InputError for an
    unknown setting, a value of another type, or contradictions.
    """
    config = parse_config(args)
    return complete_from_data(config) if config.from_data else config


def complete_from_data(config: RunConfig) -> RunConfig:
    """Return the recipe with settings that follow from its data; print them."""
    dataset = load_dataset(config.data.name, config.data.root)
    on_command_line = {arg.removeprefix("--").partition("=")[0] for arg in config.args}
    chosen = {name: value for name, value in config.flat().items() if name in on_command_line}
    settings = settings_from_data(dataset, chosen)
    if unknown := sorted(set(config.from_data) - set(settings)):
        raise InputError(f"from_data {unknown}: expected some of {sorted(settings)}")
    settings = {name: settings[name] for name in config.from_data if name not in chosen}
    say_once(f"settings from the data: {describe_size(dataset)}")
    for name, value in settings.items():
        say_once(f"  {name:32} {value}")
    return config.with_settings(settings | {"from_data": []})


def describe_size(dataset: Dataset) -> str:
    histories = dataset.histories
    return (
        f"{dataset.name} has {len(histories.item):,} interactions of {len(histories):,} users and "
        f"{dataset.num_items:,} items"
    )


def parse_config(args: Sequence[str]) -> RunConfig:
    """Parse a command line without the settings that follow from the data."""
    parser = build_parser()
    try:
        namespace = parser.parse_args(list(args))
        settings = parser.instantiate(namespace)
    except InputError:
        raise
    except (argparse.ArgumentError, ValueError, TypeError) as error:
        raise InputError(str(error)) from error
    resolved = json.loads(parser.dump(namespace, format="json", skip_unset=False))
    files = [str(path) for path in namespace.config or ()]
    names = {each.name for each in fields(RunConfig)}
    values = {name: value for name, value in vars(settings).items() if name in names}
    return RunConfig(
        **values | {"trainer": vars(settings.trainer)},
        args=tuple(args),
        config_file=files[-1] if files else None,
        resolved=resolved,
    )


def build_parser() -> jsonargparse.ArgumentParser:
    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = jsonargparse.ArgumentParser(prog="train.py fit", exit_on_error=False)
    parser.add_argument(
        "-c", "--config", action="config", help="a recipe file; later settings override it"
    )
    parser.add_class_arguments(RunConfig, skip={"trainer", "args", "config_file", "resolved"})
    parser.add_class_arguments(
        pl.Trainer, "trainer", fail_untyped=False, instantiate=False, sub_configs=True
    )
    parser.set_defaults(
        {
            "trainer.num_sanity_val_steps": 0,
            "trainer.enable_model_summary": False,
            "trainer.enable_progress_bar": sys.stdout.isatty(),
        }
    )
    for source, target in LINKS.items():
        parser.link_arguments(source, target)
    return parser
