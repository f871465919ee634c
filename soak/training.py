"""Kill a training again and again, and check that it ends with the same bytes.

    make soak ONLY=training ROUNDS=20                       # 10 minutes on one core
    python -m soak.training --rounds 3 --seed 7

A reference `fit` on generated data runs undisturbed. Each round starts the same command, and stops
it at a random moment with SIGKILL, SIGTERM or ctrl-C in turn. It resumes with `--ckpt_path last`,
is stopped again with a chance of a half, and so on until it ends. All files of its bundle, all
values of its results and the last checkpoint of each of its trainings must equal the reference.
Exit status 1 if one does not.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from marquee.data.demo_data import write_demo
from tests.support.paths import ROOT

SIGNALS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
"""And the exit status that each must give, in a training or out of it."""
SMALL = {
    "trainer.max_epochs": 12,
    "trainer.check_val_every_n_epoch": 2,
    "data.targets_per_batch": 60,
    "model.network.history_length": 20,
    "checkpoints.every_steps": 7,
    "stars.burn_in": 5,
    "stars.num_draws": 4,
}
CLOCK_KEYS = ("wall_s", "cpu_s", "created", "model_version")
MAX_STOPS = 3
MAX_ROUND_S = 1800
"""No start or wait of a round lasts longer."""
Hashes = dict[str, str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_demo(root / "data" / "demo", seed=1, num_users=60, num_movies=100)
        reference = Training(root / "reference", root / "data")
        start = time.monotonic()
        assert reference.start().wait(MAX_ROUND_S) == 0, reference.log()
        duration_s, expected = time.monotonic() - start, reference.hashes()
        print(f"reference: {duration_s:.0f} s, {len(expected)} outputs to compare", flush=True)
        kinds = list(SIGNALS)
        num_different = 0
        for number in range(options.rounds):
            training = Training(root / str(number), root / "data")
            stops = interrupt(training, kinds[number % len(kinds)], duration_s, rng)
            names = differences(training.hashes(), expected)
            num_different += bool(names)
            outcome = f"DIFFERS in {', '.join(names[:4])}" if names else "the same"
            print(f"round {number + 1}: {'; '.join(stops)}; ended {outcome}", flush=True)
    print(f"{options.rounds} rounds, {num_different} differ from the reference")
    return int(num_different > 0)


@dataclass(frozen=True)
class Training:
    """A `fit` in a folder of its own."""

    folder: Path
    data_root: Path

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        settings = SMALL | {"data.root": self.data_root}
        settings |= {name: self.folder / name for name in ("runs", "bundles", "results")}
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = ["train.py", "fit", "--config=recipes/demo.yaml", "--comet=off"]
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command, *options, *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def has_begun(self) -> bool:
        return any(self.folder.glob("runs/demo/*/select/config.yaml"))

    def position(self) -> str:
        """Return the training with the newest checkpoint, and its step."""
        checkpoints = self.folder.glob("runs/demo/*/*/last.ckpt")
        newest = max(checkpoints, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None:
            return "the start"
        state = torch.load(newest, weights_only=False)
        return f"{newest.parent.name} step {state['global_step']}"

    def hashes(self) -> Hashes:
        """Return a hash of each output by name, without the times of the run."""
        hashes = {
            f"{path.parent.name}/{path.name}": sha256(path.read_bytes()).hexdigest()
            for path in self.folder.glob("bundles/demo/*")
            if path.name != "bundle.json"
        }
        for pattern in ("results/*.json", "bundles/demo/bundle.json"):
            for path in self.folder.glob(pattern):
                hashes[path.name] = hash_of(without_clock(json.loads(path.read_text())))
        for path in self.folder.glob("runs/demo/*/*/last.ckpt"):
            state = torch.load(path, weights_only=False)
            parts = {key: state[key] for key in ("state_dict", "optimizer_states", "global_step")}
            hashes[path.parent.name] = hash_of(parts)
        return hashes


def interrupt(
    training: Training, kind: signal.Signals, duration_s: float, rng: random.Random
) -> list[str]:
    """Start, stop and resume until the end; return a description of each stop."""
    stops, arguments = list[str](), tuple[str, ...]()
    while True:
        process = training.start(*arguments)
        arguments = ("--ckpt_path=last",)
        if stops and (len(stops) == MAX_STOPS or rng.random() < 0.5):
            assert process.wait(MAX_ROUND_S) == 0, training.log()
            return stops
        wait_until_begun(training, process)
        time.sleep(rng.uniform(0, duration_s * 0.7))
        process.send_signal(kind)
        status = process.wait(MAX_ROUND_S)
        if status == 0:  # it had ended before
            return [*stops, f"{kind.name} came too late"]
        # Until train.py has its handlers, the signal itself ends the process.
        assert status in (SIGNALS[kind], -kind), f"{kind.name} gave {status}\n{training.log()}"
        stops.append(f"{kind.name} at {training.position()}, status {status}")


def wait_until_begun(training: Training, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + MAX_ROUND_S
    while process.poll() is None and not training.has_begun():
        assert time.monotonic() < deadline, training.log()
        time.sleep(0.05)


def without_clock(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: without_clock(value) for key, value in content.items() if key not in CLOCK_KEYS
        }
    if isinstance(content, list):
        return [without_clock(value) for value in content]
    return content


def hash_of(content: Any) -> str:
    if isinstance(content, torch.Tensor):
        return sha256(content.numpy().tobytes()).hexdigest()
    if isinstance(content, dict):
        return hash_of(str([(key, hash_of(value)) for key, value in content.items()]))
    if isinstance(content, list):
        return hash_of(str([hash_of(value) for value in content]))
    return sha256(repr(content).encode()).hexdigest()


def differences(hashes: Hashes, expected: Hashes) -> list[str]:
    names = hashes.keys() | expected.keys()
    return sorted(name for name in names if hashes.get(name) != expected.get(name))


if __name__ == "__main__":
    sys.exit(main())
