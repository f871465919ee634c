"""The wheel of marquee in an empty environment: it serves a bundle without a clone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.image_build import UNREACHABLE, uv_index_settings
from tests.support.paths import ROOT
from tests.support.processes import Process, start_on_free_port, stop
from tests.support.tiny_bundle import MOVIES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str, cwd: Path) -> str:
    """Run a command that needs packages; skip the test where they cannot be fetched."""
    environment = os.environ | uv_index_settings()
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if result.returncode != 0 and (reason := UNREACHABLE.search(result.stderr)):
        pytest.skip(f"packages cannot be fetched here: {reason.group().strip()}")
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds both wheels and what they require, at the versions of the lock."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = str(Path(sys.executable).with_name("uv"))
    for source in (".", "clients/python"):
        run(uv, "build", "--wheel", "-q", "-o", str(folder / "dist"), source, cwd=ROOT)
    run(uv, "venv", "-q", "--python", sys.executable, "venv", cwd=folder)
    wheels = sorted(str(path) for path in (folder / "dist").glob("*.whl"))
    constraint = ("--constraint", str(ROOT / "requirements.lock"))
    run(uv, "pip", "install", "-q", "--python", "venv", *constraint, *wheels, cwd=folder)
    return folder / "venv" / "bin"


def test_wheel_serves_a_bundle(environment: Path, bundle_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"

    def serve(port: int) -> Process:
        with output.open("wb") as file:
            return subprocess.Popen(
                [str(environment / "marquee"), "serve", str(bundle_folder), "--port", str(port)],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    url, process = start_on_free_port(serve, output, stop)
    try:
        code = (
            "from marquee_client import Marquee\n"
            f"with Marquee({url!r}) as marquee:\n"
            f"    print(len(marquee.recommend(k={len(MOVIES)})['items']))"
        )
        assert run(str(environment / "python"), "-c", code, cwd=tmp_path) == f"{len(MOVIES)}\n"
    finally:
        status = stop(process)
    assert status == 0 and "Traceback" not in output.read_text(), output.read_text()


def test_wheel_recommends_as_a_library(environment: Path, bundle_folder: Path) -> None:
    code = (
        "from marquee import Recommender\n"
        f"items = Recommender.load({str(bundle_folder)!r}).recommend(k=3)['items']\n"
        "print(*[item['movie_id'] for item in items])"
    )
    titles = run(str(environment / "python"), "-c", code, cwd=environment)
    assert len(titles.split()) == 3


def test_wheel_names_the_extra_that_training_needs(environment: Path, tmp_path: Path) -> None:
    command = [str(environment / "marquee"), "findings", "demo"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2 and "expected a clone with the extra `train`" in result.stderr
