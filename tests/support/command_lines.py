"""Check that a command line of the docs or of a workflow names what exists, without running it."""

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

from marquee.cli import VERBS
from tests.support.paths import ROOT

OTHER_PROGRAMS = {
    *("awk", "aws", "cd", "comet", "curl", "docker", "git", "printf", "sha256sum"),
    *("python3", "torchrun", ".venv/bin/bentoml", ".venv/bin/pip", ".venv/bin/torchrun"),
    *("streamlit", "sudo", ".venv/bin/streamlit"),
}
"""Programs whose arguments are not ours."""


@cache
def help_text(*command: str) -> str:
    result = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
    return result.stdout


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def check_options(words: Sequence[str], *program: str) -> None:
    """Each --option is one that the program names in its help."""
    for word in words:
        if word.startswith("--"):
            option = re.escape(word.partition("=")[0])
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_text(*program)), word


def check_stack_command(words: Sequence[str]) -> None:
    """The command and its options stand in the help of deploy/stack.sh, which is its head."""
    head = (ROOT / "deploy" / "stack.sh").read_text().partition("\nset ")[0]
    assert f"deploy/stack.sh {words[0]} " in head, words[0]
    for word in words:
        assert not word.startswith("--") or re.search(rf"{word}(?![\w-])", head), word


def check_command(command: Sequence[str]) -> None:
    program, *words = command
    if program == "make":
        assert {word for word in words if not re.match(r"[A-Z_]+=", word)} <= make_targets()
    elif program == "bash":
        assert not words or (ROOT / words[0]).is_file()
    elif program == "deploy/stack.sh":
        check_stack_command(words)
    elif program.endswith("marquee"):
        assert words[0] in VERBS
        nested = [words[1]] if words[0] in ("catalog", "data", "releases") else []
        check_options(words, "-m", "marquee.cli", words[0], *nested)
    elif program.endswith("python") and words[0] == "train.py":
        check_options(words, "train.py", words[1])
    elif program.endswith("python") and words[0].startswith("recipes/"):
        assert (ROOT / words[0]).is_file()
    elif program.endswith("python"):
        assert words[0] == "-m" and find_spec(words[1])
        check_options(words, "-m", words[1])
    else:
        assert program in OTHER_PROGRAMS, program
