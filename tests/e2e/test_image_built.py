"""The image, built and run by buildah: `make check-image`.

No registry is needed: unless BASE_IMAGE names a base, debootstrap makes a Debian with Python 3.11
once, under runs/image (2 minutes). Differences to the real base are not tested.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.image_build import build, uv_index_settings
from tests.support.paths import ROOT
from tests.support.processes import STOP_TIMEOUT_S, Process, start_on_free_port
from tests.support.tiny_bundle import MOVIES

STORE = ROOT / "runs" / "image"
BASE = "localhost/debian-python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
USER_ID = 1034
RATING = {"event_id": "1", "user_id": "anna", "movie_id": 6, "kind": "rating", "stars": 4}
EVENTS = {"events": [RATING | {"at": "2026-01-01T00:00:00Z"}]}
MISSING = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.image,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah and debootstrap need root"),
]


def command(*words: str) -> list[str]:
    """Return a buildah command that needs no daemon, cgroups or overlays."""
    folders = ["--root", str(STORE / "storage"), "--runroot", str(STORE / "run")]
    return ["buildah", *folders, "--storage-driver", "vfs", *words]


def buildah(*words: str) -> str:
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
    result = subprocess.run(command(*words), env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout.strip()


@pytest.fixture(scope="module")
def base() -> str:
    """The base of the image."""
    if name := os.environ.get("BASE_IMAGE"):
        return name
    if BASE not in buildah("images", "--format", "{{.Name}}").splitlines():
        make_base(STORE / "debian")
    return BASE


def make_base(root: Path) -> None:
    """Make a base like python:3.11-slim, with the package indexes of this machine."""
    shutil.rmtree(root, ignore_errors=True)
    options = ["--variant=minbase", "--include=python3,python3-pip,ca-certificates", "bookworm"]
    result = subprocess.run(["debootstrap", *options, str(root)], capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"debootstrap: {(result.stdout + result.stderr).strip().splitlines()[-1]}")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    if Path(CERTIFICATES).is_file():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    settings = {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES}
    if index := uv_index_settings().get("UV_DEFAULT_INDEX"):
        settings |= {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index}
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/")
    for name, value in settings.items():
        buildah("config", "--env", f"{name}={value}", container)
    buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def container(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A container of the image that the Dockerfile of `bentoml build` makes."""
    bento = build(tmp_path_factory.mktemp("bentoml"), BASE_IMAGE=base)
    dockerfile = str(bento / "env" / "docker" / "Dockerfile")
    buildah("build", "--network", "host", "-f", dockerfile, "-t", "localhost/marquee", str(bento))
    container = buildah("from", "localhost/marquee")
    yield container
    buildah("rm", container)
    buildah("rmi", "--prune")  # those of earlier runs


def test_built_image_is_slim_and_not_root(container: str) -> None:
    config = json.loads(buildah("inspect", container))["OCIv1"]["config"]
    assert config["User"] == "bentoml" and "3000/tcp" in config["ExposedPorts"]
    script = "id -u; command -v gcc git; python -c 'import torch' 2>&1 | tail -1; touch /app/x 2>&1"
    lines = buildah("run", container, "--", "sh", "-c", f"{script}; true").splitlines()
    assert lines[0] == str(USER_ID)
    assert lines[1:] == [
        "ModuleNotFoundError: No module named 'torch'",
        "touch: cannot touch '/app/x': Permission denied",
    ]


def test_container_serves(container: str, bundle_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle_folder, tmp_path / "bundles" / "tiny")
    (tmp_path / "bundles").chmod(0o755)
    words = ["--network", "host", "--volume", f"{tmp_path / 'bundles'}:/bundles:ro"]
    words += ["--env", "BUNDLE=/bundles/tiny", "--env", "API_KEYS=key"]
    entrypoint = "/home/bentoml/bento/env/docker/entrypoint.sh"
    output = tmp_path / "output"

    def serve(port: int) -> Process:
        with output.open("wb") as file:
            return subprocess.Popen(
                command("run", *words, "--env", f"PORT={port}", container, "--", entrypoint),
                env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    url, process = start_on_free_port(serve, output, stop_container)
    try:
        with httpx.Client(base_url=url) as client:
            assert client.post("/events", json=EVENTS).status_code == 401
            client.headers["Authorization"] = "Bearer key"
            assert client.post("/events", json=EVENTS).json()["accepted"] == 1
            answer = client.post("/recommend", json={"k": len(MOVIES)}).json()
            assert len(answer["items"]) == len(MOVIES)
            assert "events.sqlite" in buildah("run", container, "--", "ls", "/events").split()
            version = client.get("/readyz").json()["model_version"]
            assert client.get("/model").json()["model_version"] == version
            assert answer["model_version"] == version
    finally:
        status = stop_container(process)
    assert status == 0 and "Traceback" not in output.read_text(), output.read_text()


def stop_container(process: Process) -> int:
    """Signal the process that an engine would, and return the exit status."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        served = [child for child in children if "/app/.venv/bin/bentoml" in child.cmdline()]
        served[0].send_signal(signal.SIGTERM)
    return process.wait(timeout=STOP_TIMEOUT_S)
