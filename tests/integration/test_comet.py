"""Comet, with its real client: an archive, a server of our own, and servers that are away."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl

import train
from marquee.core.errors import InputError
from marquee.training import callbacks, comet
from marquee.training.comet import main as register
from marquee.training.compare.command import main as compare
from marquee.training.config import RunConfig
from tests.support import comet_server
from tests.support.demo_training import FAST_RATING_MODEL, Workspace, settings_args
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

EPOCHS = 2


def fast_args(workspace: Workspace, *more: str) -> list[str]:
    return workspace.args(*settings_args(FAST_RATING_MODEL), *more, epochs=EPOCHS)


def experiment_key(workspace: Workspace) -> str:
    return str(comet.read_record(workspace.run())["key"])


@pytest.fixture(scope="module")
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in comet_server.QUIET.items():
            patch.setenv(name, value)
        yield patch


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[comet_server.Comet]:
    with comet_server.served() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch) -> Workspace:
    """A run that was logged to an archive."""
    workspace = Workspace.with_data(tmp_path_factory.mktemp("offline"), 40, 80)
    assert train.main(["fit", *fast_args(workspace, "--comet=offline")]) == 0
    return workspace


def archive_of(workspace: Workspace) -> Path:
    return Path(comet.read_record(workspace.run())["archive"])


def upload(archive: Path) -> None:
    command = [str(Path(sys.executable).parent / "comet"), "upload", str(archive)]
    process = subprocess.run(
        command, env=dict(os.environ), capture_output=True, text=True, timeout=120
    )
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.fixture(scope="module")
def uploaded(offline: Workspace, environment: pytest.MonkeyPatch) -> comet_server.Experiment:
    """The experiment that arrives when the archive of the offline run is sent later."""
    with comet_server.served() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        upload(archive_of(offline))
        return server.arrived[experiment_key(offline)]


def last(experiment: comet_server.Experiment, name: str) -> float:
    return float(experiment.metrics[name][-1][2])


def test_params_hold_settings_data_split_and_commit(uploaded: comet_server.Experiment) -> None:
    params = uploaded.params
    assert float(params["model.learning.lr"]) == 0.004
    assert params["data.ties"] == "hash"
    assert int(params["trainer.max_epochs"]) == EPOCHS
    assert int(params["seed_everything"]) == 0
    assert len(params["data/sha256"]) == 64
    assert int(params["data/num_users"]) == 40
    assert int(params["split/test"]) == 40
    assert int(params["split/train"]) + 2 * 40 == int(params["data/num_ratings"])
    assert {"code/commit", "code/dirty", "machine/torch", "split/protocol"} <= set(params)
    assert not [name for name in params if str(ROOT) in str(params[name])], "a machine's folders"
    assert not [name for name in params if name.startswith(("network", "learning", "sizes"))]


def test_epoch_metrics_hold_loss_speed_and_memory(
    uploaded: comet_server.Experiment, offline: Workspace
) -> None:
    names = ["train/loss", "val/ndcg@10", "time/epoch_s", "speed/examples_per_s", "lr"]
    for name in [*names, "memory/peak_gb"]:
        assert [epoch for _, epoch, _ in uploaded.metrics[name]] == list(range(EPOCHS)), name
    table = pd.read_csv(offline.run() / "select" / "metrics.csv")
    for name in names:
        assert last(uploaded, name) == pytest.approx(table[name].dropna().iloc[-1], rel=1e-4)
    assert table["speed/examples_per_s"].dropna().min() > 0


def test_test_metrics_hold_intervals_and_baselines(
    uploaded: comet_server.Experiment, offline: Workspace
) -> None:
    result = json.loads((offline.root / "results" / "demo.next.json").read_text())
    for name, value in result["metrics"]["ndcg@10"].items():
        logged = "test/next/ndcg@10" + ("" if name == "mean" else f"/{name}")
        assert last(uploaded, logged) == pytest.approx(value, rel=1e-4)
    for baseline in ("ease", "popularity", "item-knn"):
        assert f"baseline/{baseline}/next/ndcg@10" in uploaded.metrics
        assert f"paired/{baseline}/next/ndcg@10/low" in uploaded.metrics
    assert last(uploaded, "cost/cpu_s") > 0


def test_assets_hold_files_lists_embedding_and_model(
    uploaded: comet_server.Experiment, offline: Workspace
) -> None:
    for name in ("config.yaml", "results-next.json", "test-next.parquet", "MODEL_CARD.md"):
        path = offline.run() / ("select" if name == "config.yaml" else "") / name
        assert uploaded.asset(name) == path.read_bytes(), name
    lists = uploaded.asset("examples.csv").decode().splitlines()
    assert len(lists) == 1 + 20
    assert lists[0].startswith("user_id,latest,place 1,")
    names = [str(each.get("fileName")) for each in uploaded.assets]
    kinds = {each.get("type") for each in uploaded.assets}
    assert {"embeddings", "histogram3d"} <= kinds, sorted(map(str, kinds))
    assert uploaded.models == {"demo"}
    assert any(name.endswith("arrays.safetensors") for name in names)
    assert uploaded.git or "code/commit" in uploaded.params


def test_run_folder_keeps_results_and_model_card(offline: Workspace) -> None:
    assert (offline.run() / "results-next.json").read_bytes() == (
        offline.root / "results" / "demo.next.json"
    ).read_bytes()
    card = (offline.run() / "MODEL_CARD.md").read_text()
    result = json.loads((offline.run() / "results-next.json").read_text())
    assert f"{result['metrics']['ndcg@10']['mean']:.4f}" in card
    assert result["data_sha256"] in card
    assert "no impressions, no watch time and no churn" in card.replace("\n  ", " ")


def test_online_run_equals_the_uploaded_archive(
    server: comet_server.Comet,
    uploaded: comet_server.Experiment,
    offline: Workspace,
    tmp_path: Path,
) -> None:
    shutil.copytree(offline.root / "data", tmp_path / "data")
    workspace = Workspace(tmp_path)
    assert train.main(["fit", *fast_args(workspace, "--comet=auto")]) == 0
    assert not list(tmp_path.glob("runs/comet/*.zip"))
    online = server.arrived[experiment_key(workspace)]
    names = {name for name in uploaded.metrics if "/" in name and not name.startswith("sys.")}
    assert names <= set(online.metrics)
    for name in names - {"time/epoch_s", "speed/examples_per_s", "memory/peak_gb"}:
        if not name.startswith("cost/"):
            assert last(online, name) == pytest.approx(last(uploaded, name), rel=1e-6), name
    assert online.params == uploaded.params
    assert online.models == uploaded.models
    files = [{each.get("fileName") for each in run.assets} for run in (online, uploaded)]
    assert {"examples.csv", "results-next.json", "MODEL_CARD.md"} <= files[0] & files[1]
    bundle = [
        f"--bundle={tmp_path / 'bundles' / 'demo'}",
        f"--runs={tmp_path / 'runs'}",
    ]
    assert register([*bundle, "--version=1.0.0", "--status=Production"]) == 0
    (registered,) = server.registered
    assert (registered["registryModelName"], registered["version"]) == ("demo", "1.0.0")


def test_register_refuses_a_bundle_that_is_not_on_the_server(
    server: comet_server.Comet, offline: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = f"--bundle={offline.root / 'bundles' / 'demo'}"
    assert register([bundle, f"--runs={offline.root / 'runs'}"]) == 2
    assert f"comet upload {archive_of(offline)}" in capsys.readouterr().err
    assert register([bundle, "--runs=nowhere"]) == 2
    assert "nowhere/demo: no run has logged this bundle" in capsys.readouterr().err
    assert not server.registered


class CtrlC(pl.Callback):
    """Stops the training in the second epoch."""

    def __init__(self, monitor: str) -> None:
        super().__init__()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_resumed_run_continues_its_experiment(
    mode: str, server: comet_server.Comet, offline: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(offline.root / "data", tmp_path / "data")
    workspace = Workspace(tmp_path)
    args = ["select", *fast_args(workspace, f"--comet={mode}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunConfig, "is_served", False)
        with pytest.MonkeyPatch.context() as stop:
            stop.setattr(callbacks, "EpochLogger", CtrlC)
            assert train.main(args) == 130
        key = experiment_key(workspace)
        assert train.main([*args, "--ckpt_path=last"]) == 0
    assert experiment_key(workspace) == key
    if mode == "offline":
        archives = sorted(tmp_path.glob("runs/comet/*.zip"), key=lambda path: path.stat().st_mtime)
        assert len(archives) == 2
        for archive in archives:
            upload(archive)
    assert list(server.arrived) == [key]
    epochs = [epoch for _, epoch, _ in server.arrived[key].metrics["val/ndcg@10"]]
    assert epochs == list(range(EPOCHS))


def test_test_verb_adds_to_the_experiment_of_the_run(offline: Workspace, tmp_path: Path) -> None:
    """Sent later, the second archive joins the experiment of the first."""
    workspace = Workspace(shutil.copytree(offline.root, tmp_path / "copy"))
    key = experiment_key(workspace)
    assert train.main(["test", *fast_args(workspace, "--comet=offline")]) == 0
    assert experiment_key(workspace) == key
    with zipfile.ZipFile(archive_of(workspace)) as archive:
        assert "test/next/ndcg@10" in archive.read("messages.json").decode()


@pytest.mark.usefixtures("no_key")
def test_auto_without_a_key_prints_one_upload_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "demo" / "1"
    run.mkdir(parents=True)
    loggers = comet.make_loggers(tmp_path, run, tmp_path / "runs", "auto")
    loggers[1].log_metrics({"val/ndcg@10": 0.25}, step=1)
    comet.close(loggers)
    output = capsys.readouterr().out
    assert output.count("comet upload") == 1
    with zipfile.ZipFile(output.split()[-1]) as zipped:
        assert "val/ndcg@10" in zipped.read("messages.json").decode()


@pytest.mark.usefixtures("no_key")
def test_refused_training_leaves_no_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "demo" / "1"
    run.mkdir(parents=True)
    loggers = comet.make_loggers(tmp_path, run, tmp_path / "runs", "auto")
    comet.close(loggers, discard=True)
    assert "comet upload" not in capsys.readouterr().out
    assert list((tmp_path / "runs" / "comet").glob("*.zip")) == []
    assert comet.read_record(run)["archive"] is None


def test_off_does_not_import_comet(tmp_path: Path) -> None:
    check = (
        "import sys; from pathlib import Path; from marquee.training import comet; "
        f"comet.make_loggers(Path({str(tmp_path)!r}), Path('x'), Path('y'), 'off'); "
        "print('comet_ml' in sys.modules)"
    )
    command = [sys.executable, "-c", check]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.stdout.strip() == "False", process.stderr


@pytest.mark.usefixtures("no_key")
def test_online_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set COMET_API_KEY"):
        comet.open_experiment(tmp_path / "demo" / "1", tmp_path, "online")


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_unknown_key_is_refused_online_and_archived_by_auto(
    mode: Any,
    server: comet_server.Comet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setenv("COMET_API_KEY", "x" * 25)
    run = tmp_path / "demo" / "1"
    run.mkdir(parents=True)
    if mode == "online":
        with pytest.raises(InputError, match="does not know the API key"):
            comet.open_experiment(run, tmp_path, mode)
        return
    comet.close([comet.open_experiment(run, tmp_path, mode)])
    assert "does not know the API key" in capsys.readouterr().out
    assert len(list(tmp_path.glob("comet/*.zip"))) == 1


def test_unreachable_server_gives_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMET_API_KEY", "k" * 25)
    monkeypatch.setenv("COMET_URL_OVERRIDE", "http://127.0.0.1:9/clientlib/")
    run = tmp_path / "demo" / "1"
    run.mkdir(parents=True)
    logger = comet.open_experiment(run, tmp_path, "online")
    logger.log_metrics({"val/ndcg@10": 0.5}, step=1)
    comet.close([logger])
    assert "cannot be reached: logging to an offline archive" in capsys.readouterr().out
    (archive,) = tmp_path.glob("comet/*.zip")
    with zipfile.ZipFile(archive) as zipped:
        assert "val/ndcg@10" in zipped.read("messages.json").decode()


def test_server_lost_in_mid_run_loses_no_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "demo" / "1"
    run.mkdir(parents=True)
    with comet_server.served() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        logger = comet.open_experiment(run, tmp_path, "online")
        logger.log_metrics({"val/ndcg@10": 0.25}, step=1)
    logger.log_metrics({"val/ndcg@10": 0.5}, step=2)
    comet.close([logger])
    assert "went away" in capsys.readouterr().out
    archive = comet.read_record(run)["archive"]
    with zipfile.ZipFile(archive) as zipped:
        assert "0.5" in zipped.read("messages.json").decode()
    with comet_server.served() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        upload(Path(archive))
        (experiment,) = server.arrived.values()
        assert last(experiment, "val/ndcg@10") == 0.5


def test_compare_of_archive_names_its_upload(
    offline: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = archive_of(offline)
    assert compare([str(archive)]) == 2
    assert f"first: comet upload {archive}" in capsys.readouterr().err
