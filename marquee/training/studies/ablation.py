"""Ablations: train a recipe again without each of its parts.

A variant of `recipes/ablations.yaml` is a whole `fit` under the name VARIANT-RECIPE. Its result
holds the difference to the base, paired over users.

What this does not show: the settings were tuned for the full model. A variant might do better with
settings of its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from datamodules.datamodule import InteractionDataModule
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.files import read_json
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.results import results_path, write_results
from marquee.recommender.bundle import read_bundle
from marquee.training.compare.paired_bootstrap import mean_metrics, paired_difference
from marquee.training.config import RunConfig, read_config
from marquee.training.pipeline import fit
from marquee.training.run_folder import newest_run, test_rows_name
from marquee.training.studies.study_command import run_study, study_parser

NEEDS = {"without-features": "item_features", "without-user-features": "user_features"}
VARIANTS_FILE = Path(__file__).parents[3] / "recipes" / "ablations.yaml"
MAX_NDCG_DIFFERENCE = 1e-5  # of rows and results of one fit


def main(args: list[str]) -> int:
    return run_study("ablate", ablate, args)


def ablate(args: list[str]) -> None:
    """Fit each variant of a recipe and write its result beside the base's."""
    parser = study_parser("ablate", "Train a recipe again without each of its parts.")
    parser.add_argument("--variants", type=lambda names: names.split(","), help="A,B; else all")
    options, settings = parser.parse_known_args(args)
    variants: dict[str, dict[str, Any]] = yaml.safe_load(VARIANTS_FILE.read_text())
    names = options.variants or list(variants)
    for name in names:
        if name not in variants:
            raise InputError(
                f"--variants {name!r}: not in recipes/ablations.yaml, expected some of "
                f"{', '.join(variants)}"
            )
    base = read_config(settings)
    newest_run(base.runs_folder)
    protocol = variant_protocol(base)
    check_base(base, protocol)
    dataset = InteractionDataModule(base.data).dataset
    for name in names:
        if name in NEEDS and not getattr(dataset, NEEDS[name]):
            say(f"{name}: {dataset.name} has no {NEEDS[name].replace('_', ' ')}; skipped")
            continue
        changes = changed_settings(base, variants[name])
        if not changes:
            say(f"{name}: {base.name} has these settings already; skipped")
            continue
        variant_settings = {"name": f"{name}-{base.name}", "protocols": [protocol]}
        try:
            fit(base.with_settings({**changes, **variant_settings}))
        except KeyboardInterrupt:  # its argument is a checkpoint of the variant, not of the base
            raise KeyboardInterrupt from None
        add_difference(base, protocol, name, changes)


def variant_protocol(base: RunConfig) -> str:
    """Return the one protocol that the variants are measured by.

    It has one target a query, so that the rank of the target holds the metrics of the user.
    """
    names = [name for name, each in PROTOCOLS.items() if each.has_lists and each.targets == "one"]
    for name in names:
        if name in base.protocols and base.is_served:
            return name
    raise InputError(
        f"{base.name}: {base.protocols} of a network for {base.model.network.user}, expected "
        f"{' or '.join(names)} of one that reads a history"
    )


def changed_settings(base: RunConfig, variant: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a variant that differ from the recipe's.

    Of a list, the values that the recipe has remain, in the recipe's order.
    """
    settings, changes = base.flat(), {}
    for name, value in variant.items():
        current = settings[name]
        if isinstance(value, list):
            value = [each for each in current if each in value]
        if value != current:
            changes[name] = value
    if changes.get("model.network.features") == [] and settings["model.network.id_dropout"]:
        changes["model.network.id_dropout"] = 0.0  # nothing else would tell items apart
    return changes


def check_base(base: RunConfig, protocol: str) -> None:
    """Refuse a base whose bundle, result and rows are not of one fit by its settings."""
    result = results_path(base.results, base.name, protocol)
    rows = base.runs_folder / test_rows_name(protocol)
    remedy = f"first: python train.py fit --config recipes/{base.name}.yaml"
    for path in (result, rows):
        if not path.is_file():
            raise InputError(f"{path} is missing, expected that of the base; {remedy}")
    content, manifest = read_json(result), read_bundle(base.bundle_folder).manifest
    sha256 = InteractionDataModule(base.data).dataset.sha256
    ndcg = mean_metrics(pd.read_parquet(rows), protocol)["ndcg@10"]
    published = content["metrics"]["ndcg@10"]["mean"]
    if published is None:
        reason = content["metrics"]["ndcg@10"]["too_small"]
        raise InputError(f"{result}: ndcg@10 says nothing ({reason}), expected a larger data set")
    checks = {
        "data": manifest["data"]["sha256"] == content["data_sha256"] == sha256,
        "settings": manifest["config"] == base.training_settings(base.seeds[0]),
        "commit": manifest["commit"] == content["commit"],
        "test rows": abs(ndcg - published) < MAX_NDCG_DIFFERENCE,
    }
    differences = [name for name, is_same in checks.items() if not is_same]
    if differences:
        raise InputError(
            f"{base.name}: fitted with another {', '.join(differences)}, expected those of this "
            f"command; {remedy}"
        )


def add_difference(base: RunConfig, protocol: str, name: str, changes: Mapping[str, Any]) -> None:
    variant = f"{name}-{base.name}"
    content = read_json(results_path(base.results, variant, protocol))
    variant_rows, base_rows = (
        pd.read_parquet(folder / test_rows_name(protocol))
        for folder in (base.runs_folder.with_name(variant), base.runs_folder)
    )
    section = paired_difference(variant_rows, base_rows, protocol)
    difference = {metric: section[metric] for metric in content["metrics"] if metric in section}
    content |= {
        "recipe": f"recipes/{base.name}.yaml, {name} of recipes/ablations.yaml",
        "variant": {"name": name, "of": base.name, "settings": dict(changes)},
        "paired": {"full": difference, **content["paired"]},
    }
    path = write_results(base.results, variant, protocol, content)
    text = "{diff:+.4f} [{low:+.4f}, {high:+.4f}]".format(**difference["ndcg@10"])
    say(f"{path}: ndcg@10 {text} against the full model")
