"""Results files, `results/[VARIANT-]DATA.PROTOCOL.json`, and the table of ranks behind each."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.core.arrays import Columns, Float64
from marquee.core.files import atomic_path, write_json
from marquee.core.ids import Ids


def results_path(folder: str | Path, name: str, protocol: str) -> Path:
    """Return the path of a recipe's results; its name may end with the protocol."""
    return Path(folder) / f"{name.removesuffix('.' + protocol)}.{protocol}.json"


def write_results(folder: str | Path, name: str, protocol: str, content: dict[str, Any]) -> Path:
    return write_json(results_path(folder, name, protocol), rounded(content))


def rounded(value: Any) -> Any:
    """Round floats to six significant digits: a tenth of a seed's spread needs three."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def code_commit() -> str:
    """Return the git commit of this code, marked if dirty; `unknown` outside git."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(__file__).parent
    try:
        process = subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return process.stdout.strip()


def write_ranks(
    path: str | Path, user_id: Ids, movie_id: Ids, ranks: Mapping[int, Float64]
) -> None:
    """Write user_id, movie_id, expected rank (1 is best), seed of each test target.

    ranks: by training seed, in the order of the ids.
    """
    columns = {
        Columns.USER_ID: np.tile(user_id, len(ranks)),
        Columns.MOVIE_ID: np.tile(movie_id, len(ranks)),
        "rank": np.concatenate(list(ranks.values())),
        "seed": np.repeat(list(ranks), len(user_id)),
    }
    write_table(path, pa.table(columns))


def write_table(path: str | Path, table: pa.Table) -> None:
    with atomic_path(path) as part:
        pq.write_table(table, part)
