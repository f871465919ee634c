"""The model card of a run and of a release: purpose, origin, measurements and limits of a model.

After Mitchell et al. 2019, "Model cards for model reporting". A pure function of the manifest, the
settings and the results: the same run gives the same bytes. Unknown facts are left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from marquee.core.nested_dicts import flatten

PURPOSE = """\
Neural collaborative filtering with genre embeddings, for lists of movies, predicted stars and
similar movies through the API of Marquee. A rating model stands beside the network."""
INTENDED_USE = """\
Lists of movies for a user whose ordered history is known, expected stars with an interval, and
movies similar to a movie. A user without a history gets the popular list. It measures neither the
quality of a movie nor a user, and decides nothing about anyone but the next list."""
LIMITS = """\
- Offline figures: they tell how well held-out behavior is predicted, not what a list changes.
  MovieLens has no impressions, no watch time and no churn, so nothing here says that a list keeps a
  customer.
- The model learned from ratings that users chose to give, not from what was shown or watched.
  Raters of MovieLens are not an audience. Errors on movies that users did not choose are larger
  than those reported.
- Popular movies and heavy raters are predicted best. `num_ratings` beside every movie counts the
  ratings behind it, and the interval of its stars widens where there are few.
- A movie without ratings is known by genres, period and text alone. A movie that is not in the
  bundle cannot be listed; a new one needs a new bundle.
- Part of the skill on `next` is the order in which MovieLens lists movies to rate: results show the
  same model with every history shuffled beside it."""
DATA_AND_USERS = """\
The bundle holds no user: no ids, no histories, no row of a user. The ratings are GroupLens' and
come with their own license, which asks for a citation (Harper and Konstan 2015) and forbids
commercial use without permission. If you train on your own data, put your terms here."""
REFITS = {
    "none": "the training part",
    "validation": "the training and validation parts; the test part is held out",
}


def results_of(manifest: Mapping[str, Any], folder: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the results of a bundle's own training from a folder such as `results/`.

    They name the same recipe, commit and data. Raises InputError for a file that is not JSON.
    """
    identity = (manifest["recipe"], manifest.get("commit"), manifest["data"]["sha256"])
    for path in sorted(Path(folder).glob("*.json")) if all(identity) else ():
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: not JSON ({error}), expected a results file; remove it, or name another "
                "folder: --results"
            ) from error
        names = ("recipe", "commit", "data_sha256")
        if isinstance(content, dict) and tuple(map(content.get, names)) == identity:
            yield content


def model_card(
    name: str,
    results: Iterable[Mapping[str, Any]],
    *,
    manifest: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    released: datetime | None = None,
) -> str:
    """Return a model card as Markdown.

    name: of the model. results: one per protocol, as in results/*.json. manifest: of the bundle;
    None for the classic user, who is never served. settings: by dotted names, else those of the
    manifest. released: the time of a release.
    """
    results = list(results)
    if settings is None:
        settings = flatten((manifest or {}).get("config", {}))
    facts = manifest_facts(manifest) if manifest else result_facts(results)
    network = (manifest or {}).get("network") or network_settings(settings)
    facts |= {
        "split": ", ".join(
            f"{each} {settings[f'data.{each}']}"
            for each in ("protocol", "ties")
            if f"data.{each}" in settings
        ),
        "network": ", ".join(f"{key} {value}" for key, value in network.items()),
        "training": training_facts(results),
    }
    rows = "\n".join(f"| {fact} | {value} |" for fact, value in facts.items() if value)
    metrics = (manifest or {}).get("metrics") or {}
    tables = [validation_table(metrics), *map(test_table, results)]
    release = f"Released on {released.date().isoformat()}. " if released else ""
    parts = [
        f"# Model card: {name}",
        f"{release}{PURPOSE}",
        f"| | |\n| --- | --- |\n{rows}",
        f"## Intended use\n\n{INTENDED_USE}",
        "## Measured",
        *(table for table in tables if table),
        f"## Limits\n\n{LIMITS}",
        f"## Data and users\n\n{DATA_AND_USERS}",
    ]
    return "\n\n".join(parts) + "\n"


def manifest_facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts of a bundle, for the first table of a card."""
    data, refit = manifest["data"], manifest["refit"]
    sizes = [name for name in ("ratings", "items", "users") if f"num_{name}" in data]
    counts = ", ".join(f"{data[f'num_{name}']:,} {name}" for name in sizes)
    all_ratings = f"all ratings; its measured sibling is `{manifest.get('sibling')}`"
    return {
        "model version": f"`{manifest['model_version']}`",
        "made": f"{manifest['created']}, at commit `{str(manifest.get('commit'))[:12]}`",
        "recipe": f"`{manifest['recipe']}`, {manifest.get('epochs')} epochs",
        "trained on": all_ratings if refit == "all" else REFITS.get(refit, str(refit)),
        "data": f"{data['name']}: {counts} (sha256 `{data['sha256']}`)",
        "scale": f"{manifest['scale'][0]} to {manifest['scale'][-1]} stars",
        "history": f"the latest {manifest['history_length']} entries of a user",
    }


def result_facts(results: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the facts of a model without a bundle, from its results."""
    first = results[0]
    return {
        "model version": "none: this model is not served",
        "made": f"at commit `{str(first['commit'])[:12]}`",
        "recipe": f"`{first['recipe']}`",
        "data": f"{first['data']} (sha256 `{first['data_sha256']}`)",
    }


def network_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the network without their prefix."""
    prefix = "model.network."
    return {
        key.removeprefix(prefix): value for key, value in settings.items() if key.startswith(prefix)
    }


def training_facts(results: list[Mapping[str, Any]]) -> str:
    """Return seeds, epochs and cost of a run, if its results tell the cost."""
    first = results[0] if results else {}
    if "cpu_s" not in first:
        return ""
    epochs = first.get("selection", {}).get("epochs", "?")
    return (
        f"seeds {', '.join(map(str, first['seeds']))}, {epochs} epochs chosen on validation, "
        f"{first['cpu_s']:,.0f} CPU seconds on {first['machine']}"
    )


def validation_table(metrics: Mapping[str, Any]) -> str:
    """Return a table of the metrics that the epoch was chosen by."""
    if not metrics:
        return ""
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(metrics.items()))
    return f"| validation, by which it was chosen | value |\n| --- | --- |\n{rows}"


def test_table(content: Mapping[str, Any]) -> str:
    """Return a table of one protocol, the baselines beside the model.

    Metrics of groups of ratings are left out.
    """
    seeds, baselines = ", ".join(map(str, content["seeds"])), content["baselines"]
    lines = [
        f"Test part of `{content['protocol']}`, read once: {content['num_users']:,} users, means "
        f"of seeds {seeds} (the first one's bundle is served), 95% intervals over users; baselines "
        "on the same split.",
        "",
        "| " + " | ".join([content["protocol"], "model", *baselines]) + " |",
        "| --- " * (2 + len(baselines)) + "|",
    ]
    for name, interval in content["metrics"].items():
        if "/" not in name:
            cells = [cell(interval), *(cell(part.get(name)) for part in baselines.values())]
            lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def cell(interval: Mapping[str, float] | None) -> str:
    """Return a mean and its interval, or nothing."""
    if not interval:
        return ""
    return f"{interval['mean']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"
