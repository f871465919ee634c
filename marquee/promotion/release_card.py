"""MODEL_CARD.md of a release: what a person needs to know before they promote or rely on it.

After Mitchell et al. 2019, "Model cards for model reporting". Everything comes from the manifest,
and from results of the training it names; what is not known there is not said.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError

INTENDED = """\
Lists of movies for one whose ordered history is known, expected stars with an interval, and films
like a film. One without a history gets the popular list. It is not a measure of a film's quality,
nor of a person, and decides nothing about anybody beyond what is shown next."""
LIMITS = """\
- It was learned from ratings that people chose to give, not from what they were shown or watched:
  there are no impressions, no watch time and no churn in MovieLens. Errors on films that people
  did not choose are larger than those reported.
- Popular films and busy raters are seen best. `support` beside every film says how many ratings
  stand behind it, and the interval of its stars widens where there are few.
- Films that are not in the bundle cannot be listed; a new one needs a new bundle."""


def results_of(manifest: Mapping[str, Any], folder: str | Path) -> Iterator[dict[str, Any]]:
    """The results of a bundle's own training, of a folder such as `results/`: the same recipe at
    the same commit on the same data."""
    wanted = (manifest["recipe"], manifest.get("commit"), manifest["data"]["sha256"])
    for path in sorted(Path(folder).glob("*.json")) if all(wanted) else ():
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: not JSON ({error}); remove it, or name another folder: --results"
            ) from error
        if (
            isinstance(content, dict)
            and tuple(map(content.get, ("recipe", "commit", "data_sha256"))) == wanted
        ):
            yield content


def model_card(
    manifest: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]] = (),
    today: datetime | None = None,
) -> str:
    """Markdown. results: as of `results_of`. today: the date of the push (UTC now where none is
    given)."""
    data, network = manifest["data"], manifest.get("network", {})
    date = (today or datetime.now(UTC)).date().isoformat()
    sizes = ("ratings", "items", "users")
    counts = (f"{data[f'num_{what}']:,} {what}" for what in sizes if f"num_{what}" in data)
    about = {
        "model version": f"`{manifest['model_version']}`",
        "made": f"{manifest['created']}, at commit `{str(manifest.get('commit'))[:12]}`",
        "recipe": f"`{manifest['recipe']}`, {manifest.get('epochs')} epochs",
        "trained on": _trained_on(manifest),
        "data": f"{data['name']}: {', '.join(counts)} (sha256 `{data['sha256'][:12]}`)",
        "scale": f"{manifest['scale'][0]} to {manifest['scale'][-1]} stars",
        "history": f"the latest {manifest['history_length']} entries of a person",
        "network": ", ".join(f"{key} {value}" for key, value in network.items()),
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in about.items() if value)
    measured = "\n".join([_validation(manifest.get("metrics") or {}), *map(_test, results)]).strip()
    return f"""\
# Model card: {manifest["name"]}

Released on {date}. Neural collaborative filtering over ordered histories, with a star model beside
it, for lists of movies, predicted stars and similar movies through the API of Marquee.

| | |
| --- | --- |
{rows}

## Intended use

{INTENDED}

## Measured

{measured}

## Limits

{LIMITS}

## Data and people

The bundle holds no person: no ids, no histories, no row of a user. The ratings are GroupLens' and
come with their own licence, which asks for a citation (Harper and Konstan 2015) and forbids
commercial use without permission; who trains on data of their own puts their terms here.
"""


def _trained_on(manifest: Mapping[str, Any]) -> str:
    said = {
        "none": "the training part",
        "validation": "the training and validation parts; the test part is held out",
        "all": f"all ratings; its measured sibling is `{manifest.get('sibling')}`",
    }
    return said.get(manifest["refit"], str(manifest["refit"]))


def _validation(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return "No figure of its own (see the sibling)."
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(metrics.items()))
    return f"| validation, by which it was chosen | value |\n| --- | --- |\n{rows}\n"


def _test(content: Mapping[str, Any]) -> str:
    """A table of one protocol, the baselines beside the model; the same figures by group are left
    out."""
    seeds, rivals = ", ".join(map(str, content["seeds"])), content["baselines"]
    lines = [
        f"Test part of `{content['protocol']}`, read once: {content['num_users']:,} persons, "
        f"means of seeds {seeds} (the first one's bundle is served), 95% intervals over persons.",
        "",
        "| " + " | ".join([content["protocol"], "model", *rivals]) + " |",
        "| --- " * (2 + len(rivals)) + "|",
    ]
    for name, found in content["metrics"].items():
        if "/" not in name:
            model = f"{found['mean']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
            theirs = [
                f"{each[name]['mean']:.4f}" if name in each else "" for each in rivals.values()
            ]
            lines.append("| " + " | ".join([name, model, *theirs]) + " |")
    return "\n".join(lines) + "\n"
