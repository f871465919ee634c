"""`marquee compare` on hand-made run folders: its tables, its page, and the runs it refuses."""

import json
import math
import os
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from marquee.training.compare.command import default_runs, main, read_run
from tests.support.run_folders import write_run

SECOND = 1 / math.log2(3)
"""The ndcg of the second place."""


def compare(
    capsys: pytest.CaptureFixture[str], *args: str | Path
) -> tuple[list[list[str]], list[str]]:
    """Return the cells of every line that is printed, and the warnings."""
    capsys.readouterr()
    assert main([*map(str, args)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in line.split("  ") if cell] for line in lines]
    return cells, [line for line in lines if line.startswith("WARNING")]


def error_of(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    capsys.readouterr()
    assert main([*map(str, args)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_compare_averages_seeds_of_a_user_before_pairing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users have rank 1 in the first run; in the second the first two drop to 2 in one seed of
    two, so that each loses half of the cost of the second place."""
    write_run(tmp_path / "a" / "1", {0: [1.0, 1.0, 1.0, 1.0]})
    write_run(tmp_path / "b" / "1", {0: [2.0, 2.0, 1.0, 1.0], 1: [1.0, 1.0, 1.0, 1.0]})
    cells, _ = compare(capsys, "a", "b", "--runs", tmp_path)
    (row,) = [row for row in cells if row[:2] == ["2 - 1", "ndcg@10"]]
    assert row[2] == f"{(SECOND - 1) / 4:+.4f}"
    assert row[4] == "no difference shown", "a draw may hold the two others alone"
    (seeds,) = [row for row in cells if row and row[0] == "seeds"]
    assert seeds[2] == f"{(1 + SECOND) / 2:.4f} to 1.0000", "of the run that has several"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"sha256": "0f" * 32}, "another data fingerprint", id="fingerprint"),
        pytest.param({"data__name": "ml-1m"}, "another data set", id="data"),
        pytest.param({"data__ties": "file"}, "other ties", id="ties"),
        pytest.param({"data__split_seed": 1}, "another split", id="split"),
        pytest.param({"data__protocol": "time"}, "another protocol", id="protocol"),
        pytest.param({"users": [0, 1, 3]}, "other test users", id="users"),
    ],
)
def test_compare_of_other_queries_warns_without_difference(
    changes: dict[str, Any], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    write_run(tmp_path / "b" / "1", **changes)
    write_run(tmp_path / "c" / "1")
    cells, (warning,) = compare(capsys, "a", "b", "c", "--runs", tmp_path)
    assert reason in warning
    assert " 2 " in warning
    assert {row[0] for row in cells if row and " - " in row[0]} == {"3 - 1"}


def test_compare_of_rows_unlike_results_warns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    path = tmp_path / "b" / "1" / "test-next.parquet"
    pd.read_parquet(path).assign(rank=1.0).to_parquet(path)
    cells, (warning,) = compare(capsys, "a", "b", "--runs", tmp_path)
    assert "test rows of 2 are not those of its next results" in warning
    assert not [row for row in cells if row and row[0] == "2 - 1"]


def test_compare_without_test_rows_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    (tmp_path / "b" / "1" / "test-next.parquet").unlink()
    cells, _ = compare(capsys, "a", "b", "--runs", tmp_path)
    assert ["2 has no test rows of next, so 2 cannot be compared with 1."] in cells


def test_compare_of_selected_run_shows_validation_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    write_run(tmp_path / "b" / "1", {})
    cells, warnings = compare(capsys, "a", "b", "--runs", tmp_path)
    assert not warnings
    (note,) = next(row for row in cells if row and row[0].startswith("2 was selected"))
    assert "validation alone" in note
    rows = [row for row in cells if "2 of 3" in row]
    assert [row[1:] for row in rows] == [
        ["2 of 3", "val/ndcg@10 0.3000", "20", "10", "1.50", "200"]
    ] * 2
    assert ["2", *["not tested"] * 4] in cells


def test_compare_lists_settings_that_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    settings: dict[str, Any] = {"runs": "elsewhere", "data__horizon": 3, "seed_everything": 1}
    write_run(tmp_path / "b" / "1", sha256="0f" * 32, **settings)
    cells, _ = compare(capsys, "a", "b", "--runs", tmp_path)
    start = cells.index(["setting", "1", "2"])
    assert cells[start + 1 : cells.index([], start)] == [
        ["data.horizon", "-", "3"],
        ["seed_everything", "0", "1"],
        ["data/sha256", "5a" * 6, "0f" * 6],
    ]


def test_compare_baseline_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        write_run(tmp_path / name / "1")
    cells, _ = compare(capsys, "a", "b", "--baseline", "c", "--runs", tmp_path)
    labels = [row[1] for row in cells if len(row) > 2 and row[2] == "folder"]
    assert labels == ["c/1", "a/1", "b/1"]


def test_compare_without_names_takes_newest_ten_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        write_run(tmp_path / "ba"[number % 2] / f"20261123-{number:06}")
    (tmp_path / "a" / "20261124-000000" / "select").mkdir(parents=True)  # still training
    cells, _ = compare(capsys, "--runs", tmp_path)
    assert "10 newest" in cells[0][0]
    dates = [row[1].split("/")[1] for row in cells if len(row) > 2 and row[2] == "folder"]
    assert dates == [f"20261123-{number:06}" for number in range(2, 12)]
    assert read_run("a", tmp_path).label == "a/20261123-000011", "newest finished one"
    assert (tmp_path / "compare.html").is_file()
    assert default_runs(tmp_path)[-1] == str(tmp_path / "a" / "20261123-000011")


def test_compare_protocol_is_shown_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "a" / "1")
    for name in ("results-{}.json", "test-{}.parquet"):
        shutil.copy(run / name.format("next"), run / name.format("ncf-paper"))
    args: list[str | Path] = [run, "--runs", tmp_path]
    titles = [row[0] for row in compare(capsys, *args)[0] if row and row[0].startswith("Test: ")]
    assert titles == ["Test: next, 3 users", "Test: ncf-paper, 3 users"]
    cells, _ = compare(capsys, *args, "--protocol", "next")
    assert [row for row in cells if row and "Test: ncf-paper" in row[0]] == []
    assert "none of these runs was tested on it" in error_of(capsys, *args, "--protocol", "stars")


def test_read_run_takes_last_values_of_a_repeated_epoch(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a" / "1", {})
    for number, loss in ((2, 8.0), (10, 7.0)):
        rows = f"epoch,step,train/loss\n0,9,{loss}\n1,19,{loss}\n"
        (run / "select" / f"metrics-{number}.csv").write_text(rows)
    (run / "select" / "metrics.csv").write_text("epoch,step,train/loss\n1,19,6.0\n")
    assert read_run(str(run), tmp_path).epochs["train/loss"].to_dict() == {1: 7.0, 2: 6.0}


def test_compare_writes_tables_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    cells, _ = compare(capsys, "a", "b", "--runs", tmp_path, "--out", tmp_path / "x" / "ab.html")
    tables = json.loads((tmp_path / "x" / "ab.json").read_text())
    assert all([table["title"]] in cells for table in tables)
    assert tables[0]["rows"][1]["run"] == "b/1"
    difference = next(table for table in tables if table["title"].startswith("Difference"))
    assert difference["rows"][0]["verdict"] == "no difference shown"


class Page(HTMLParser):
    """Tags that are opened and closed, and all text outside of style."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def test_compare_page_is_escaped_and_fetches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = '<script>alert("1")<script>&'
    write_run(tmp_path / name / "1")
    write_run(tmp_path / "b" / "1", {0: [2.0, 3.0, 11.0]}, data__name='"><img src=x>')
    compare(capsys, name, "b", "--runs", tmp_path)
    text = (tmp_path / "compare.html").read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert name in page.text
    assert "WARNING: 2 is not comparable" in page.text
    tags = {tag for tag, _ in page.tags}
    assert {"svg", "table", "title"} <= tags
    assert not tags & {"script", "img", "link", "iframe"}
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onload"} & set(attrs)]
    assert not [word for word in ("http:", "https:", "url(", "@import") if word in text]
    lines = [attrs for tag, attrs in page.tags if tag == "path" and attrs["class"] == "line"]
    assert len(lines) == 2 * 2, "loss and validation, of two runs"
    rings = [attrs for _, attrs in page.tags if attrs.get("class") == "chosen"]
    assert len(rings) == 2
    assert "prefers-color-scheme: dark" in text
    assert "nan" not in page.text


def test_compare_page_without_curves_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "a" / "1", {})
    (run / "select" / "metrics.csv").write_text("epoch,step,lr\n0,9,0.1\n")
    compare(capsys, run, "--runs", tmp_path)
    text = (tmp_path / "compare.html").read_text()
    assert text.count("None of these runs has") == 2


def test_compare_page_of_same_runs_has_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        compare(capsys, "a", "b", "--runs", tmp_path, "--out", page)
        os.utime(tmp_path / "a" / "1" / "fit.json")
    assert pages[0].read_bytes() == pages[1].read_bytes()


def unreadable(name: str, content: str = "{") -> Callable[[Path], None]:
    """Return a function that writes a run with one damaged file."""

    def write(folder: Path) -> None:
        (write_run(folder / "x" / "1") / name).write_text(content)

    return write


def nothing(folder: Path) -> None:
    """Leave the folder without the run."""


def unfinished(folder: Path) -> None:
    (folder / "x" / "1" / "select").mkdir(parents=True)


def without_runs(folder: Path) -> None:
    (folder / "x").mkdir()


@pytest.mark.parametrize(
    ("write", "name", "message"),
    [
        pytest.param(nothing, "x", "x: no such run, expected", id="missing"),
        pytest.param(nothing, "x.zip", "first: comet upload x.zip", id="offline-archive"),
        pytest.param(unfinished, "x/1", "x/1: still training, or stopped", id="training"),
        pytest.param(without_runs, "x", "x: no finished run", id="none-finished"),
        pytest.param(unreadable("fit.json"), "x", "x: cannot be read", id="fit"),
        pytest.param(unreadable("results-next.json"), "x", "x: cannot be read", id="results"),
        pytest.param(unreadable("results-next.json", "{}"), "x", "has no metrics", id="metrics"),
        pytest.param(unreadable("test-next.parquet"), "x", "x: cannot be read", id="rows"),
        pytest.param(unreadable("select/config.yaml"), "x", "x: cannot be read", id="config"),
    ],
)
def test_compare_names_a_run_that_cannot_be_read(
    write: Callable[[Path], None],
    name: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = write_run(tmp_path / "readable" / "1")
    write(tmp_path)
    assert message in error_of(capsys, run, name, "--runs", tmp_path)
    assert not (tmp_path / "compare.html").exists()


def test_compare_without_finished_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no finished run; first:" in error_of(capsys, "--runs", tmp_path)
    assert "invalid choice" in error_of(capsys, "--protocol", "sideways")
