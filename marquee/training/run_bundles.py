"""The bundles of a run, verified before they are measured.

The first seed's, which is served, is bundles/NAME, unless popularity beats it and an older bundle
is there. In runs/NAME/DATE are bundle-unrefitted, trained on the training part alone, and
bundle-seed-SEED of further seeds, which only count in the mean.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datamodules.datamodule import InteractionDataModule
from marquee.core.errors import InputError
from marquee.recommender.bundle import read_bundle, refuse_to_replace
from marquee.training.config import RunConfig
from marquee.training.distributed import say_once
from marquee.training.export.bundle import check_exportable
from marquee.training.run_folder import RunFolder, SelectionResult
from marquee.training.setting_warnings import setting_warnings


@dataclass(frozen=True, kw_only=True)
class VerifiedBundles:
    """The bundles of a finished run, all made by it."""

    unrefitted: Path  # the model as selected, trained without the validation part
    by_seed: dict[int, Path]  # the refitted models; the first one is served

    @property
    def refitted(self) -> Path:
        return next(iter(self.by_seed.values()))


def seed_bundle(
    config: RunConfig, run: RunFolder, selection: SelectionResult, *, seed: int
) -> Path:
    is_served = seed == config.seeds[0] and not selection.withheld
    return config.bundle_folder if is_served else run.path / f"bundle-seed-{seed}"


def check_before_training(
    config: RunConfig, data: InteractionDataModule, bundle: Path | None
) -> None:
    """Refuse before the training what would fail after it; print notes on the data.

    bundle: the folder that a bundle will be written to, if one will.
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
    for warning in setting_warnings(config, data):
        say_once(f"warning: {warning}")
    if "ncf-paper" in config.protocols:
        _ = data.candidates, data.valid_candidates


def verified_bundles(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    selection: SelectionResult,
    *,
    seeds: Sequence[int] | None = None,
) -> VerifiedBundles:
    """Return the bundles of a run: of these seeds, else of the one that is served.

    Raises InputError for one of another run, data, split or refit: it may know the test part.
    """

    def verified(folder: Path, refit: str, seed: int) -> Path:
        manifest = read_bundle(folder).manifest
        is_same = {
            "refit": manifest.get("refit") == refit,
            "commit": manifest.get("commit") == selection.commit,
            "data": manifest["data"]["sha256"] == data.dataset.sha256,
            "config": manifest.get("config") == config.training_settings(seed),
        }
        names = [name for name, same in is_same.items() if not same]
        if names:
            raise InputError(
                f"{folder}: made with another {', '.join(names)}, expected a bundle of this "
                "recipe's newest run; make it with: python train.py fit"
            )
        return folder

    return VerifiedBundles(
        by_seed={
            seed: verified(seed_bundle(config, run, selection, seed=seed), "validation", seed)
            for seed in seeds or config.seeds[:1]
        },
        unrefitted=verified(run.unrefitted_bundle, "none", config.seed_everything),
    )
