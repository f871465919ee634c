"""Results files: `results/[VARIANT-]DATA.PROTOCOL.json`, and the table of ranks behind each.

    write_results("results", "ml-1m", "next", {...})     # results/ml-1m.next.json
    write_ranks("runs/ml-1m/test-next.parquet", user_ids, movie_ids, {0: ranks})

Both are written to a temporary sibling first and renamed, so a stopped run leaves no half file.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.core.columns import Columns


def results_path(folder: str | Path, name: str, protocol: str) -> Path:
    """A recipe of another protocol than `next` already bears it in its name: `ml-1m.time`."""
    return Path(folder) / f"{name.removesuffix('.' + protocol)}.{protocol}.json"


def write_results(folder: str | Path, name: str, protocol: str, content: dict[str, Any]) -> Path:
    path = results_path(folder, name, protocol)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rounded(content), indent=1) + "\n")
    part.replace(path)
    return path


def rounded(value: Any) -> Any:
    """Floats to six significant digits: a tenth of a seed's spread needs three."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def code_commit() -> str:
    """The git commit of this code, marked where files differ from it; `unknown` outside git."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(__file__).parent
    try:
        done = subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def write_ranks(
    path: str | Path, user_id: np.ndarray, movie_id: np.ndarray, ranks: Mapping[int, np.ndarray]
) -> None:
    """One row a movie of the test part and training seed: user_id, movie_id, expected rank (1 is
    the best), seed. ranks: by seed, in the order of the ids."""
    table = pa.table(
        {
            Columns.USER_ID: np.tile(user_id, len(ranks)),
            Columns.MOVIE_ID: np.tile(movie_id, len(ranks)),
            "rank": np.concatenate(list(ranks.values())),
            "seed": np.repeat(list(ranks), len(user_id)),
        }
    )
    write_table(Path(path), table)


def write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    pq.write_table(table, part)
    part.replace(path)
