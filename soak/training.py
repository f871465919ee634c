"""Kills a training again and again, and asks whether it still ends bit for bit the same.

    make soak ONLY=training ROUNDS=20                       # 10 minutes on one core
    python -m soak.training --rounds 3 --seed 7

One `fit` on generated data is left alone. Then, each round, the same command is started, and at a
random moment it gets SIGKILL, SIGTERM or ctrl-C in turn; it is started again with `--ckpt_path
last`, stopped again with a chance of a half, and so on until it ends. Every file of its bundle,
every figure of its results and the last checkpoint of each of its trainings must then equal those
of the one left alone. Exit status 1 if any does not.
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
CLOCK = ("wall_s", "cpu_s", "created", "model_version")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_demo(place / "data" / "demo", seed=1, num_users=60, num_movies=100)
        started = time.monotonic()
        assert start(place, place / "whole").wait() == 0
        lasts, wanted = time.monotonic() - started, left_by(place / "whole")
        print(f"left alone: {lasts:.0f} s, {len(wanted)} things to compare", flush=True)
        kinds = list(SIGNALS)
        differ = 0
        for number in range(chosen.rounds):
            here = place / str(number)
            stops = interrupted(place, here, kinds[number % len(kinds)], lasts, chance)
            other = differing(left_by(here), wanted)
            differ += bool(other)
            said = f"DIFFERS in {', '.join(other[:4])}" if other else "the same"
            print(f"round {number + 1}: {'; '.join(stops)}; ended {said}", flush=True)
    print(f"{chosen.rounds} rounds, {differ} ended otherwise than the one left alone")
    return int(differ > 0)


def start(place: Path, here: Path, *more: str) -> "subprocess.Popen[bytes]":
    folders = {"data.root": place / "data"} | {
        name: here / name for name in ("runs", "bundles", "results")
    }
    given = [f"--{name}={value}" for name, value in (SMALL | folders).items()]
    command = ["train.py", "fit", "--config=recipes/demo.yaml", "--comet=off", *given, *more]
    here.mkdir(exist_ok=True)
    with (here / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )


def interrupted(
    place: Path, here: Path, kind: signal.Signals, lasts: float, chance: random.Random
) -> list[str]:
    """Start, stop and go on until the end; what was done, in words."""
    stops, more = list[str](), tuple[str, ...]()
    while True:
        run = start(place, here, *more)
        more = ("--ckpt_path=last",)
        if stops and (len(stops) == 3 or chance.random() < 0.5):
            assert run.wait() == 0, (here / "log").read_text()
            return stops
        while run.poll() is None and not list(here.glob("runs/demo/*/select/config.yaml")):
            time.sleep(0.05)
        time.sleep(chance.uniform(0, lasts * 0.7))
        run.send_signal(kind)
        status = run.wait()
        if status == 0:  # it was over already
            return [*stops, f"{kind.name} came too late"]
        # Before train.py has been read nobody listens yet: the signal itself ends the process.
        said = f"{kind.name} gave {status}\n{(here / 'log').read_text()}"
        assert status in (SIGNALS[kind], -kind), said
        stops.append(f"{kind.name} at {where(here)}, status {status}")


def where(here: Path) -> str:
    """The newest training that has saved itself, and its step."""
    saved = sorted(here.glob("runs/demo/*/*/last.ckpt"), key=lambda path: path.stat().st_mtime)
    if not saved:
        return "the start"
    state = torch.load(saved[-1], weights_only=False)
    return f"{saved[-1].parent.name} step {state['global_step']}"


def left_by(here: Path) -> dict[str, str]:
    """A hash of everything that a fit leaves, by name, without the times it took."""
    found = {
        f"{path.parent.name}/{path.name}": sha256(path.read_bytes()).hexdigest()
        for path in here.glob("bundles/demo/*")
        if path.name != "bundle.json"
    }
    for path in [*here.glob("results/*.json"), *here.glob("bundles/demo/bundle.json")]:
        found[path.name] = hashed(without_clock(json.loads(path.read_text())))
    for path in here.glob("runs/demo/*/*/last.ckpt"):
        state = torch.load(path, weights_only=False)
        parts = {key: state[key] for key in ("state_dict", "optimizer_states", "global_step")}
        found[path.parent.name] = hashed(parts)
    return found


def without_clock(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: without_clock(each) for key, each in content.items() if key not in CLOCK}
    return [without_clock(each) for each in content] if isinstance(content, list) else content


def hashed(content: Any) -> str:
    if isinstance(content, torch.Tensor):
        return sha256(content.numpy().tobytes()).hexdigest()
    if isinstance(content, dict):
        return hashed(str([(key, hashed(each)) for key, each in content.items()]))
    if isinstance(content, list):
        return hashed(str([hashed(each) for each in content]))
    return sha256(repr(content).encode()).hexdigest()


def differing(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))


if __name__ == "__main__":
    sys.exit(main())
