"""The Makefile: a name with a space reaches the command as one argument."""

import shlex
import subprocess

import pytest

from tests.support.paths import ROOT


@pytest.mark.parametrize(
    "target", ["findings DATA", "findings BUNDLE", "train DATA", "train RECIPE", "serve BUNDLE"]
)
def test_make_target_quotes_a_name_with_a_space(target: str) -> None:
    verb, variable = target.split()
    command = ["make", "--no-print-directory", "-n", "-o", "setup", verb, f"{variable}=my own"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "my own" in shlex.split(lines.strip().splitlines()[-1])
