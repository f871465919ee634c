"""A training stopped at any step and gone on with ends bit for bit as one that never stopped."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

import train
from marquee.data.demo_data import write_demo
from marquee.training import pipeline, trainer
from marquee.training.callbacks import EpochLogger
from marquee.training.export import deferred_signals
from tests.support.paths import ROOT

STEPS_AN_EPOCH, EPOCHS = 4, 3


class Killed(BaseException):
    """What a SIGKILL does in one process: nobody gets to save anything."""


def killed() -> None:
    raise Killed


def signalled(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


class Bomb(Callback):
    """Goes off once: in the step with this number of the whole training, or in a validation."""

    def __init__(self, strike: Callable[[], None], step: int | None, epoch: int | None) -> None:
        self.strike, self.step, self.epoch = strike, step, epoch

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            self.strike()

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            self.strike()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=40, num_movies=80)
    return root


def args(data: Path, place: Path, *more: str, name: str = "demo") -> list[str]:
    given = [f"--config={ROOT / 'recipes' / f'{name}.yaml'}", f"--data.root={data}", "--comet=off"]
    given += [f"--{name}={place / name}" for name in ("runs", "bundles", "results")]
    given += [f"--trainer.max_epochs={EPOCHS}", "--trainer.check_val_every_n_epoch=1"]
    small = ["--model.network.history_length=20", "--model.network.embedding_dim=16"]
    return [*given, *small, "--checkpoints.every_steps=2", *more]


HISTORY = ["--data.targets_per_batch=300"]
CLASSIC = ["--data.name=demo", "--data.ties=hash", "--data.sha256=null", "--protocols=[next]"]
CLASSIC += ["--data.select_on=next", "--data.targets_per_batch=2000"]


def select(data: Path, place: Path, *more: str, bomb: Bomb | None = None, user: str) -> int:
    own, name = (HISTORY, "demo") if user == "history" else (CLASSIC, "ncf-classic-ml-1m")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            pipeline, "is_served", lambda config: False
        )  # a bundle takes longer than this
        if bomb:
            patch.setattr(trainer, "EpochLogger", lambda monitor: Both(monitor, bomb))
        try:
            return train.main(["select", *args(data, place, *own, *more, name=name)])
        except Killed:
            return -signal.SIGKILL


class Both(EpochLogger):
    """The lines of a training, and a bomb among them."""

    def __init__(self, monitor: str, bomb: Bomb) -> None:
        super().__init__(monitor)
        self.on_before_optimizer_step = bomb.on_before_optimizer_step  # type: ignore[method-assign]
        self.on_validation_batch_end = bomb.on_validation_batch_end  # type: ignore[method-assign]


def state(place: Path) -> dict[str, Any]:
    """All that a selection leaves which does not hang on the clock."""
    (run,) = (path for path in place.glob("runs/*/*") if path.is_dir())
    last, best = (
        torch.load(run / "select" / f"{name}.ckpt", weights_only=False) for name in ("last", "best")
    )
    chosen = json.loads((run / "fit.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    return {
        "weights": last["state_dict"],
        "best": best["state_dict"],
        "optimizer": last["optimizer_states"],
        "rng": last["callbacks"]["CheckpointSaver"]["rng"],
        "step": last["global_step"],
        "chosen": (chosen["epochs"], chosen["validation"]),
        "curve": [{key: row[key] for key in row if "_s" not in key} for row in curve],
    }


def assert_same(found: Any, wanted: Any, where: str = "") -> None:
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), where
        for key in wanted:
            assert_same(found[key], wanted[key], f"{where}/{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_same(a, b, f"{where}/{number}")
    elif isinstance(wanted, torch.Tensor):
        assert torch.equal(found, wanted), where
    else:
        assert found == wanted, where


@pytest.fixture(scope="module", params=["history", "id"])
def whole(request: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("whole")
    assert select(data, place, user=request.param) == 0
    found = state(place)
    assert found["step"] == STEPS_AN_EPOCH * EPOCHS
    return found | {"user": request.param}


STOPS = [
    *[pytest.param(killed, step, None, -9, id=f"kill-{step}") for step in (0, 1, 3, 4, 6, 11)],
    *[
        pytest.param(signalled(signal.SIGTERM), step, None, 143, id=f"term-{step}")
        for step in (0, 2, 3, 4, 11)
    ],
    pytest.param(signalled(signal.SIGINT), 5, None, 130, id="ctrl-c"),
    pytest.param(killed, None, 1, -9, id="kill-in-validation"),
    pytest.param(signalled(signal.SIGTERM), None, 1, 143, id="term-in-validation"),
    pytest.param(signalled(signal.SIGTERM), None, EPOCHS - 1, 143, id="term-in-the-last"),
]


@pytest.mark.parametrize(("strike", "step", "epoch", "status"), STOPS)
def test_a_stopped_training_ends_as_if_it_had_not_been(
    strike: Callable[[], None],
    step: int | None,
    epoch: int | None,
    status: int,
    whole: dict[str, Any],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bomb = Bomb(strike, step, epoch)
    assert select(data, tmp_path, bomb=bomb, user=whole["user"]) == status
    capsys.readouterr()
    assert select(data, tmp_path, "--ckpt_path=last", user=whole["user"]) == 0
    saved = step is None or step >= 2 or status != -9
    assert ("resuming from" in capsys.readouterr().out) == saved
    assert_same(state(tmp_path), {key: whole[key] for key in whole if key != "user"})


def test_a_fit_killed_in_its_refit_goes_on_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = pipeline.export

    def export_of_the_refit(*parts: Any) -> Path:
        return parts[-1] if parts[-1].name == "bundle-unrefitted" else export(*parts)

    def fit(place: Path, *more: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "export", export_of_the_refit)
            patch.setattr(pipeline, "evaluate_run", lambda *parts, **settings: None)
            return train.main(["fit", *args(data, place, *HISTORY, *more)])

    def weights(place: Path) -> Any:
        (last,) = place.glob("runs/demo/*/refit-0/last.ckpt")
        return torch.load(last, weights_only=False)["state_dict"]

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert fit(whole) == 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        bomb = Bomb(killed, 7, None)
        patch.setattr(
            trainer,
            "StopAfter",
            lambda epochs: Both("", bomb) if epochs else None,
        )
        fit(parts)
    capsys.readouterr()
    assert fit(parts, "--ckpt_path=last") == 0
    said = capsys.readouterr().out
    assert "select: resuming from" in said
    assert "refit-0: resuming from" in said
    assert_same(weights(parts), weights(whole))
    arrays = [(place / "bundles" / "demo" / "arrays.safetensors") for place in (parts, whole)]
    assert arrays[0].read_bytes() == arrays[1].read_bytes()
    assert fit(parts, "--ckpt_path=last") == 0
    assert "is finished" in capsys.readouterr().out


def test_sigkill_of_the_process_itself(whole: dict[str, Any], data: Path, tmp_path: Path) -> None:
    own, name = (HISTORY, "demo") if whole["user"] == "history" else (CLASSIC, "ncf-classic-ml-1m")
    command = [sys.executable, "train.py", "select", *args(data, tmp_path, *own, name=name)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("runs/*/*/select/last.ckpt")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert select(data, tmp_path, "--ckpt_path=last", user=whole["user"]) == 0
    assert_same(state(tmp_path), {key: whole[key] for key in whole if key != "user"})


def test_other_settings_cannot_go_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert select(data, tmp_path, bomb=Bomb(killed, 6, None), user="history") == -signal.SIGKILL
    changed = ("--model.learning.lr=0.01", "--data.star_dropout=0.5")
    assert select(data, tmp_path, "--ckpt_path=last", *changed, user="history") == 2
    error = capsys.readouterr().err
    assert "data.star_dropout 0.1 (now 0.5), model.learning.lr 0.004 (now 0.01)" in error


def test_a_damaged_checkpoint_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert select(data, tmp_path, bomb=Bomb(killed, 6, None), user="history") == -signal.SIGKILL
    (last,) = tmp_path.glob("runs/*/*/select/last.ckpt")
    last.write_bytes(last.read_bytes()[:1000])
    assert select(data, tmp_path, f"--ckpt_path={last}", user="history") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{last}: no checkpoint, or a damaged one" in line


def test_a_full_disk_keeps_the_checkpoint_before_and_says_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file may grow past 20 kB from the sixth step on: what a full disk does to a checkpoint."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = Bomb(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1])), 5, None)
    try:
        assert select(data, tmp_path, bomb=full, user="history") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written (File too large); make room" in line
    (run,) = tmp_path.glob("runs/*/*/select")
    assert torch.load(run / "last.ckpt", weights_only=False)["global_step"] == 4
    assert not list(run.glob("*.part"))


def test_checkpoints_are_saved_by_time(data: Path, tmp_path: Path) -> None:
    often = ["--checkpoints.every_steps=0", "--checkpoints.every_minutes=1e-9"]
    bomb = Bomb(killed, 3, None)
    assert select(data, tmp_path, *often, bomb=bomb, user="history") == -signal.SIGKILL
    (last,) = tmp_path.glob("runs/*/*/select/last.ckpt")
    assert torch.load(last, weights_only=False)["global_step"] == 3


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """s3://… of a server of its own; nothing of it is left in fsspec's cache."""
    server = pytest.importorskip("moto.server", reason="needs the extra s3 and moto")
    s3fs = pytest.importorskip("s3fs", reason="needs the extra s3")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(f"marquee-{port}")
    yield f"s3://marquee-{port}/runs"
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def test_another_machine_goes_on_from_s3(data: Path, tmp_path: Path, bucket: str) -> None:
    kept = f"--checkpoints.folder={bucket}"
    alone, first, second = (tmp_path / name for name in ("alone", "first", "second"))
    assert select(data, alone, user="history") == 0
    bomb = Bomb(killed, 6, None)
    assert select(data, first, kept, bomb=bomb, user="history") == -signal.SIGKILL
    assert not list(first.rglob("*.ckpt")), "they are in the bucket"
    assert select(data, second, kept, "--ckpt_path=last", user="history") == 0
    assert figures(second) == figures(alone)


def figures(place: Path) -> tuple[Any, ...]:
    """What a selection found, without its times and its checkpoints."""
    (run,) = (path for path in place.glob("runs/*/*") if path.is_dir())
    chosen = json.loads((run / "fit.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    return chosen["epochs"], chosen["validation"], [row["val/ndcg@10"] for row in curve]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        pytest.param(
            "s3://no-such-bucket-of-ours/x", "there is no no-such-bucket-of-ours", id="no-bucket"
        ),
        pytest.param("xyz://bucket/x", "xyz", id="no-such-store"),
    ],
)
def test_a_store_that_cannot_be_used_is_named(
    folder: str,
    said: str,
    data: Path,
    tmp_path: Path,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = (f"--checkpoints.folder={folder}", "--ckpt_path=last")
    assert select(data, tmp_path, *given, user="history") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_signal_among_frames_that_cannot_raise_counts_after_them() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert len(heard) == 2, "the handler from before is back"
    finally:
        signal.signal(signal.SIGTERM, before)
