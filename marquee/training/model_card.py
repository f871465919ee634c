"""The model card of a run and of a release: purpose, origin, measurements and limits of a model.

After Mitchell et al. 2019, "Model cards for model reporting". A pure function, written by
model_card.md.j2: the same run gives the same bytes. Unknown facts are left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from marquee.core.errors import InputError
from marquee.core.files import flatten


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
    manifest = manifest or {}
    config = flatten(manifest.get("config", {})) if settings is None else settings
    network_names = [name for name in config if name.startswith("model.network.")]
    network = {name.removeprefix("model.network."): config[name] for name in network_names}
    loader = PackageLoader("marquee.training", "")
    environment = Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True)
    return environment.get_template("model_card.md.j2").render(
        name=name,
        released=released,
        manifest=manifest,
        config=config,
        network=manifest.get("network") or network,
        results=list(results),
    )
