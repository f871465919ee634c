"""Pages of the docs followed word by word, on generated data in place of a download."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docs_pages import blocks
from tests.support.paths import ROOT
from tests.support.processes import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this clone, with its environment and a trained bundle of generated data."""
    folder = tmp_path_factory.mktemp("clone")
    for entry in ROOT.iterdir():
        if entry.name not in ("runs", "bundles", "results", "reports", "data"):
            (folder / entry.name).symlink_to(entry)
    run(folder, ".venv/bin/python train.py fit --config recipes/demo.yaml --comet off")
    return folder


def run(folder: Path, script: str, **settings: str) -> str:
    environment = os.environ | {"DATA_ROOT": str(folder / "data"), "PYTHONPATH": str(folder)}
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, f"{script}\n{result.stdout}"
    return result.stdout


def scripts(page: str) -> Iterator[str]:
    for block in blocks("sh", [ROOT / "docs" / page]):
        yield block.text


def test_comparing_runs_page_runs(clone: Path) -> None:
    for script in scripts("comparing-runs.md"):
        run(clone, script.replace("--seeds [0,1,2]", "--seeds [0,1] --trainer.max_epochs 2"))
    pages = list((clone / "runs").rglob("*.html"))
    assert pages and all("<svg" in page.read_text() for page in pages)


def test_getting_started_page_answers(clone: Path, bundle_folder: Path, tmp_path: Path) -> None:
    """Its requests, sent to a service of the small bundle; `make demo` itself is a step of CI."""
    requests = [script for script in scripts("getting-started.md") if "curl" in script]
    events = f"sqlite:///{tmp_path / 'events.sqlite'}"
    with running(bundle_folder, tmp_path, EVENTS_URL=events) as (url, _):
        for script in requests:
            script = script.replace("localhost:3000", url.removeprefix("http://"))
            script = script.replace("ml-latest-small", "demo")
            answer = run(clone, script.replace("sqlite:///events.sqlite", events))
            assert '"items":[{"movie_id"' in answer


def test_findings_page_writes_a_report(clone: Path) -> None:
    command = next(scripts("insights.md")).splitlines()[0]
    assert command.startswith("make findings DATA=")
    run(clone, ".venv/bin/marquee findings demo --bundle bundles/demo --out reports/demo")
    assert {"findings.html", "findings.md", "findings.json"} <= {
        path.name for path in (clone / "reports" / "demo").iterdir()
    }
