"""The image without Docker: its Bento built, and the steps of its Dockerfile taken by hand.

Packages come from where pip is configured to take them on this machine; uv reads no pip.conf.
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
    """The Bento, in a store of its own; it lies outside the repository, or it would hold itself."""
    environment = {name: value for name, value in os.environ.items() if name != "BASE_IMAGE"}
    environment |= {"BENTOML_HOME": str(home)} | settings
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag", "--version", "tested"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "bentos" / "marquee" / "tested"


def dockerfile(bento: Path) -> str:
    return (bento / "env" / "docker" / "Dockerfile").read_text()


def steps(bento: Path) -> list[str]:
    """Its commands that make a virtual environment and install into it, at BENTO/.venv."""
    runs = re.findall(r"^RUN ((?:.*\\\n)*.*)$", dockerfile(bento), re.M)
    ours = [run for run in runs if re.search(r"\buv (venv|--directory) ", run)]
    assert len(ours) == 2, runs
    return [run.partition("&& \\\n    chown")[0].replace("/app/", f"{bento}/") for run in ours]


def settings_of_uv(bento: Path) -> dict[str, str]:
    """As the Dockerfile has them, but for the cache, which makes the second test short."""
    found = dict(re.findall(r"^ARG (UV_\w+)=(.*)$", dockerfile(bento), re.M))
    return {name: value for name, value in found.items() if name != "UV_NO_CACHE"}


def settings_of_the_index() -> dict[str, str]:
    """pip's configuration in uv's words; a package may lie in any of the indexes, as with pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pip = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", said, re.M))
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "cert": "SSL_CERT_FILE",
    }
    found = {uv: pip[name] for name, uv in names.items() if name in pip}
    return found | {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def install(bento: Path) -> "subprocess.CompletedProcess[str]":
    """Take the steps; what the last one said, or the first that failed."""
    environment = os.environ | settings_of_the_index() | settings_of_uv(bento)
    environment["PATH"] = f"{sysconfig.get_path('scripts')}:{environment['PATH']}"
    environment |= {"BENTO_PATH": str(bento), "VIRTUAL_ENV": str(bento / ".venv")}
    for step in steps(bento):
        command = ["sh", "-c", step]
        done = subprocess.run(command, cwd=bento, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            break
    return done
