"""The model card of a run: what the model is, what it was measured on, and what it cannot tell.

After Mitchell et al. 2019, "Model cards for model reporting". A pure function of what the run left:
the same run gives the same bytes.
"""

from collections.abc import Mapping
from typing import Any

from marquee.evaluation.ranker import PROTOCOLS

STARS = ("rmse", "mae", "ece", "coverage@90")
INTENDED = """\
Lists of movies for a person whose ordered history is known, films like a film, and expected stars
with an interval. A person with no history gets the popular list."""
LIMITS = """\
- Offline figures: how well held-out behaviour is found again, not what a list changes. MovieLens
  has no impressions, no watch time and no churn, so nothing here says that a list keeps a customer.
- The raters of MovieLens chose to rate; their taste is not that of an audience.
- A movie without ratings is known by genres, period and text alone; its interval is wide.
- Part of the skill on `next` is the order in which MovieLens lists movies to rate: results show the
  same model with every history shuffled beside it."""


def model_card(
    name: str,
    settings: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any] | None,
) -> str:
    """Markdown. settings: of the recipe, flat. results: by protocol, as in results/*.json.
    manifest: of the bundle; None for the classic user, who is never served."""
    one = next(iter(results.values()))
    version = manifest["model_version"] if manifest else "none: this model is not served"
    date = manifest["created"][:10] if manifest else "see the commit"
    parts = [
        f"# {name}",
        f"Model version: {version}  \nDate: {date}  \nCode: {one['commit']}",
        "## What it is",
        "Neural collaborative filtering with genre embeddings "
        f"(user: {settings.get('model.network.user')}).",
        f"## Intended use\n\n{INTENDED}",
        f"## Limits\n\n{LIMITS}",
        "## Data",
        f"{one['data']}, sha256 {one['data_sha256']}; ties: {settings.get('data.ties')}; "
        f"protocol {settings.get('data.protocol')}.",
        "## Figures",
        "The test part, read once; 95% intervals over persons; baselines on the same split.",
        *(figures(protocol, content) for protocol, content in results.items()),
        "## Training",
        f"Recipe {one['recipe']}, seeds {', '.join(map(str, one['seeds']))}, "
        f"{one.get('selection', {}).get('epochs', '?')} epochs chosen on validation, "
        f"{one['cpu_s']:,.0f} CPU seconds on {one['machine']}.",
    ]
    return "\n\n".join(parts) + "\n"


def figures(protocol: str, content: Mapping[str, Any]) -> str:
    """A table: the model and each baseline."""
    wanted = (*PROTOCOLS.get(protocol, ()), *(STARS if protocol == "stars" else ()))
    names = [name for name in wanted if name in content["metrics"]]
    rows = {"model": content["metrics"], **content["baselines"]}
    lines = [f"| {protocol} | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    for who, row in rows.items():
        cells = [cell(row.get(name)) for name in names]
        lines.append(f"| {who} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(found: Mapping[str, float] | None) -> str:
    if not found:
        return ""
    return f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
