"""Resuming: a training that is stopped at any step ends bit for bit as an unbroken one."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

import train
from marquee.data.demo_data import write_demo
from marquee.training import callbacks, pipeline
from marquee.training.config import RunConfig
from tests.support.bomb import Bomb
from tests.support.demo_training import CLASSIC_ON_DEMO, Workspace, run_folder
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

STEPS_PER_EPOCH, EPOCHS = 4, 3
DEADLINE_S = 120


class Killed(BaseException):
    """Leaves the training as a SIGKILL would: nothing gets to save."""


def kill() -> None:
    raise Killed


def send(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=40, num_movies=80)
    return root


USERS = {
    "history": ("demo", ["--data.targets_per_batch=300"]),
    "id": ("ncf-classic-ml-1m", [*CLASSIC_ON_DEMO, "--data.targets_per_batch=2000"]),
}
"""Recipe and settings by the kind of user, each with STEPS_PER_EPOCH."""


def run_args(data: Path, root: Path, *more: str, user: str = "history") -> list[str]:
    recipe, settings = USERS[user]
    small = ["--comet=off", "--model.network.embedding_dim=16", "--checkpoints.every_steps=2"]
    return Workspace(root).args(*small, *settings, *more, recipe=recipe, epochs=EPOCHS, data=data)


def select(
    data: Path, root: Path, *more: str, bomb: Bomb | None = None, user: str = "history"
) -> int:
    """Run `train.py select` without its bundle, which takes longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunConfig, "is_served", False)
        if bomb:
            patch.setattr(callbacks, "EpochLogger", lambda monitor: bomb)
        try:
            return train.main(["select", *run_args(data, root, *more, user=user)])
        except Killed:
            return -signal.SIGKILL


def final_state(root: Path) -> dict[str, Any]:
    """Return all that a selection leaves which does not depend on the clock."""
    (runs,) = root.glob("runs/*")
    run = run_folder(runs)
    last, best = (
        torch.load(run / "select" / f"{name}.ckpt", weights_only=False) for name in ("last", "best")
    )
    selection = json.loads((run / "fit.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    return {
        "weights": last["state_dict"],
        "best": best["state_dict"],
        "optimizer": last["optimizer_states"],
        "rng": last["callbacks"]["CheckpointSaver"]["rng"],
        "step": last["global_step"],
        "selection": (selection["epochs"], selection["validation"]),
        "curve": [{key: row[key] for key in row if "_s" not in key} for row in curve],
    }


def assert_same(actual: Any, expected: Any, path: str = "") -> None:
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys(), path
        for key in expected:
            assert_same(actual[key], expected[key], f"{path}/{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for number, pair in enumerate(zip(actual, expected, strict=True)):
            assert_same(*pair, f"{path}/{number}")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(actual, expected), path
    else:
        assert actual == expected, path


class Unbroken(NamedTuple):
    """The end of a training that was not stopped, by the kind of user."""

    user: str
    state: dict[str, Any]


@pytest.fixture(scope="module", params=USERS)
def unbroken(request: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    root = tmp_path_factory.mktemp("unbroken")
    assert select(data, root, user=request.param) == 0
    state = final_state(root)
    assert state["step"] == STEPS_PER_EPOCH * EPOCHS
    return Unbroken(request.param, state)


STOPS = [
    *[pytest.param(kill, step, None, -9, id=f"kill-{step}") for step in (0, 1, 3, 4, 6, 11)],
    *[
        pytest.param(send(signal.SIGTERM), step, None, 143, id=f"term-{step}")
        for step in (0, 2, 3, 4, 11)
    ],
    pytest.param(send(signal.SIGINT), 5, None, 130, id="ctrl-c"),
    pytest.param(kill, None, 1, -9, id="kill-in-validation"),
    pytest.param(send(signal.SIGTERM), None, 1, 143, id="term-in-validation"),
    pytest.param(send(signal.SIGTERM), None, EPOCHS - 1, 143, id="term-in-last-validation"),
]


@pytest.mark.parametrize(("strike", "step", "epoch", "status"), STOPS)
def test_resumed_training_equals_the_unbroken_one(
    strike: Callable[[], None],
    step: int | None,
    epoch: int | None,
    status: int,
    unbroken: Unbroken,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bomb = Bomb(strike, step, epoch)
    assert select(data, tmp_path, bomb=bomb, user=unbroken.user) == status
    capsys.readouterr()
    assert select(data, tmp_path, "--ckpt_path=last", user=unbroken.user) == 0
    has_checkpoint = step is None or step >= 2 or status != -9
    assert ("resuming from" in capsys.readouterr().out) == has_checkpoint
    assert_same(final_state(tmp_path), unbroken.state)


def test_fit_killed_in_its_refit_resumes_there(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = pipeline.export

    def export_of_refits(training: Any, selection: Any, folder: Path) -> Path:
        is_refit = folder.name != "bundle-unrefitted"
        return export(training, selection, folder) if is_refit else folder

    def fit(root: Path, *more: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "export", export_of_refits)
            patch.setattr(pipeline, "evaluate_run", lambda *parts, **settings: None)
            return train.main(["fit", *run_args(data, root, *more)])

    def weights(root: Path) -> Any:
        (last,) = root.glob("runs/demo/*/refit-0/last.ckpt")
        return torch.load(last, weights_only=False)["state_dict"]

    one_go, two_parts = tmp_path / "one-go", tmp_path / "two-parts"
    assert fit(one_go) == 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(callbacks, "StopAfter", lambda epochs: Bomb(kill, 7, None))
        fit(two_parts)
    capsys.readouterr()
    assert fit(two_parts, "--ckpt_path=last") == 0
    output = capsys.readouterr().out
    assert "select: resuming from" in output
    assert "refit-0: resuming from" in output
    assert_same(weights(two_parts), weights(one_go))
    arrays = [root / "bundles" / "demo" / "arrays.safetensors" for root in (two_parts, one_go)]
    assert arrays[0].read_bytes() == arrays[1].read_bytes()
    assert fit(two_parts, "--ckpt_path=last") == 0
    assert "is finished" in capsys.readouterr().out


SIGKILLED_TRAINING = """
import os, signal, sys
import train
from marquee.training import callbacks
from tests.support.bomb import Bomb

bomb = Bomb(lambda: os.kill(os.getpid(), signal.SIGKILL), step=6)
callbacks.EpochLogger = lambda monitor: bomb
train.main(sys.argv[1:])
"""


def test_sigkilled_process_resumes_bit_for_bit(
    unbroken: Unbroken, data: Path, tmp_path: Path
) -> None:
    args = run_args(data, tmp_path, user=unbroken.user)
    process = subprocess.run(
        [sys.executable, "-c", SIGKILLED_TRAINING, "select", *args],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        timeout=DEADLINE_S,
    )
    assert process.returncode == -signal.SIGKILL
    assert select(data, tmp_path, "--ckpt_path=last", user=unbroken.user) == 0
    assert_same(final_state(tmp_path), unbroken.state)


def test_resume_with_other_settings_names_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert select(data, tmp_path, bomb=Bomb(kill, 6, None)) == -signal.SIGKILL
    changed = ("--model.learning.lr=0.01", "--data.star_dropout=0.5")
    assert select(data, tmp_path, "--ckpt_path=last", *changed) == 2
    error = capsys.readouterr().err
    assert "data.star_dropout 0.1 (now 0.5), model.learning.lr 0.004 (now 0.01)" in error


def test_resume_from_a_damaged_checkpoint_names_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert select(data, tmp_path, bomb=Bomb(kill, 6, None)) == -signal.SIGKILL
    (last,) = tmp_path.glob("runs/*/*/select/last.ckpt")
    last.write_bytes(last.read_bytes()[:1000])
    assert select(data, tmp_path, f"--ckpt_path={last}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{last}: no checkpoint, or a damaged one" in line


def test_full_disk_keeps_the_previous_checkpoint(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the sixth step on no file may grow past 20 kB, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = Bomb(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1])), 5, None)
    try:
        assert select(data, tmp_path, bomb=full) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written (File too large); make room" in line
    (run,) = tmp_path.glob("runs/*/*/select")
    assert torch.load(run / "last.ckpt", weights_only=False)["global_step"] == 4
    assert not list(run.glob("*.part"))


def test_checkpoint_saver_saves_by_time(data: Path, tmp_path: Path) -> None:
    often = ["--checkpoints.every_steps=0", "--checkpoints.every_minutes=1e-9"]
    bomb = Bomb(kill, 3, None)
    assert select(data, tmp_path, *often, bomb=bomb) == -signal.SIGKILL
    (last,) = tmp_path.glob("runs/*/*/select/last.ckpt")
    assert torch.load(last, weights_only=False)["global_step"] == 3


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a bucket on a server of its own; clear fsspec's cache of it."""
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


def test_another_machine_resumes_from_s3(
    data: Path, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SSE", "AES256")
    in_bucket = f"--checkpoints.folder={bucket}"
    alone, first, second = (tmp_path / name for name in ("alone", "first", "second"))
    assert select(data, alone) == 0
    bomb = Bomb(kill, 6, None)
    assert select(data, first, in_bucket, bomb=bomb) == -signal.SIGKILL
    assert not list(first.rglob("*.ckpt")), "they are in the bucket"
    assert encryptions(bucket) == {"AES256"}
    assert select(data, second, in_bucket, "--ckpt_path=last") == 0
    assert validation_metrics(second) == validation_metrics(alone)


def encryptions(url: str) -> set[str | None]:
    """Return how the objects below a URL are encrypted."""
    s3 = pytest.importorskip("s3fs", reason="needs the extra s3").S3FileSystem()
    keys = [s3.split_path(path)[:2] for path in s3.find(url)]
    heads = [s3.call_s3("head_object", Bucket=bucket, Key=key) for bucket, key in keys]
    return {head.get("ServerSideEncryption") for head in heads}


def validation_metrics(root: Path) -> tuple[Any, ...]:
    """Return the metrics of a selection, whose checkpoints may be in a bucket."""
    run = run_folder(root / "runs" / "demo")
    selection = json.loads((run / "fit.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    return selection["epochs"], selection["validation"], [row["val/ndcg@10"] for row in curve]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        pytest.param(
            "s3://no-such-bucket-here/x", "there is no no-such-bucket-here", id="no-bucket"
        ),
        pytest.param("xyz://bucket/x", "xyz", id="no-such-store"),
    ],
)
def test_unusable_checkpoint_store_is_named(
    folder: str,
    message: str,
    data: Path,
    tmp_path: Path,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = (f"--checkpoints.folder={folder}", "--ckpt_path=last")
    assert select(data, tmp_path, *settings) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
