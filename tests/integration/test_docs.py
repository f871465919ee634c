"""The commands and examples of README and docs: they exist, they parse, the Python ones run."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from marquee.cli import VERBS
from tests.support.docs_pages import Block, blocks, commands
from tests.support.paths import ROOT
from tests.support.processes import running

SHELL_BLOCKS = blocks("sh")
PYTHON_BLOCKS = blocks("python")
OTHER_PROGRAMS = {
    *("aws", "bash", "cd", "comet", "curl", "docker", "git", "streamlit", "sudo", "python3"),
    *(
        ".venv/bin/bentoml",
        ".venv/bin/pip",
        ".venv/bin/torchrun",
        "torchrun",
        ".venv/bin/streamlit",
    ),
}
"""Programs whose arguments are not ours."""


@cache
def help_text(*command: str) -> str:
    result = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def check_options(command: list[str], *program: str) -> None:
    """Each --option of a command is one that the program names in its help."""
    for word in command:
        if word.startswith("--"):
            option = word.partition("=")[0]
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text(*program)), word


def check(command: list[str]) -> None:
    program, *words = command
    if program == "make":
        targets = {word for word in words if not re.match(r"[A-Z_]+=", word)}
        assert targets <= make_targets()
    elif program.endswith("marquee"):
        assert words[0] in VERBS
        nested = [words[1]] if words[0] == "releases" else []
        check_options(words, "-m", "marquee.cli", words[0], *nested)
    elif program.endswith("python") and words[0] == "train.py":
        check_options(words, "train.py", words[1])
    elif program.endswith("python"):
        assert words[0] == "-m" and importlib.util.find_spec(words[1])
    elif program == "deploy/stack.sh":
        script = (ROOT / program).read_text()
        assert all(word in script for word in words if word.startswith("--")) or words[0] in script
    else:
        assert program in OTHER_PROGRAMS, program


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_docs_shell_commands_exist(block: Block) -> None:
    for command in commands(block):
        if not command[0].startswith(("TRIAL", "$")):
            check(command)


@pytest.fixture(scope="module")
def service_url(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[str]:
    with running(bundle_folder, tmp_path_factory.mktemp("service")) as (url, _):
        yield url


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=str)
def test_docs_python_examples_run(
    block: Block,
    service_url: str,
    bundle_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The small bundle and its service stand for those that the page names."""
    shutil.copytree(bundle_folder, tmp_path / "bundles" / "ml-latest-small")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARQUEE_URL", service_url)
    exec(compile(block.text.replace("http://127.0.0.1:3000", service_url), str(block), "exec"), {})


def test_docs_examples_are_found() -> None:
    """A fence that is misspelt would hide its commands from these tests."""
    assert len(SHELL_BLOCKS) >= 25 and len(PYTHON_BLOCKS) >= 5
