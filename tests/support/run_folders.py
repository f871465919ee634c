"""Hand-made folders of finished runs, as `train.py fit` leaves them."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from marquee.core.bootstrap import summarise
from marquee.core.files import flatten
from marquee.evaluation.results import write_ranks
from marquee.training.compare.paired_bootstrap import mean_metrics, user_metrics

CONFIG = {
    "seed_everything": 0,
    "data": {"name": "demo", "protocol": "next", "ties": "hash", "split_seed": 0},
    "model": {"learning": {"lr": 0.01}, "network": {"features": ["genres"]}},
    "trainer": {"max_epochs": 3},
    "seeds": [0],
    "runs": "runs",
}
METRICS = """epoch,step,train/loss,val/ndcg@10,memory/peak_gb,speed/examples_per_s
0,9,3.5,,,
0,9,,0.1,1.5,100
1,19,2.5,,,
1,19,,0.3,1.25,300
2,29,2.25,0.2,1.25,200
"""


def write_run(
    folder: Path,
    ranks: dict[int, list[float]] | None = None,
    *,
    users: list[int] | None = None,
    sha256: str = "5a" * 32,
    **settings: Any,
) -> Path:
    """Write a run of three epochs, the second selected, with the test ranks of each seed.

    settings: changes as data__ties="file". ranks {}: selected and not tested.
    """
    ranks = {0: [1.0, 2.0, 11.0]} if ranks is None else ranks
    config: dict[str, Any] = copy.deepcopy(CONFIG)
    for name, value in settings.items():
        group, _, key = name.rpartition("__")
        (config[group] if group else config)[key] = value
    curve = [
        {"epoch": 1, "val/ndcg@10": 0.1, "wall_s": 1, "cpu_s": 0.5},
        {"epoch": 2, "val/ndcg@10": 0.3, "wall_s": 2, "cpu_s": 1.0},
    ]
    fit = {"commit": "c0ffee1234-dirty", "epochs": 2, "validation": {"val/ndcg@10": 0.3}}
    select = folder / "select"
    select.mkdir(parents=True)
    (select / "config.yaml").write_text(yaml.safe_dump(config))
    (select / "curve.json").write_text(json.dumps(curve))
    (select / "cost.json").write_text('{"wall_s": 20, "cpu_s": 10}')
    (select / "metrics.csv").write_text(METRICS)
    (folder / "fit.json").write_text(json.dumps(fit))
    if ranks:
        protocol = config["data"]["protocol"]
        user = np.array(users or range(len(ranks[0])))
        path = folder / f"test-{protocol}.parquet"
        write_ranks(path, user, user + 50, {seed: np.array(each) for seed, each in ranks.items()})
        rows = pd.read_parquet(path)
        result = {
            "commit": fit["commit"],
            "data_sha256": sha256,
            "seeds": list(ranks),
            "num_users": len(user),
            "selection": {"epochs": 2, "val/ndcg@10": 0.3, "curve": curve},
            "metrics": summarise(user_metrics(rows, protocol).to_dict("series"), draws=20),
            "per_seed": [mean_metrics(one, protocol) for _, one in rows.groupby("seed")],
            "wall_s": 20.0,
            "cpu_s": 10.0,
        }
        (folder / f"results-{protocol}.json").write_text(json.dumps(result))
    return folder


def logged_run(folder: Path, **more: Any) -> dict[str, Any]:
    """Return a run folder as Comet's server has it: every value as text."""
    params = flatten(yaml.safe_load((folder / "select" / "config.yaml").read_text()))
    params["code/commit"] = json.loads((folder / "fit.json").read_text())["commit"]
    table = pd.read_csv(folder / "select" / "metrics.csv").dropna(subset="epoch")
    values = [
        (int(row["epoch"]), str(name), str(value))
        for row in table.to_dict("records")
        for name, value in row.items()
        if name not in ("epoch", "step") and pd.notna(value)
    ]
    points = [
        {"metricName": name, "metricValue": value, "epoch": epoch, "timestamp": number}
        for number, (epoch, name, value) in enumerate(values)
    ]
    paths = [folder / "select" / "config.yaml", *folder.glob("results-*")]
    paths += folder.glob("test-*.parquet")
    return {
        "name": f"{folder.parent.name}/{folder.name}",
        "params": params,
        "metrics": [*points, {"metricName": "confusion", "metricValue": "not a number"}],
        "assets": {path.name: path.read_bytes() for path in paths},
        **more,
    }
