"""Test that clients that are not ours call every endpoint: generated ones, and BentoML's own.

The generators come from PyPI and npm, at the versions in tests/support/generated_clients/, into a
folder of this run.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bentoml
import httpx
import pytest

from marquee.api.openapi import POST_ENDPOINTS
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES
from marquee.api.routes import POST_ROUTES
from tests.support.paths import ROOT
from tests.support.processes import output_of, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SOURCES = ROOT / "tests/support/generated_clients"
KEY = "a-key"
MIN_NODE = 20
CLIENT_PACKAGE = "marquee_generated"
TYPESCRIPT_OPTIONS = ["--strict", "--noUncheckedIndexedAccess", "--skipLibCheck"]
TYPESCRIPT_OPTIONS += ["--module", "nodenext", "--target", "es2022", "--types", "node"]


@pytest.fixture(scope="module")
def service(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Run a service with a key that logs every request; its URL and its output."""
    home = tmp_path_factory.mktemp("service")
    with running(bundle_folder, home, API_KEYS=f"{KEY}:admin", LOG_REQUESTS="all") as (url, _):
        yield url, output_of(home)


@pytest.fixture(scope="module")
def python_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the generators that are written in Python, or wrapped in it."""
    folder = tmp_path_factory.mktemp("python_packages")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile"]
    install([*pip, "--target", str(folder), "-r", str(SOURCES / "requirements.txt")], folder)
    return folder


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the packages of npm, and copy what uses them beside them."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed (Debian: nodejs npm)")
    version = subprocess.check_output(["node", "--version"], text=True)
    if int(version.lstrip("v").split(".")[0]) < MIN_NODE:
        pytest.skip(f"node is {version.strip()}, expected v{MIN_NODE} or newer")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    install(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return folder


def install(command: list[str], folder: Path) -> None:
    """Run an installer; skip where its registry cannot be reached or lacks the version."""
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} has not installed the generators in 300 s")
    if result.returncode:
        pytest.skip(f"{command[0]} cannot install the generators: {result.stderr[-500:]}")


def run(command: list[str], folder: Path, **variables: str) -> None:
    result = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, f"{command}: {result.stdout[-4000:]}{result.stderr[-4000:]}"


def write_document(url: str, folder: Path) -> None:
    (folder / "openapi.json").write_text(httpx.get(f"{url}/openapi.json").text)


def requests_of_log(lines: list[str]) -> set[tuple[str, str]]:
    """Return the method and the path of each request that was answered with 200."""
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    return {(entry["method"], entry["route"]) for entry in entries if entry["status"] == 200}


def check_every_operation_is_called(
    service: tuple[str, Path], command: list[str], folder: Path, **variables: str
) -> None:
    """Run a script that calls the service; the service's log says what has reached it."""
    url, output = service
    document = json.loads((folder / "openapi.json").read_text())
    operations = {(m.upper(), path) for path, ms in document["paths"].items() for m in ms}
    num_lines = len(output.read_text().splitlines())
    run(command, folder, SERVICE_URL=url, SERVICE_KEY=KEY, **variables)
    missing = operations - requests_of_log(output.read_text().splitlines()[num_lines:])
    assert missing == set(), f"add calls of these to {command[-1]}"


@pytest.mark.parametrize("generator", ["openapi-python-client", "openapi-generator"])
def test_generated_python_client_calls_every_endpoint(
    service: tuple[str, Path], python_packages: Path, tmp_path: Path, generator: str
) -> None:
    write_document(service[0], tmp_path)
    modules = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(python_packages)])}
    if generator == "openapi-python-client":
        options = ["--path", "openapi.json", "--meta", "none", "--output-path", CLIENT_PACKAGE]
        command = ["openapi-python-client", "generate", *options]
    else:
        if shutil.which("java") is None:
            pytest.skip("java is not installed (Debian: default-jre-headless)")
        options = ["-i", "openapi.json", "-g", "python", "-o", ".", "--package-name"]
        command = ["openapi-generator-cli", "generate", *options, CLIENT_PACKAGE]
    run([str(python_packages / "bin" / command[0]), *command[1:]], tmp_path, **modules)
    script = str(SOURCES / f"call_{generator.replace('-', '_')}.py")
    check_every_operation_is_called(service, [sys.executable, script], tmp_path, **modules)


@pytest.mark.parametrize("generator", ["openapi-typescript", "orval"])
def test_generated_typescript_client_calls_every_endpoint(
    service: tuple[str, Path], node_folder: Path, generator: str
) -> None:
    write_document(service[0], node_folder)
    if generator == "openapi-typescript":
        script, options = "call_openapi_fetch", ["openapi.json", "-o", "generated/api.d.ts"]
    else:
        script, options = "call_orval", ["--config", "orval.config.mjs"]
    run([f"node_modules/.bin/{generator}", *options], node_folder, SERVICE_URL=service[0])
    run(["node_modules/.bin/tsc", *TYPESCRIPT_OPTIONS, f"{script}.ts"], node_folder)
    check_every_operation_is_called(service, ["node", f"{script}.js"], node_folder)


def test_bentoml_client_calls_every_endpoint_with_a_body(service: tuple[str, Path]) -> None:
    """It reads /schema.json, with the key; each body is one argument."""
    url, _ = service
    with bentoml.SyncHTTPClient(url, token=KEY) as client:
        routes = {name: endpoint.route for name, endpoint in client.endpoints.items()}
        assert set(routes.values()) == POST_ENDPOINTS.keys() - POST_ROUTES.keys()
        for name, route in routes.items():
            answer = getattr(client, name)(REQUEST_EXAMPLES[route])
            assert set(answer) >= set(RESPONSE_EXAMPLES[route]) - {"countries"}, route
        with pytest.raises(bentoml.exceptions.BentoMLException, match='"code":"invalid"'):
            client.similar({"k": 2})
    with pytest.raises(bentoml.exceptions.BentoMLException, match="schema"):
        bentoml.SyncHTTPClient(url)
