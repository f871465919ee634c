"""Comet, with its real client: an archive, a server of our own, and servers that are away."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import pytorch_lightning as pl

import train
from marquee.core.errors import InputError
from marquee.data.demo_data import write_demo
from marquee.training import comet, pipeline
from marquee.training import trainer as trainer_module
from marquee.training.callbacks import EpochLogger
from marquee.training.compare import runs
from marquee.training.register import main as register
from tests.support import comet_server
from tests.support.paths import ROOT

EPOCHS = 2


class Place(NamedTuple):
    root: Path

    def args(self, *more: str) -> list[str]:
        folders = {name: self.root / name for name in ("runs", "bundles", "results")}
        given = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={self.root / 'data'}"]
        given += [f"--{name}={path}" for name, path in folders.items()]
        given += [f"--trainer.max_epochs={EPOCHS}", "--trainer.check_val_every_n_epoch=1"]
        small = ["--model.network.history_length=20", "--stars.burn_in=2", "--stars.num_draws=2"]
        return [*given, *small, *more]

    @property
    def run(self) -> Path:
        (run,) = (path for path in (self.root / "runs" / "demo").glob("*/"))
        return run

    @property
    def key(self) -> str:
        return str(comet.read_record(self.run)["key"])


def made(root: Path) -> Place:
    write_demo(root / "data" / "demo", seed=1, num_users=40, num_movies=80)
    return Place(root)


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
def offline(tmp_path_factory: pytest.TempPathFactory, environment: pytest.MonkeyPatch) -> Place:
    place = made(tmp_path_factory.mktemp("offline"))
    assert train.main(["fit", *place.args("--comet=offline")]) == 0
    return place


def archive_of(place: Place) -> Path:
    return Path(comet.read_record(place.run)["archive"])


def upload(archive: Path) -> None:
    command = [str(Path(sys.executable).parent / "comet"), "upload", str(archive)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def uploaded(offline: Place, environment: pytest.MonkeyPatch) -> comet_server.Experiment:
    """What arrives when the archive of the offline run is sent later."""
    with comet_server.served() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        upload(archive_of(offline))
        return server.arrived[offline.key]


def last(experiment: comet_server.Experiment, name: str) -> float:
    return float(experiment.metrics[name][-1][2])


def test_settings_and_facts_are_logged_by_their_names(uploaded: comet_server.Experiment) -> None:
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


def test_every_epoch_is_logged_with_what_it_cost(
    uploaded: comet_server.Experiment, offline: Place
) -> None:
    names = ["train/loss", "val/ndcg@10", "time/epoch_s", "speed/examples_per_s", "lr"]
    for name in [*names, "memory/peak_gb"]:
        assert [epoch for _, epoch, _ in uploaded.metrics[name]] == list(range(EPOCHS)), name
    table = pd.read_csv(offline.run / "select" / "metrics.csv")
    for name in names:
        assert last(uploaded, name) == pytest.approx(table[name].dropna().iloc[-1], rel=1e-4)
    assert table["speed/examples_per_s"].dropna().min() > 0


def test_figures_of_the_test_part_have_bounds_and_baselines(
    uploaded: comet_server.Experiment, offline: Place
) -> None:
    result = json.loads((offline.root / "results" / "demo.next.json").read_text())
    for name, value in result["metrics"]["ndcg@10"].items():
        logged = "test/next/ndcg@10" + ("" if name == "mean" else f"/{name}")
        assert last(uploaded, logged) == pytest.approx(value, rel=1e-4)
    for rival in ("ease", "popularity", "item-knn"):
        assert f"baseline/{rival}/next/ndcg@10" in uploaded.metrics
        assert f"paired/{rival}/next/ndcg@10/low" in uploaded.metrics
    assert last(uploaded, "cost/cpu_s") > 0


def test_files_lists_projection_and_model_are_logged(
    uploaded: comet_server.Experiment, offline: Place
) -> None:
    for name in ("config.yaml", "results-next.json", "test-next.parquet", "MODEL_CARD.md"):
        place = offline.run / ("select" if name == "config.yaml" else "") / name
        assert uploaded.asset(name) == place.read_bytes(), name
    lists = uploaded.asset("examples.csv").decode().splitlines()
    assert len(lists) == 1 + 20
    assert lists[0].startswith("user_id,latest,place 1,")
    names = [str(each.get("fileName")) for each in uploaded.assets]
    kinds = {each.get("type") for each in uploaded.assets}
    assert {"embeddings", "histogram3d"} <= kinds, sorted(map(str, kinds))
    assert uploaded.models == {"demo"}
    assert any(name.endswith("arrays.safetensors") for name in names)
    assert uploaded.git or "code/commit" in uploaded.params


def test_the_run_keeps_what_the_next_one_would_overwrite(offline: Place) -> None:
    assert (offline.run / "results-next.json").read_bytes() == (
        offline.root / "results" / "demo.next.json"
    ).read_bytes()
    card = (offline.run / "MODEL_CARD.md").read_text()
    result = json.loads((offline.run / "results-next.json").read_text())
    assert f"{result['metrics']['ndcg@10']['mean']:.4f}" in card
    assert result["data_sha256"] in card
    assert "no impressions, no watch time and no churn" in card.replace("\n  ", " ")


def test_online_and_uploaded_runs_say_the_same(
    server: comet_server.Comet, uploaded: comet_server.Experiment, offline: Place, tmp_path: Path
) -> None:
    shutil.copytree(offline.root / "data", tmp_path / "data")
    place = Place(tmp_path)
    assert train.main(["fit", *place.args("--comet=auto")]) == 0
    assert not list(tmp_path.glob("runs/comet/*.zip"))
    online = server.arrived[place.key]
    ours = {name for name in uploaded.metrics if "/" in name and not name.startswith("sys.")}
    assert ours <= set(online.metrics)
    for name in ours - {"time/epoch_s", "speed/examples_per_s", "memory/peak_gb"}:
        if not name.startswith("cost/"):
            assert last(online, name) == pytest.approx(last(uploaded, name), rel=1e-6), name
    assert online.params == uploaded.params
    assert online.models == uploaded.models
    named = [{each.get("fileName") for each in one.assets} for one in (online, uploaded)]
    assert {"examples.csv", "results-next.json", "MODEL_CARD.md"} <= named[0] & named[1]
    bundle = [
        f"--bundle={tmp_path / 'bundles' / 'demo'}",
        f"--runs={tmp_path / 'runs'}",
    ]
    assert register([*bundle, "--version=1.0.0", "--status=Production"]) == 0
    (registered,) = server.registered
    assert (registered["registryModelName"], registered["version"]) == ("demo", "1.0.0")


def test_a_bundle_that_was_never_logged_or_sent_is_not_registered(
    server: comet_server.Comet, offline: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = f"--bundle={offline.root / 'bundles' / 'demo'}"
    assert register([bundle, f"--runs={offline.root / 'runs'}"]) == 2
    assert f"comet upload {archive_of(offline)}" in capsys.readouterr().err
    assert register([bundle, "--runs=nowhere"]) == 2
    assert "nowhere/demo: no run has logged this bundle" in capsys.readouterr().err
    assert not server.registered


class Stop(EpochLogger):
    """Ctrl-C in the second epoch."""

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_resumed_run_continues_its_experiment(
    mode: str, server: comet_server.Comet, offline: Place, tmp_path: Path
) -> None:
    shutil.copytree(offline.root / "data", tmp_path / "data")
    place = Place(tmp_path)
    args = ["select", *place.args(f"--comet={mode}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "is_served", lambda config: False)
        with pytest.MonkeyPatch.context() as stopped:
            stopped.setattr(trainer_module, "EpochLogger", Stop)
            assert train.main(args) == 130
        key = place.key
        assert train.main([*args, "--ckpt_path=last"]) == 0
    assert place.key == key
    if mode == "offline":
        archives = sorted(tmp_path.glob("runs/comet/*.zip"), key=lambda path: path.stat().st_mtime)
        assert len(archives) == 2
        for archive in archives:
            upload(archive)
    assert list(server.arrived) == [key]
    epochs = [epoch for _, epoch, _ in server.arrived[key].metrics["val/ndcg@10"]]
    assert epochs == list(range(EPOCHS))


@pytest.mark.usefixtures("no_key")
def test_auto_without_a_key_says_once_how_to_send_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "demo" / "1"
    run.mkdir(parents=True)
    loggers = comet.make_loggers(tmp_path, run, tmp_path / "runs", "auto")
    loggers[1].log_metrics({"val/ndcg@10": 0.25}, step=1)
    comet.close(loggers)
    said = capsys.readouterr().out
    assert said.count("comet upload") == 1
    with zipfile.ZipFile(said.split()[-1]) as zipped:
        assert "val/ndcg@10" in zipped.read("messages.json").decode()


def test_off_does_not_even_import_comet(tmp_path: Path) -> None:
    check = (
        "import sys; from pathlib import Path; from marquee.training import comet; "
        f"comet.make_loggers(Path({str(tmp_path)!r}), Path('x'), Path('y'), 'off'); "
        "print('comet_ml' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.usefixtures("no_key")
def test_online_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set COMET_API_KEY"):
        comet.open_experiment(tmp_path / "demo" / "1", tmp_path, "online")


@pytest.mark.parametrize("mode", ["auto", "online"])
def test_a_key_that_comet_does_not_know(
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


def test_a_server_that_is_away_gives_the_archive(
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


def test_a_server_that_goes_away_in_mid_run_costs_no_number(
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
    said = capsys.readouterr().out
    assert "went away" in said
    archive = comet.read_record(run)["archive"]
    with zipfile.ZipFile(archive) as zipped:
        assert "0.5" in zipped.read("messages.json").decode()
    with comet_server.served() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        upload(Path(archive))
        (one,) = server.arrived.values()
        assert last(one, "val/ndcg@10") == 0.5


def test_a_run_and_its_own_archive_compare_as_the_same(offline: Place) -> None:
    here, sent = (
        runs.read_run(str(path), offline.root) for path in (offline.run, archive_of(offline))
    )
    assert sent.source == "archive"
    assert sent.results == here.results
    assert {**sent.settings} == {**here.settings}
    assert sent.facts == here.facts
    assert len(sent.rows["next"]) == 40
