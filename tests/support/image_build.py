"""Build the Bento of the image, and run the steps of its Dockerfile without Docker.

uv reads no pip.conf: the package indexes of pip are passed on to it.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.paths import ROOT

UNREACHABLE = re.compile(r"Failed to fetch: .*|.*error sending request.*|.*dns error.*")


def build(home: Path, **settings: str) -> Path:
    """Build the Bento in a store outside the repository, or it would hold itself."""
    environment = {name: value for name, value in os.environ.items() if name != "BASE_IMAGE"}
    environment |= {"BENTOML_HOME": str(home)} | settings
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", "--version", "tested"]
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return home / "bentos" / "marquee" / "tested"


def dockerfile(bento: Path) -> str:
    return (bento / "env" / "docker" / "Dockerfile").read_text()


def steps(bento: Path) -> list[str]:
    """Return the commands that make a virtual environment at BENTO/.venv and install into it."""
    runs = re.findall(r"^RUN ((?:.*\\\n)*.*)$", dockerfile(bento), re.M)
    uv_runs = [run for run in runs if re.search(r"\buv (venv|--directory) ", run)]
    assert len(uv_runs) == 2, runs
    return [run.partition("&& \\\n    chown")[0].replace("/app/", f"{bento}/") for run in uv_runs]


def uv_settings(bento: Path) -> dict[str, str]:
    """Return those of the Dockerfile, but with the cache, which makes the second test short."""
    settings = dict(re.findall(r"^ARG (UV_\w+)=(.*)$", dockerfile(bento), re.M))
    return {name: value for name, value in settings.items() if name != "UV_NO_CACHE"}


def uv_index_settings() -> dict[str, str]:
    """Return pip's configuration for uv; any index may hold a package, as with pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pip = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", output, re.M))
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "cert": "SSL_CERT_FILE",
    }
    settings = {uv: pip[name] for name, uv in names.items() if name in pip}
    return settings | {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def install(bento: Path) -> "subprocess.CompletedProcess[str]":
    """Run the steps; return the last process, or the first one that failed."""
    environment = os.environ | uv_index_settings() | uv_settings(bento)
    environment["PATH"] = f"{sysconfig.get_path('scripts')}:{environment['PATH']}"
    environment |= {"BENTO_PATH": str(bento), "VIRTUAL_ENV": str(bento / ".venv")}
    for step in steps(bento):
        command = ["sh", "-c", step]
        process = subprocess.run(
            command, cwd=bento, env=environment, capture_output=True, text=True
        )
        if process.returncode != 0:
            break
    return process
