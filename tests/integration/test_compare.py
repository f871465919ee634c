"""`marquee compare` of a real fit, read from its folder and from Comet by Comet's own client."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import train
from marquee.data.demo_data import write_demo
from marquee.training.compare.command import main, read_run
from marquee.training.compare.runs import TRAIN_LOSS, Run
from tests.support import comet_reads
from tests.support.demo_training import FAST_RATING_MODEL, settings_args
from tests.support.paths import ROOT
from tests.support.run_folders import logged_run

KEY, RUNNING = "a" * 32, "b" * 32


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit the demo recipe for two epochs on small data; return the folder of the run."""
    root = tmp_path_factory.mktemp("fitted")
    write_demo(root / "data" / "demo", seed=1, num_users=40, num_movies=80)
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    args += ["--trainer.max_epochs=2", "--model.network.history_length=20", "--comet=off"]
    args += settings_args(FAST_RATING_MODEL)
    assert train.main(["fit", *args, "--trainer.check_val_every_n_epoch=1"]) == 0
    (run,) = (path.parent for path in root.glob("runs/demo/*/fit.json"))
    return run


@pytest.fixture
def comet(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve the fitted run, and one that is still training."""
    experiments = {KEY: logged_run(fitted), RUNNING: logged_run(fitted, running=True)}
    with comet_reads.served(experiments) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield


def error_of(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    capsys.readouterr()
    assert main([*map(str, args)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def assert_same(one: Run, other: Run) -> None:
    for name in ("label", "settings", "monitor", "facts", "selection", "results"):
        assert getattr(one, name) == getattr(other, name), name
    pd.testing.assert_frame_equal(one.epochs, other.epochs, check_names=False)
    pd.testing.assert_frame_equal(one.rows["next"], other.rows["next"])


@pytest.mark.usefixtures("comet")
def test_compare_reads_folder_and_comet_alike(
    fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = read_run(str(fitted), tmp_path)
    assert folder.epochs.index.tolist() == [1, 2]
    assert folder.epochs[[TRAIN_LOSS, "val/ndcg@10"]].notna().all(axis=None)
    addresses = [f"comet:{KEY}", f"comet:team/marquee/{KEY}"]
    for address in addresses:
        assert_same(folder, read_run(address, tmp_path))
    capsys.readouterr()
    assert main([str(fitted), *addresses, f"--out={tmp_path / 'page.html'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if "WARNING" in line]
    rows = [line for line in lines if line.strip().startswith(("2 - 1", "3 - 1"))]
    assert len(rows) == 2 * 3  # of the demo's movies any list of 50 holds most
    assert sum("hit_rate@50: n/a" in line for line in lines) == 1
    assert all("+0.0000     [+0.0000, +0.0000]  no difference shown" in row for row in rows)


def test_compare_of_folders_does_not_import_comet(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "comet_ml", None)  # an import would raise
    assert main([str(fitted), f"--out={tmp_path / 'page.html'}"]) == 0


def test_compare_refuses_comet_experiment_without_files(
    fitted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a trial of a search, whose files are not logged."""
    with comet_reads.served({KEY: logged_run(fitted) | {"assets": {}}}) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        line = error_of(capsys, f"comet:{KEY}", "--runs", tmp_path)
    assert f"comet:{KEY}: cannot be read (ValueError: the run has no config.yaml)" in line


@pytest.mark.usefixtures("comet")
@pytest.mark.parametrize(
    ("address", "api_key", "message"),
    [
        pytest.param("comet:" + "c" * 32, None, "unknown to Comet", id="unknown"),
        pytest.param("comet:team/marquee/x", None, "unknown to Comet", id="unknown-name"),
        pytest.param(f"comet:{RUNNING}", None, "still training", id="running"),
        pytest.param("comet:team/x", None, "expected comet:KEY or", id="two-parts"),
        pytest.param(f"comet:{KEY}", "x" * 25, "check COMET_API_KEY", id="wrong-key"),
        pytest.param(f"comet:{KEY}", "", "set COMET_API_KEY", id="no-key"),
    ],
)
def test_compare_names_unreadable_comet_experiment(
    address: str,
    api_key: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if api_key is not None:
        monkeypatch.setenv("COMET_API_KEY", api_key)
        monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))
    line = error_of(capsys, address, "--runs", tmp_path)
    assert address in line
    assert message in line
    assert comet_reads.API_KEY not in line


def test_compare_of_unreachable_comet_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unreachable = {"COMET_URL_OVERRIDE": "http://127.0.0.1:9/clientlib/"}
    for name, value in (comet_reads.ENVIRONMENT | unreachable).items():
        monkeypatch.setenv(name, value)
    assert "cannot be reached" in error_of(capsys, f"comet:{KEY}")
