"""Rows and files of all benchmarks."""

import json
from pathlib import Path

import pytest

from benchmarks import report


def test_report_row_holds_median_and_spread() -> None:
    assert report.row("a", "what", [1.0, 5.0, 2.0], "s") == {
        "name": "a",
        "what": "what",
        "value": 2.0,
        "unit": "s",
        "spread": 4.0,
    }


def test_report_file_names_commit_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    rows = [report.row("a", "what", [1.0], "s")]
    report.write_report("bench-test.json", report.report(rows))
    content = json.loads((tmp_path / "bench-test.json").read_text())
    assert set(content) == {"rows", "commit", "machine"} and content["rows"] == rows


def test_child_output_ends_with_json() -> None:
    assert report.last_json_line('a warning\n{"cpu": 1.5}\n') == {"cpu": 1.5}
