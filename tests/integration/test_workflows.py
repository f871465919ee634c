"""The workflows of GitHub: they run what exists, with few rights and no stored key."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_lines import check_command
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


def test_workflows_run_on_push_tag_and_night() -> None:
    triggers = {path.stem: read(path)[True] for path in WORKFLOWS}  # `on` is true in YAML 1.1
    assert triggers == {
        "check": ["push", "pull_request"],
        "release": {"push": {"tags": ["v*"]}},
        "nightly": {"schedule": [{"cron": "17 2 * * *"}], "workflow_dispatch": None},
    }


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_has_few_rights_and_no_stored_key(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text()
    for job in read(path)["jobs"].values():
        pinned = dict(step["uses"].split("@") for step in job["steps"] if "uses" in step)
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in pinned.values())  # tags move
        used = set(pinned)
        assert used <= ACTIONS | {SIGN_IN}
        (checkout,) = [
            s["with"] for s in job["steps"] if s.get("uses", "").startswith("actions/check")
        ]
        assert checkout == {"persist-credentials": False}
        rights = job.get("permissions", {"contents": "read"})
        signs_in = {"id-token": "write"} if SIGN_IN in used else {}
        assert rights == {"contents": "read", **signs_in}
        assert job["timeout-minutes"] <= 350


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_commands_exist(path: Path) -> None:
    for command in commands(path):
        check_command(command.split())


def test_release_workflow_publishes_after_the_check() -> None:
    jobs = read(ROOT / ".github/workflows/release.yml")["jobs"]
    assert jobs["publish"]["needs"] == "check"
    assert jobs["check"]["steps"][-1] == {"run": "bash .ci/run"}


def test_workflow_commands_hold_no_foreign_text() -> None:
    """A branch or a title that is a command would be run; variables of the shell are not."""
    for path in WORKFLOWS:
        assert not [command for command in commands(path) if "${{" in command]
