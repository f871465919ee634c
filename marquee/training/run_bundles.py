"""The bundles of a run: written from trained networks, and verified before they are measured.

| bundle | trained on | lies in |
|---|---|---|
| unrefitted | training part | runs/NAME/DATE/bundle-unrefitted |
| of the first seed, which is served | training + validation part | bundles/NAME |
| of another seed, which only counts in the mean | the same | runs/NAME/DATE/bundle-seed-SEED |
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.recommender.bundle import read_bundle, refuse_to_replace
from marquee.training.config import RunConfig
from marquee.training.distributed import say_once
from marquee.training.export import check_exportable, export_bundle
from marquee.training.run_folder import RunFolder
from marquee.training.selection import SelectionResult
from models.ncf import NCF


@dataclass(frozen=True, kw_only=True)
class VerifiedBundles:
    """The first seed's bundles of a finished run."""

    unrefitted: Path
    """The model as selected, trained without the validation part."""
    refitted: Path
    """The model that is served, trained with it."""


def is_served(config: RunConfig) -> bool:
    """Return whether bundles are exported.

    A network with a table of users is never served.
    """
    return config.model.network.user == "history"


def seed_bundle(config: RunConfig, run: RunFolder, seed: int) -> Path:
    """Return the folder of a seed's bundle: the first seed's is the recipe's."""
    is_first = seed == config.seeds[0]
    return config.bundle_folder if is_first else run.path / f"bundle-seed-{seed}"


def check_before_training(
    config: RunConfig, data: InteractionDataModule, bundle: Path | None
) -> None:
    """Refuse before the training what would fail after it.

    Prints the notes on the data, too. bundle: the folder that a bundle will be written to, if one
    will. Raises InputError for a network that cannot be exported, a folder that is not a bundle,
    and one that cannot be written.
    """
    for note in data.dataset.report:
        say_once(f"data: {note}")
    if bundle is not None:
        check_exportable(config.model.network)
        refuse_to_replace(bundle)
    for folder in (config.bundles, config.results):
        Path(folder).mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise InputError(
                f"{folder}: cannot be written to, expected a writable folder; name another with "
                "--bundles or --results"
            )
    if "ncf-paper" in config.protocols:
        _ = data.candidates, data.valid_candidates


def write_run_bundle(
    folder: Path,
    network: NCF,
    *,
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
) -> Path:
    """Write the bundle of a trained network, proven before it replaces another.

    data: as the network was trained on it. The manifest holds the validation metrics of the
    selection and no test metric.
    """
    dataset, split = data.dataset, data.split
    sibling = read_bundle(config.bundle_folder) if data.refit == "all" else None
    manifest = {
        "name": config.name,
        "recipe": config.recipe,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": selection.commit,
        "config": config.training_settings(),
        "data": {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "num_users": len(split.train_histories),
            "num_items": split.num_items,
            "num_ratings": len(split.train_histories.item),
        },
        "refit": data.refit,
        "sibling": sibling.manifest["model_version"] if sibling else None,
        "epochs": selection.epochs,
        "metrics": selection.validation,
    }
    export_bundle(
        folder,
        network,
        manifest=manifest,
        movies=dataset.movies,
        scale=dataset.scale,
        histories=split.train_histories,
        feature_IF=data.feature_IF.numpy(),
        rating_model=config.stars,
        seed=config.seed_everything,
    )
    return folder


def verify_bundle(
    folder: Path,
    *,
    config: RunConfig,
    data: InteractionDataModule,
    selection: SelectionResult,
    refit: Refit,
    seed: int,
) -> Path:
    """Return the folder of a bundle that this run made.

    Raises InputError for another run, data, split or refit: that bundle may have been trained on
    the test part.
    """
    manifest = read_bundle(folder).manifest
    expected = {
        "refit": refit,
        "commit": selection.commit,
        "data": data.dataset.sha256,
        "config": config.training_settings(seed),
    }
    actual = {name: manifest.get(name) for name in ("refit", "commit", "config")}
    actual["data"] = manifest["data"]["sha256"]
    names = [name for name in expected if expected[name] != actual[name]]
    if names:
        raise InputError(
            f"{folder}: made with another {', '.join(names)}, expected a bundle of this recipe's "
            "newest run; make it with: python train.py fit"
        )
    return folder


def verified_bundles(
    config: RunConfig, run: RunFolder, data: InteractionDataModule, selection: SelectionResult
) -> VerifiedBundles:
    """Return the first seed's bundles of a finished run.

    Raises InputError if a bundle is not of this run.
    """
    return VerifiedBundles(
        unrefitted=verify_bundle(
            run.unrefitted_bundle,
            config=config,
            data=data,
            selection=selection,
            refit="none",
            seed=config.seed_everything,
        ),
        refitted=verify_bundle(
            config.bundle_folder,
            config=config,
            data=data,
            selection=selection,
            refit="validation",
            seed=config.seeds[0],
        ),
    )
