"""Comparing runs: read alike from three homes, paired by person, refused where it would mislead."""

import io
import json
import math
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import train
from marquee.core.bootstrap import summarise
from marquee.core.nested_dicts import flatten
from marquee.core.svg_charts import linear_axis
from marquee.data.demo_data import write_demo
from marquee.evaluation.results import write_ranks
from marquee.training.compare import paired_bootstrap
from marquee.training.compare.command import main as compare_main
from marquee.training.compare.run_types import Run
from marquee.training.compare.runs import newest_runs, read_run
from tests.support import comet_reads
from tests.support.paths import ROOT

SECOND = 1 / math.log2(3)
"""What the second place earns in ndcg."""
KEY, RUNNING = "a" * 32, "b" * 32
CONFIG = {
    "seed_everything": 0,
    "data": {"name": "demo", "protocol": "next", "ties": "hash", "split_seed": 0},
    "model": {"learning": {"lr": 0.01}, "network": {"features": ["genres"]}},
    "trainer": {"max_epochs": 3},
    "seeds": [0],
    "runs": "runs",
}


def write_run(
    folder: Path,
    ranks: dict[int, list[float]] | None = None,
    *,
    users: list[int] | None = None,
    sha256: str = "5a" * 32,
    **changed: Any,
) -> Path:
    """A run by hand: three epochs, the second selected, and the ranks of its test persons. changed:
    settings, `data__ties="file"`. ranks {}: selected and not tested."""
    ranks = {0: [1.0, 2.0, 11.0]} if ranks is None else ranks
    config = json.loads(json.dumps(CONFIG))
    for path, value in changed.items():
        room, _, name = path.rpartition("__")
        (config[room] if room else config)[name] = value
    select = folder / "select"
    select.mkdir(parents=True)
    (select / "config.yaml").write_text(yaml.safe_dump(config))
    curve = [{"epoch": 1, "val/ndcg@10": 0.1}, {"epoch": 2, "val/ndcg@10": 0.3}]
    curve = [row | {"wall_s": row["epoch"], "cpu_s": row["epoch"] / 2} for row in curve]
    (select / "curve.json").write_text(json.dumps(curve))
    (select / "cost.json").write_text('{"wall_s": 20, "cpu_s": 10}')
    (select / "metrics.csv").write_text(
        "epoch,step,train/loss,val/ndcg@10,memory/peak_gb,speed/examples_per_s\n"
        "0,9,3.5,,,\n0,9,,0.1,1.5,100\n1,19,2.5,,,\n1,19,,0.3,1.25,300\n2,29,2.25,0.2,1.25,200\n"
    )
    fit = {"commit": "c0ffee1234-dirty", "epochs": 2, "validation": {"val/ndcg@10": 0.3}}
    (folder / "fit.json").write_text(json.dumps(fit))
    if ranks:
        protocol = config["data"]["protocol"]
        user = np.array(users or range(len(ranks[0])))
        rows = {seed: np.array(each) for seed, each in ranks.items()}
        write_ranks(folder / f"test-{protocol}.parquet", user, user + 50, rows)
        test_rows = pd.read_parquet(folder / f"test-{protocol}.parquet")
        table = paired_bootstrap.user_metrics(test_rows, protocol)
        result = {
            "commit": fit["commit"],
            "data_sha256": sha256,
            "seeds": list(ranks),
            "num_users": len(user),
            "selection": {"epochs": 2, "val/ndcg@10": 0.3, "curve": curve},
            "metrics": summarise({str(name): table[name] for name in table}, draws=20),
            "per_seed": [
                paired_bootstrap.mean_metrics(one, protocol) for _, one in test_rows.groupby("seed")
            ],
            "wall_s": 20.0,
            "cpu_s": 10.0,
        }
        (folder / f"results-{protocol}.json").write_text(json.dumps(result))
    return folder


def log_of(run: Path) -> tuple[dict[str, Any], list[tuple[str, int, float]], dict[str, bytes]]:
    """What is logged of a run folder: parameters, metrics by epoch, assets."""
    params = flatten(yaml.safe_load((run / "select" / "config.yaml").read_text()))
    params |= {"code/commit": json.loads((run / "fit.json").read_text())["commit"]}
    metrics = [
        (str(name), int(row["epoch"]), value)
        for row in pd.read_csv(run / "select" / "metrics.csv")
        .dropna(subset="epoch")
        .to_dict("records")
        for name, value in row.items()
        if name not in ("epoch", "step") and pd.notna(value)
    ]
    paths = [run / "select" / "config.yaml", *run.glob("results-*"), *run.glob("test-*.parquet")]
    return params, metrics, {path.name: path.read_bytes() for path in paths}


def write_archive(run: Path, folder: Path) -> Path:
    """A run folder logged by Comet's real client, offline."""
    import comet_ml

    quiet = ("log_code", "log_graph", "log_env_details", "log_git_metadata", "log_git_patch")
    experiment = comet_ml.OfflineExperiment(
        offline_directory=str(folder),
        parse_args=False,
        display_summary_level=0,
        **dict.fromkeys(quiet, False),
    )
    experiment.set_name(f"{run.parent.name}/{run.name}")
    params, metrics, assets = log_of(run)
    experiment.log_parameters(params)
    for name, epoch, value in metrics:
        experiment.log_metric(name, value, epoch=epoch)
    experiment.log_metric("confusion", "not a number")
    for name, content in assets.items():
        experiment.log_asset(io.BytesIO(content), file_name=name)
    experiment.end()
    return next(folder.glob("*.zip"))


def stored(run: Path, **more: Any) -> dict[str, Any]:
    """A run folder as Comet's server has it: every value as text."""
    params, metrics, assets = log_of(run)
    points = [
        {"metricName": name, "metricValue": str(value), "epoch": epoch, "timestamp": number}
        for number, (name, epoch, value) in enumerate(metrics)
    ]
    name = f"{run.parent.name}/{run.name}"
    return {"name": name, "params": params, "metrics": points, "assets": assets, **more}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real fit of the demo recipe, two epochs on small data; its results and rows beside it."""
    root = tmp_path_factory.mktemp("fitted")
    write_demo(root / "data" / "demo", seed=1, num_users=40, num_movies=80)
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    args += ["--trainer.max_epochs=2", "--model.network.history_length=20", "--comet=off"]
    assert train.main(["fit", *args, "--trainer.check_val_every_n_epoch=1"]) == 0
    (run,) = (path.parent for path in root.glob("runs/demo/*/fit.json"))
    shutil.copy(root / "results" / "demo.next.json", run / "results-next.json")
    shutil.copy(next(root.glob("runs/demo/**/test-next.parquet")), run / "test-next.parquet.new")
    (run / "test-next.parquet.new").replace(run / "test-next.parquet")
    return run


@pytest.fixture
def comet(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server with the fitted run, and one that is still training."""
    there = {KEY: stored(fitted), RUNNING: stored(fitted, running=True)}
    with comet_reads.served(there) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield


def compared(
    capsys: pytest.CaptureFixture[str], *args: str | Path
) -> tuple[list[list[str]], list[str]]:
    """The cells of every line that was printed, and the warnings."""
    capsys.readouterr()
    assert compare_main([*map(str, args)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in line.split("  ") if cell] for line in lines]
    return cells, [line for line in lines if line.startswith("WARNING")]


def refused(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    capsys.readouterr()
    assert compare_main([*map(str, args)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def same(one: Run, other: Run) -> None:
    assert one.label == other.label
    assert one.settings == other.settings
    assert one.facts == other.facts
    assert (one.epochs, one.curve) == (other.epochs, other.curve)
    assert (one.selection, one.cost, one.seeds) == (other.selection, other.cost, other.seeds)
    assert one.results == other.results
    pd.testing.assert_frame_equal(one.rows["next"], other.rows["next"])


@pytest.mark.usefixtures("comet")
def test_a_run_is_the_same_from_its_folder_its_archive_and_the_server(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_archive(fitted, tmp_path)
    folder = read_run(str(fitted), tmp_path)
    assert len(folder.epochs) == 2
    assert {"train/loss", "val/ndcg@10"} <= set(folder.epochs[0])
    assert len(folder.curve) == 2
    homes = [str(archive), f"comet:{KEY}", f"comet:team/marquee/{KEY}"]
    for given in homes:
        same(folder, read_run(given, tmp_path))
    cells, warnings = compared(capsys, fitted, *homes, "--out", tmp_path / "page.html")
    assert not warnings
    rows = [row for row in cells if row and row[0] in ("2 - 1", "3 - 1", "4 - 1")]
    assert len(rows) == 3 * 4
    assert {tuple(row[2:]) for row in rows} == {
        ("+0.0000", "[+0.0000, +0.0000]", "no difference shown")
    }


def test_without_a_run_of_comet_its_client_is_not_imported(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(fitted, tmp_path)
    monkeypatch.setitem(sys.modules, "comet_ml", None)  # an import would raise
    out = f"--out={tmp_path / 'page.html'}"
    assert compare_main([str(fitted), str(archive), out]) == 0


def test_the_difference_is_of_the_same_person_and_seeds_are_averaged_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Persons have rank 1 in the first run; in the second the first two drop to 2 in one seed of
    two, so that each loses half of what the second place costs."""
    write_run(tmp_path / "a" / "1", {0: [1.0, 1.0, 1.0, 1.0]})
    write_run(tmp_path / "b" / "1", {0: [2.0, 2.0, 1.0, 1.0], 1: [1.0, 1.0, 1.0, 1.0]})
    cells, _ = compared(capsys, "a", "b", "--runs", tmp_path)
    (row,) = [row for row in cells if row[:2] == ["2 - 1", "ndcg@10"]]
    assert row[2] == f"{(SECOND - 1) / 4:+.4f}"
    assert row[4] == "no difference shown", "a draw may hold the two others alone"
    (seeds,) = [row for row in cells if row and row[0] == "seeds"]
    assert seeds[2] == f"{(1 + SECOND) / 2:.4f} to 1.0000", "of the run that has several"


@pytest.mark.parametrize(
    ("name", "low", "high", "said"),
    [
        pytest.param("ndcg@10", 0.01, 0.02, "better", id="above"),
        pytest.param("ndcg@10", -0.02, -0.01, "worse", id="below"),
        pytest.param("ndcg@10", -0.01, 0.02, "no difference shown", id="holds-0"),
        pytest.param("ndcg@10", 0.0, 0.02, "no difference shown", id="touches-0"),
        pytest.param("rmse", -0.02, -0.01, "better", id="fewer-errors"),
        pytest.param("rmse", 0.01, 0.02, "worse", id="more-errors"),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side(
    name: str, low: float, high: float, said: str
) -> None:
    assert paired_bootstrap.verdict(name, {"low": low, "high": high}) == said


def test_a_person_of_several_movies_counts_once() -> None:
    """new-users: ranks 1 and 30 of the first person, 1 of the second: recall@20 of 1/2 and 1."""
    rows = pd.DataFrame({"user_id": [7, 7, 9], "movie_id": [1, 2, 1], "rank": [30.0, 1.0, 1.0]})
    found = paired_bootstrap.user_metrics(rows.assign(seed=0), "new-users")
    assert found["recall@20"].to_dict() == {7: 0.5, 9: 1.0}


def test_stars_are_paired_whatever_the_order_of_the_rows() -> None:
    """Ours is off by 1 star and 0, theirs by 2 and 0: no draw of persons favours theirs."""
    rows = pd.DataFrame({"user_id": [1, 2], "movie_id": [5, 5], "stars": [4.0, 3.0], "seed": 0})
    rest = {"p_like": [0.9, 0.1], "place": [0.5, 0.5], "support": [3, 3], "rater": [3, 3]}
    ours = rows.assign(predicted=[5.0, 3.0], **rest)
    theirs = rows.assign(predicted=[2.0, 3.0], **rest)
    found = paired_bootstrap.paired_difference(ours, theirs.iloc[::-1], "stars")["mae"]
    assert (found["diff"], found["low"], found["high"]) == (-0.5, -1.0, 0.0)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"sha256": "0f" * 32}, "another data fingerprint", id="fingerprint"),
        pytest.param({"data__name": "ml-1m"}, "another data set", id="data"),
        pytest.param({"data__ties": "file"}, "other ties", id="ties"),
        pytest.param({"data__split_seed": 1}, "another split", id="split"),
        pytest.param({"data__protocol": "time"}, "another protocol", id="protocol"),
        pytest.param({"users": [0, 1, 3]}, "other test users", id="persons"),
    ],
)
def test_runs_that_answer_other_questions_get_a_warning_and_no_difference(
    changed: dict[str, Any], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    write_run(tmp_path / "b" / "1", **changed)
    write_run(tmp_path / "c" / "1")
    cells, warnings = compared(capsys, "a", "b", "c", "--runs", tmp_path)
    (warning,) = warnings
    assert why in warning
    assert " 2 " in warning
    assert {row[0] for row in cells if row and " - " in row[0]} == {"3 - 1"}


def test_rows_of_another_test_than_the_results_are_not_paired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    rows = tmp_path / "b" / "1" / "test-next.parquet"
    pd.read_parquet(rows).assign(rank=1.0).to_parquet(rows)
    cells, (warning,) = compared(capsys, "a", "b", "--runs", tmp_path)
    assert "test rows of 2 are not those of its next results" in warning
    assert not [row for row in cells if row and row[0] == "2 - 1"]


def test_what_was_only_selected_is_compared_on_validation_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    write_run(tmp_path / "b" / "1", {})
    cells, warnings = compared(capsys, "a", "b", "--runs", tmp_path)
    assert not warnings
    (said,) = next(row for row in cells if row and row[0].startswith("2 was selected"))
    assert "validation alone" in said
    chosen = [row for row in cells if "2 of 3" in row]
    assert [row[1:] for row in chosen] == [
        ["2 of 3", "val/ndcg@10 0.3000", "20", "10", "1.50", "200"]
    ] * 2
    assert ["2", *["not tested"] * 4] in cells


def test_only_what_differs_is_listed_and_a_missing_setting_is_a_dash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "a" / "1")
    changed = {"runs": "elsewhere", "data__horizon": 3, "seed_everything": 1}
    write_run(tmp_path / "b" / "1", sha256="0f" * 32, **changed)
    cells, _ = compared(capsys, "a", "b", "--runs", tmp_path)
    start = cells.index(["setting", "1", "2"])
    assert cells[start + 1 : cells.index([], start)] == [
        ["data.horizon", "-", "3"],
        ["seed_everything", "0", "1"],
        ["data/sha256", "5a" * 6, "0f" * 6],
    ]


def test_older_run_names_its_users_persons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "a" / "1")
    path = run / "results-next.json"
    result = json.loads(path.read_text())
    result["num_persons"] = result.pop("num_users")
    path.write_text(json.dumps(result))
    assert ["Test: next, 3 users"] in compared(capsys, run)[0]


def test_the_baseline_is_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        write_run(tmp_path / name / "1")
    cells, _ = compared(capsys, "a", "b", "--baseline", "c", "--runs", tmp_path)
    labels = [row[1] for row in cells if len(row) > 2 and row[2] == "folder"]
    assert labels == ["c/1", "a/1", "b/1"]


def test_without_a_name_the_newest_ten_are_compared_oldest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        write_run(tmp_path / "ba"[number % 2] / f"20261123-{number:06}")
    (tmp_path / "a" / "20261124-000000" / "select").mkdir(parents=True)  # still training
    cells, _ = compared(capsys, "--runs", tmp_path)
    assert "10 newest" in cells[0][0]
    dates = [row[1].split("/")[1] for row in cells if len(row) > 2 and row[2] == "folder"]
    assert dates == [f"20261123-{number:06}" for number in range(2, 12)]
    assert read_run("a", tmp_path).label == "a/20261123-000011", "newest finished one"
    assert (tmp_path / "compare.html").is_file()
    assert newest_runs(tmp_path, 1) == [str(tmp_path / "a" / "20261123-000011")]


def test_the_protocol_asked_for_is_shown_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "a" / "1")
    for name in ("results-{}.json", "test-{}.parquet"):
        shutil.copy(run / name.format("next"), run / name.format("ncf-paper"))
    titles = [row[0] for row in compared(capsys, run)[0] if row and row[0].startswith("Test: ")]
    assert titles == ["Test: next, 3 users", "Test: ncf-paper, 3 users"]
    cells, _ = compared(capsys, run, "--protocol", "next")
    assert [row for row in cells if row and "Test: ncf-paper" in row[0]] == []
    assert "none of these runs was tested on it" in refused(capsys, run, "--protocol", "stars")


def test_what_was_trained_again_after_a_stop_counts_as_it_was_the_last_time(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a" / "1", {})
    for number, loss in ((2, 8.0), (10, 7.0)):
        rows = f"epoch,step,train/loss\n0,9,{loss}\n1,19,{loss}\n"
        (run / "select" / f"metrics-{number}.csv").write_text(rows)
    (run / "select" / "metrics.csv").write_text("epoch,step,train/loss\n1,19,6.0\n")
    assert [row["train/loss"] for row in read_run(str(run), tmp_path).epochs] == [7.0, 6.0]


def test_archives_of_one_experiment_are_one_run(tmp_path: Path) -> None:
    """The second holds the end of it; the third has a like name, and is of another."""
    parts = {
        f"{KEY}.zip": (KEY, 1, {"train/loss": 3.0, "val/ndcg@10": 0.1}),
        f"{KEY}-x.zip": (KEY, 2, {"train/loss": 2.0, "val/ndcg@10": 0.2}),
        f"{RUNNING}.zip": (RUNNING, 3, {"train/loss": 1.0}),
    }
    for name, (key, start, metrics) in parts.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            told = {"offline_id": key, "start_time": start}
            archive.writestr("experiment.json", json.dumps(told))
            lines = [
                {"metric": {"metricName": each, "metricValue": value, "epoch": start - 1}}
                for each, value in metrics.items()
            ]
            messages = [{"type": "metric_msg", "payload": each} for each in lines]
            archive.writestr("messages.json", "\n".join(map(json.dumps, messages)))
    for name in list(parts)[:2]:
        run = read_run(str(tmp_path / name), tmp_path)
        assert [row["train/loss"] for row in run.epochs] == [3.0, 2.0]
        assert run.selection == {"epochs": 2, "val/ndcg@10": 0.2}, "the best epoch, as none is told"


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


def test_the_page_is_whole_escaped_and_fetches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = '<script>alert("1")</script>&'.replace("/", "")
    write_run(tmp_path / name / "1")
    write_run(tmp_path / "b" / "1", {0: [2.0, 3.0, 11.0]}, data__name='"><img src=x>')
    compared(capsys, name, "b", "--runs", tmp_path)
    text = (tmp_path / "compare.html").read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert name in page.text
    assert "WARNING: 2 is not comparable" in page.text
    tags = {tag for tag, _ in page.tags}
    assert {"svg", "table", "title", "details"} <= tags
    assert not tags & {"script", "img", "link", "iframe"}
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onload"} & set(attrs)]
    assert not [each for each in ("http:", "https:", "url(", "@import") if each in text]
    lines = [attrs for tag, attrs in page.tags if tag == "path" and attrs["class"] == "line"]
    assert len(lines) == 3 * 2, "loss, validation by epoch and by cost, of two runs"
    rings = [attrs for _, attrs in page.tags if attrs.get("class") == "chosen"]
    assert len(rings) == 2 * 2
    assert "prefers-color-scheme: dark" in text


def test_the_same_runs_give_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        write_run(tmp_path / name / "1")
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    for page in pages:
        compared(capsys, "a", "b", "--runs", tmp_path, "--out", page)
        os.utime(tmp_path / "a" / "1" / "fit.json")
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_ticks_are_round_and_epochs_whole() -> None:
    axis = linear_axis([1, 2, 3], 0, 100, integers=True)
    assert [axis.label(tick) for tick in axis.ticks] == ["1", "2", "3"]
    axis = linear_axis([0.05, 0.1], 0, 100)
    assert [axis.label(tick) for tick in axis.ticks] == [
        *("0.05", "0.06", "0.07", "0.08", "0.09", "0.10")
    ]
    axis = linear_axis([2.0, 2.0], 0, 100)
    assert axis.at(2.0) == 50, "a flat line lies in the middle"


def damaged_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("experiment.json", "{")
        archive.writestr("messages.json", "{}")


def cut_zip(folder: Path) -> None:
    damaged_zip(folder)
    content = (folder / "x.zip").read_bytes()
    (folder / "x.zip").write_bytes(content[: len(content) // 2])


def other_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("letter.txt", "Dear all")


def broken(name: str, content: str = "{") -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (write_run(folder / "x" / "1") / name).write_text(content)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "given", "said"),
    [
        pytest.param(lambda folder: None, "x", "x: no such run, expected", id="nothing-there"),
        pytest.param(cut_zip, "x.zip", "x.zip: damaged", id="cut-zip"),
        pytest.param(damaged_zip, "x.zip", "x.zip: damaged", id="damaged-zip"),
        pytest.param(
            other_zip,
            "x.zip",
            "x.zip: a zip without experiment.json and messages.json",
            id="other-zip",
        ),
        pytest.param(
            lambda folder: (folder / "x" / "1" / "select").mkdir(parents=True),
            "x/1",
            "x/1: still training, or stopped",
            id="training",
        ),
        pytest.param(
            lambda folder: (folder / "x").mkdir(),
            "x",
            "x: no finished run",
            id="none-finished",
        ),
        pytest.param(broken("fit.json"), "x", "x: cannot be read", id="fit"),
        pytest.param(broken("results-next.json"), "x", "x: cannot be read", id="results"),
        pytest.param(broken("results-next.json", "{}"), "x", "has no metrics", id="no-figures"),
        pytest.param(broken("test-next.parquet"), "x", "x: cannot be read", id="rows"),
        pytest.param(broken("select/config.yaml"), "x", "x: cannot be read", id="config"),
    ],
)
def test_a_run_that_cannot_be_read_is_named(
    spoil: Callable[[Path], Any],
    given: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = write_run(tmp_path / "good" / "1")
    spoil(tmp_path)
    assert said in refused(capsys, good, given, "--runs", tmp_path)
    assert not (tmp_path / "compare.html").exists()


@pytest.mark.usefixtures("comet")
@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        pytest.param("comet:" + "c" * 32, None, "unknown to Comet", id="unknown"),
        pytest.param("comet:team/marquee/x", None, "unknown to Comet", id="unknown-name"),
        pytest.param(f"comet:{RUNNING}", None, "still training", id="running"),
        pytest.param("comet:team/x", None, "expected comet:KEY or", id="half-a-place"),
        pytest.param(f"comet:{KEY}", "x" * 25, "check COMET_API_KEY", id="wrong-key"),
        pytest.param(f"comet:{KEY}", "", "set COMET_API_KEY", id="no-key"),
    ],
)
def test_what_comet_cannot_give_is_named(
    given: str,
    key: str | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if key is not None:
        monkeypatch.setenv("COMET_API_KEY", key)
        monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))
    line = refused(capsys, given, "--runs", tmp_path)
    assert given in line
    assert said in line
    assert comet_reads.API_KEY not in line


def test_a_server_that_is_away_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = {"COMET_API_KEY": "k" * 25, "COMET_URL_OVERRIDE": "http://127.0.0.1:9/clientlib/"}
    for name, value in (comet_reads.QUIET | away).items():
        monkeypatch.setenv(name, value)
    assert "cannot be reached" in refused(capsys, f"comet:{KEY}")


def test_no_finished_run_at_all_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no finished run; first:" in refused(capsys, "--runs", tmp_path)
    assert "invalid choice" in refused(capsys, "--protocol", "sideways")
