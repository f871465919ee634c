"""The commands and examples of README and docs: they exist, they parse, the Python ones run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_lines import check_command
from tests.support.docs_pages import Block, blocks, commands
from tests.support.processes import running

SHELL_BLOCKS = blocks("sh")
PYTHON_BLOCKS = blocks("python")


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=str)
def test_docs_shell_commands_exist(block: Block) -> None:
    for command in commands(block):
        if not command[0].startswith(("TRIAL", "$")):
            check_command(command)


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
