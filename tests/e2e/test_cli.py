"""The command `marquee`: its verbs, its help, and its exit statuses."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from marquee import cli
from marquee.core.command import run_command
from marquee.core.errors import InputError


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_names_a_module_with_a_main(verb: str) -> None:
    module, summary = cli.VERBS[verb]
    assert callable(importlib.import_module(module).main) and summary


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(cli.VERBS)


def test_an_unknown_verb_is_an_input_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fly"]) == 2
    assert capsys.readouterr().err.startswith("marquee: error: verb 'fly': expected one of ablate,")


def test_a_missing_extra_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli.VERBS, "tune", ("no_such_package.tune", ""))
    assert cli.main(["tune"]) == 2
    assert "marquee tune: error: No module named 'no_such_package'" in capsys.readouterr().err


def test_a_light_verb_imports_no_torch() -> None:
    code = (
        "import sys; from marquee.cli import main; main(['releases', 'list', '/nowhere/store']);"
        "print(sorted({'torch', 'pandas', 'pytorch_lightning'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        pytest.param(InputError("file: 3 fields,\nexpected 4"), 2, "file: 3 fields, expected 4"),
        pytest.param(OSError(28, "No space left on device"), 2, "No space left on device"),
        pytest.param(KeyboardInterrupt(), 130, "stopped"),
        pytest.param(KeyboardInterrupt("stopped; resume with X"), 130, "stopped; resume with X"),
        pytest.param(RuntimeError("oops"), 1, "RuntimeError: oops (not foreseen; traceback: "),
    ],
    ids=["input", "disk", "ctrl-c", "ctrl-c-message", "unforeseen"],
)
def test_one_kind_of_error_has_one_status(
    error: BaseException,
    status: int,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    def run() -> None:
        raise error

    assert run_command("marquee x", run) == status
    message = capsys.readouterr().err
    assert message.startswith("marquee x: error: ") and line in message
    assert message.count("\n") == 1
