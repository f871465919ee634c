"""The image really built and run, by buildah, for `make check-image`.

No registry is needed: where BASE_IMAGE does not name what to stand on, debootstrap makes a Debian
with Python 3.11 once, under runs/image (2 minutes). What differs in the real base is not tested.
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

from tests.support.image_build import build, settings_of_the_index
from tests.support.paths import ROOT
from tests.support.processes import free_port, wait_until_ready
from tests.support.tiny_bundle import FILMS

STORE = ROOT / "runs" / "image"
BASE = "localhost/debian-python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
USER_ID = 1034
RATING = {"event_id": "1", "user_id": "anna", "movie_id": 6, "kind": "rating", "stars": 4}
EVENTS = {"events": [RATING | {"at": "2026-01-01T00:00:00Z"}]}
MISSING = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.skipif(not os.environ.get("CHECK_IMAGE"), reason="takes minutes: make check-image"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah and debootstrap need root"),
]


def command(*words: str) -> list[str]:
    """Neither a daemon nor cgroups nor overlays: it runs wherever a root shell does."""
    places = ["--root", str(STORE / "storage"), "--runroot", str(STORE / "run")]
    return ["buildah", *places, "--storage-driver", "vfs", *words]


def buildah(*words: str) -> str:
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(command(*words), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base() -> str:
    """What the image stands on."""
    if given := os.environ.get("BASE_IMAGE"):
        return given
    if BASE not in buildah("images", "--format", "{{.Name}}").splitlines():
        make_base(STORE / "debian")
    return BASE


def make_base(root: Path) -> None:
    """As python:3.11-slim, a Python to install into; asks the indexes that this machine asks."""
    shutil.rmtree(root, ignore_errors=True)
    wanted = ["--variant=minbase", "--include=python3,python3-pip,ca-certificates", "bookworm"]
    done = subprocess.run(["debootstrap", *wanted, str(root)], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"debootstrap: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    if Path(CERTIFICATES).is_file():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    settings = {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES}
    if index := settings_of_the_index().get("UV_DEFAULT_INDEX"):
        settings |= {"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index}
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/")
    for name, value in settings.items():
        buildah("config", "--env", f"{name}={value}", container)
    buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def container(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One of the image that the Dockerfile of `bentoml build` makes."""
    bento = build(tmp_path_factory.mktemp("bentoml"), BASE_IMAGE=base)
    dockerfile = str(bento / "env" / "docker" / "Dockerfile")
    buildah("build", "--network", "host", "-f", dockerfile, "-t", "localhost/marquee", str(bento))
    container = buildah("from", "localhost/marquee")
    yield container
    buildah("rm", container)
    buildah("rmi", "--prune")  # those of earlier runs


def test_the_image_is_slim_and_its_user_is_not_root(container: str) -> None:
    found = json.loads(buildah("inspect", container))["OCIv1"]["config"]
    assert found["User"] == "bentoml" and "3000/tcp" in found["ExposedPorts"]
    asked = "id -u; command -v gcc git; python -c 'import torch' 2>&1 | tail -1; touch /app/x 2>&1"
    said = buildah("run", container, "--", "sh", "-c", f"{asked}; true").splitlines()
    assert said[0] == str(USER_ID)
    assert said[1:] == [
        "ModuleNotFoundError: No module named 'torch'",
        "touch: cannot touch '/app/x': Permission denied",
    ]


def test_a_container_serves(container: str, bundle_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    shutil.copytree(bundle_folder, tmp_path / "bundles" / "tiny")
    (tmp_path / "bundles").chmod(0o755)
    settings = {"PORT": str(port), "BUNDLE": "/bundles/tiny", "API_KEYS": "key"}
    words = ["--network", "host", "--volume", f"{tmp_path / 'bundles'}:/bundles:ro"]
    words += [word for pair in settings.items() for word in ("--env", "=".join(pair))]
    entrypoint = "/home/bentoml/bento/env/docker/entrypoint.sh"
    process = subprocess.Popen(
        command("run", *words, container, "--", entrypoint),
        env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
            assert client.post("/events", json=EVENTS).status_code == 401
            client.headers["Authorization"] = "Bearer key"
            assert client.post("/events", json=EVENTS).json()["accepted"] == 1
            answer = client.post("/recommend", json={"k": len(FILMS)}).json()
            assert len(answer["items"]) == len(FILMS)
            assert "events.sqlite" in buildah("run", container, "--", "ls", "/events").split()
            version = client.get("/readyz").json()["model_version"]
            assert client.get("/model").json()["model_version"] == version
            assert answer["model_version"] == version
    finally:
        first_of(process).send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in output, output


def first_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """The process that an engine would signal: what the entrypoint became."""
    inside = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in inside if "/app/.venv/bin/bentoml" in child.cmdline())
