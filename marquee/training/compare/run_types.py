"""Types of a comparison: a run as it was logged, and the same run as it is compared."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

RUN_FILES = re.compile(r"config\.yaml|(results|test)-[a-z-]+\.(json|parquet)")
"""Files of a run that a comparison reads, by the names that they have in Comet too."""
FACTS = {"data/sha256": "data_sha256", "code/commit": "commit", "machine": "machine"}
"""Facts of a run beside its settings: the name in Comet -> the name in a results file."""

Row = dict[str, float]


class MetricPoint(NamedTuple):
    """One metric as it was logged."""

    name: str
    epoch: float | None
    """From 0."""
    value: float


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """The files, metrics and parameters of a run, before they are interpreted."""

    label: str
    source: str
    files: Mapping[str, bytes]
    """By the names of RUN_FILES."""
    points: Sequence[MetricPoint]
    """In the order of logging: of an epoch that a stop repeated, the last values count."""
    params: Mapping[str, Any]
    selection: Row = field(default_factory=dict)
    """`epochs` and the validation metric, if the source holds them."""
    curve: Sequence[Row] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run."""

    label: str
    """NAME/DATE."""
    source: str
    """One of folder, archive, Comet."""
    settings: Mapping[str, Any]
    """Every resolved setting by its name on the command line, `model.network.dropout`."""
    facts: Mapping[str, str]
    """code/commit, data/sha256 and machine, as far as they are known."""
    epochs: Sequence[Row]
    """One row an epoch: `epoch` from 1, train/loss, the validation metric, time/epoch_s, …"""
    curve: Sequence[Row]
    """One row a validation: epoch, its metric, wall_s and cpu_s by then; older runs have none."""
    monitor: str
    """The metric that validation chose the epoch by."""
    selection: Row
    """`epochs`, and the monitor after them."""
    cost: Row
    """wall_s and cpu_s of all its trainings."""
    seeds: Sequence[int]
    results: Mapping[str, dict[str, Any]]
    """By protocol, as in results/*.json; empty for a run that was selected and not tested."""
    rows: Mapping[str, pd.DataFrame]
    """By protocol, one row for each seed and target item."""

    def largest(self, name: str) -> float | None:
        """Return the largest value of all epochs, None if no epoch has one."""
        return max((row[name] for row in self.epochs if name in row), default=None)

    def median(self, name: str) -> float | None:
        """Return the median of all epochs, which the slow first epoch does not move."""
        values = pd.Series([row[name] for row in self.epochs if name in row], dtype=float)
        return float(values.median()) if len(values) else None
