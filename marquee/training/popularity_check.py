"""Compare a selected model with popularity on the validation part, by the metric that chose it.

A model that popularity beats has learned nothing of a user: its manifest says so, the promotion
gate refuses it, and it replaces no older bundle unless --replace true is given.
"""

from pathlib import Path

from datamodules.datamodule import InteractionDataModule
from marquee.evaluation.baselines.ranking import Popularity
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import evaluate
from marquee.training.config import RunConfig
from marquee.training.distributed import say_once
from marquee.training.evaluate import interactions


def popularity_on_validation(data: InteractionDataModule, monitor: str) -> float | None:
    """Return popularity's mean of the monitored metric; None for rating models."""
    config, split = data.config, data.base_split
    if PROTOCOLS[config.protocol].targets == "ratings":
        return None
    popularity = Popularity().fit(interactions(split))
    ranked = evaluate(popularity.score, data.valid_queries, config.protocol)
    measured = ranked["ncf-paper" if config.select_on == "ncf-paper" else config.protocol]
    return float(measured.metrics[monitor.removeprefix("val/")].mean())


def is_withheld(config: RunConfig, is_below_popularity: bool) -> bool:
    """Return whether an older bundle stays in place of a model below popularity."""
    bundle = config.bundle_folder / "bundle.json"
    return is_below_popularity and bundle.is_file() and not config.replace


def warn_below_popularity(config: RunConfig, value: float, popularity: float, folder: Path) -> None:
    """Print what follows from a model below popularity, whose bundle goes to `folder`."""
    outcome = "its bundle says below_popularity, and the promotion gate refuses it"
    if folder != config.bundle_folder:
        outcome = (
            f"{config.bundle_folder} stays, the new bundle is {folder}; --replace true replaces it"
        )
    say_once(
        f"warning: {config.monitor} {value:.4f}: popularity has {popularity:.4f}, expected more "
        f"than that; {outcome}"
    )
