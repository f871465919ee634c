"""What GitHub runs: nothing that is not there, with few rights and no stored key."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = {"actions/checkout", "actions/setup-python"}
SIGN_IN = "aws-actions/configure-aws-credentials"


def read(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text()))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[str]:
    return [step["run"] for step in steps(path) if "run" in step]


@cache
def options(*program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *program, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"python -m {' '.join(program)}: {done.stderr}"
    return done.stdout


def test_there_is_one_for_pushes_one_for_tags_and_one_for_nights() -> None:
    started = {path.stem: read(path)[True] for path in WORKFLOWS}  # `on` is true in YAML 1.1
    assert started == {
        "check": ["push", "pull_request"],
        "release": {"push": {"tags": ["v*"]}},
        "nightly": {"schedule": [{"cron": "17 2 * * *"}], "workflow_dispatch": None},
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_few_and_no_key_is_stored(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text()
    for job in read(path)["jobs"].values():
        pinned = dict(step["uses"].split("@") for step in job["steps"] if "uses" in step)
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in pinned.values())  # tags move
        used = set(pinned)
        assert used <= ACTIONS | {SIGN_IN}
        (kept,) = [s["with"] for s in job["steps"] if s.get("uses", "").startswith("actions/check")]
        assert kept == {"persist-credentials": False}
        rights = job.get("permissions", {"contents": "read"})
        signs_in = {"id-token": "write"} if SIGN_IN in used else {}
        assert rights == {"contents": "read", **signs_in}
        assert job["timeout-minutes"] <= 350


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_of_a_workflow_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for command in commands(path):
        first, *words = command.split()
        if first == "make":
            assert words[0] in targets
        elif first == "bash":
            assert (ROOT / words[0]).is_file()
        else:
            if first == ".venv/bin/marquee":
                program = ("marquee.cli", words[0], words[1])
            else:
                assert (first, words[0]) == (".venv/bin/python", "-m")
                program = (words[1], words[2])
            for option in re.findall(r"--[a-z-]+", command):
                assert option in options(*program), command


def test_what_is_rolled_out_was_tested() -> None:
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert jobs["publish"]["needs"] == "check"
    assert jobs["check"]["steps"][-1] == {"run": "bash .ci/run"}


def test_a_text_of_others_is_never_part_of_a_command() -> None:
    """A branch or a title that is a command would be run; variables of the shell are not."""
    for path in WORKFLOWS:
        assert not [command for command in commands(path) if "${{" in command]
