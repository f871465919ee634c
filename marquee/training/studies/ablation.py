"""What each part of the model is worth: a recipe trained again without it, part by part.

    marquee ablate --config recipes/ml-100k.yaml                              all variants
    marquee ablate --config recipes/ml-100k.yaml --variants without-text      one of them
    marquee doc-tables                                         writes docs/ablations.md

`recipes/ablations.yaml` says what each variant sets. A variant is a whole `fit` under the name
VARIANT-RECIPE, chosen, refitted and measured as its base was, and its result holds the difference
to the base, paired over persons. The base's own test rows are read from `runs/`, so it has to be
fitted first, by the same settings on the same data.

What this does not say: settings were chosen for the whole, and a part left out might do better with
settings of its own.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from marquee.core.bootstrap import summarise_paired
from marquee.core.errors import InputError
from marquee.evaluation.results import results_path, write_results
from marquee.recommender.bundle import read_bundle
from marquee.training.callbacks import say
from marquee.training.compare.paired import figures
from marquee.training.recipe import Recipe, as_args

FILE = Path(__file__).parent.parent / "recipes" / "ablations.yaml"
PROTOCOLS = ("next", "time")
"""One movie is asked of a person, whose figures its rank therefore holds."""


def ablate(fit: Callable[[list[str]], None], args: list[str]) -> None:
    """Fit each variant of a recipe and write its result beside the base's.

    fit: the verb of train.py. args: its arguments, and `--variants A,B`, else all.
    Raises InputError for an unknown variant, and where the base was not fitted by these settings on
    this data.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--variants", type=lambda names: names.split(","))
    chosen, rest = parser.parse_known_args(args)
    known: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())
    for name in chosen.variants or ():
        if name not in known:
            raise InputError(f"no variant {name!r} in recipes/ablations.yaml: {', '.join(known)}")
    base = Recipe(rest, "test", refit="validation")
    protocol = asked(base)
    refuse_another_base(base, protocol)
    for name in chosen.variants or known:
        changed = changes(base, known[name])
        if not changed:
            say(f"{name}: {base.name} is that already; skipped")
            continue
        variant = f"{name}-{base.name}"
        try:
            fit([*rest, *as_args(changed), f"--name={variant}", f"--protocols=[{protocol}]"])
        except KeyboardInterrupt:  # its argument is a checkpoint of the variant, not of the base
            raise KeyboardInterrupt from None
        compare(base, protocol, name, changed)


def asked(base: Recipe) -> str:
    """The one protocol of a variant."""
    for protocol in PROTOCOLS:
        if protocol in base.config["protocols"] and base.datamodule.user == "history":
            return protocol
    raise InputError(
        f"{base.name}: ablations are of models that read a history, under {' or '.join(PROTOCOLS)}"
    )


def changes(base: Recipe, settings: dict[str, Any]) -> dict[str, Any]:
    """What of a variant's settings differs from the recipe; a list keeps what the recipe has."""
    changed = {}
    for path, value in settings.items():
        now = base.config[path]
        wanted = [each for each in now if each in value] if isinstance(value, list) else value
        if wanted != now:
            changed[path] = wanted
    return changed


def refuse_another_base(base: Recipe, protocol: str) -> None:
    """The base's bundle, result and test rows must be of one fit, by the settings of now."""
    result = results_path(base.config["results"], base.name, protocol)
    rows = test_rows(base.runs, protocol)
    again = f"first: python train.py fit --config recipes/{base.name}.yaml"
    for path in (result, rows):
        if not path.is_file():
            raise InputError(f"{path} is missing, to which variants are compared; {again}")
    content, manifest = json.loads(result.read_text()), bundle_manifest(base)
    mean, sha256 = figures(pd.read_parquet(rows))["ndcg@10"].mean(), base.datamodule.dataset.sha256
    agree = {
        "data": manifest["data"]["sha256"] == content["data_sha256"] == sha256,
        "settings": manifest["config"] == base.settings(base.config["seeds"][0]),
        "commit": manifest["commit"] == content["commit"],
        "test rows": abs(mean - content["metrics"]["ndcg@10"]["mean"]) < 1e-5,
    }
    other = [what for what, same in agree.items() if not same]
    if other:
        raise InputError(f"{base.name} was fitted with another {', '.join(other)}; {again}")


def bundle_manifest(base: Recipe) -> dict[str, Any]:
    return read_bundle(Path(base.config["bundles"]) / base.name).manifest


def test_rows(runs: Path, protocol: str) -> Path:
    return runs / f"test-{protocol}.parquet"


def compare(base: Recipe, protocol: str, name: str, changed: dict[str, Any]) -> None:
    """Say in a variant's result what it is, and how far it stands from its base."""
    results, variant = Path(base.config["results"]), f"{name}-{base.name}"
    content = json.loads(results_path(results, variant, protocol).read_text())
    theirs = figures(pd.read_parquet(test_rows(base.runs, protocol)))
    ours = figures(pd.read_parquet(test_rows(base.runs.with_name(variant), protocol)))
    assert ours.index.equals(theirs.index), "one data set, one split: the same persons and movies"
    kept = [metric for metric in content["metrics"] if metric in ours]
    full = summarise_paired({key: ours[key] for key in kept}, {key: theirs[key] for key in kept})
    content |= {
        "recipe": f"recipes/{base.name}.yaml, {name} of recipes/ablations.yaml",
        "variant": {"name": name, "of": base.name, "settings": changed},
        "paired": {"full": full, **content["paired"]},
    }
    path = write_results(results, variant, protocol, content)
    shown = "{diff:+.4f} [{low:+.4f}, {high:+.4f}]".format(**full["ndcg@10"])
    say(f"{path}: ndcg@10 {shown} against the full model")
