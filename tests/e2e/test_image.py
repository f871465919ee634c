"""The image: what `bentoml build` puts into it, from which hashes, and that it serves."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.image_build import UNREACHABLE, build, dockerfile, install
from tests.support.paths import ROOT
from tests.support.processes import free_port, wait_until_ready
from tests.support.tiny_bundle import FILMS

LOCK = (ROOT / "requirements-serving.lock").read_text()
NOT_IN_IT = ("torch", "pytorch-lightning", "comet-ml", "pandas", "pyarrow", "scipy", "scikit-learn")
PACKAGES = ("core", "recommender", "feedback", "releases", "api")
"""Of marquee/, whole. What is run beside the service, on a machine that has what training needs,
lies in other packages, so that bentofile.yaml excludes nothing."""
NOT_IMPORTED = {"uvloop", "httptools", "psycopg"}
"""Found by name: the first two by uvicorn, the third by SQLAlchemy."""


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bentoml"))


@pytest.fixture(scope="module")
def installed(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with its packages beside it, as in the image."""
    copy = tmp_path_factory.mktemp("image") / "bento"
    shutil.copytree(bento, copy)
    done = install(copy)
    if done.returncode != 0 and (found := UNREACHABLE.search(done.stderr)):
        pytest.skip(f"packages cannot be fetched here: {found.group().strip()}")
    assert done.returncode == 0, done.stderr
    return copy


def pins(text: str) -> dict[str, str]:
    """name -> version of each package that a lock holds with a hash."""
    return dict(re.findall(r"^([\w.-]+)==(\S+) \\\n +--hash=sha256:[0-9a-f]{64}", text, re.M))


def requirements() -> dict[str, Requirement]:
    lines = (ROOT / "requirements-serving.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def served() -> list[Path]:
    """The files of the service."""
    paths = [path for name in PACKAGES for path in (ROOT / "marquee" / name).rglob("*.py")]
    return [ROOT / "service.py", ROOT / "marquee" / "__init__.py", *paths]


def test_folders_are_included_and_nothing_is_excluded() -> None:
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    single = {"/service.py", "/marquee/__init__.py", "/requirements-serving.lock"}
    folders = {f"/marquee/{name}/**/*.py" for name in PACKAGES}
    assert "exclude" not in bento and set(bento["include"]) == single | folders


def test_the_bento_holds_the_service_and_nothing_else(bento: Path) -> None:
    src = bento / "src"
    held = {str(path.relative_to(src)) for path in src.rglob("*") if path.is_file()}
    beside = {"bentofile.yaml", "requirements-serving.lock"}
    assert held == {str(path.relative_to(ROOT)) for path in served()} | beside


def test_base_installer_and_packages_are_named_by_their_hashes(bento: Path) -> None:
    said = dockerfile(bento)
    (base,) = re.findall(r"^FROM (\S+)", said, re.M)
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert re.search(
        r"^RUN echo 'uv==\S+( --hash=sha256:[0-9a-f]{64}){2}' .*--require-hashes", said, re.M
    )
    assert "apt-get" not in said and "build-essential" not in said
    assert {"ARG UV_REQUIRE_HASHES=1", "ARG UV_NO_BUILD=1"} <= set(said.splitlines())
    installed = (bento / "env" / "python" / "requirements.txt").read_text()
    without = [line for line in installed.splitlines() if "==" in line and "\\" not in line]
    assert without == [f"bentoml=={pins(LOCK)['bentoml']}"]
    assert pins(installed) == pins(LOCK)


def test_another_base_is_taken_from_the_environment(tmp_path: Path) -> None:
    assert "\nFROM mirror/python:3.11 AS " in dockerfile(
        build(tmp_path, BASE_IMAGE="mirror/python:3.11")
    )


def test_the_lock_is_what_was_tested_without_training_libraries() -> None:
    held, tested = pins(LOCK), pins((ROOT / "requirements.lock").read_text())
    assert len(held) == len(re.findall(r"^[^ #]", LOCK, re.M)) and "://" not in LOCK
    assert held == {name: tested.get(name) for name in held}
    assert not set(NOT_IN_IT) & set(held)
    for name, requirement in requirements().items():
        assert requirement.specifier.contains(held[name]), f"{requirement}: run make lock"


def test_requirements_are_what_the_service_imports() -> None:
    """Both ways; what BentoML, pydantic and boto3 bring along need not be named again."""
    modules = set().union(*map(imported, served()))
    of_module = packages_distributions()
    names = {canonicalize_name(of_module[name][0]) for name in modules if name in of_module}
    brought = {
        canonicalize_name(Requirement(line).name)
        for name in ("bentoml", "pydantic", "boto3", "botocore")
        for line in requires(name) or []
    }
    assert names - brought - {"marquee", "faiss-cpu"} <= set(requirements())
    assert set(requirements()) <= names | NOT_IMPORTED
    assert not {"datamodules", "models", "deploy", "train"} & modules
    assert set().union(*map(packages, served())) <= {f"marquee.{name}" for name in PACKAGES}


def imported(path: Path) -> set[str]:
    """Names of the modules that are not Python's own."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    found |= {n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    return found - set(sys.stdlib_module_names)


def packages(path: Path) -> set[str]:
    """Names of our packages that are imported: "marquee.core"."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    found = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    found |= {
        f"{n.module}.{n.names[0].name}" if n.module == "marquee" else n.module or ""
        for n in nodes
        if isinstance(n, ast.ImportFrom)
    }
    return {".".join(name.split(".")[:2]) for name in found if name.split(".")[0] == "marquee"}


def test_ranges_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    ranges = {str(Requirement(line)) for lines in groups for line in lines}
    assert {str(requirement) for requirement in requirements().values()} <= ranges


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            r"(^six==.*\n +--hash=sha256:).{64}",
            rf"\g<1>{'0' * 64}",
            "Hash mismatch",
            id="other-bytes",
        ),
        pytest.param(
            r"(^six==\S+) \\\n( +--hash=.*\n)+", r"\g<1>\n", "must have a hash", id="no-hash"
        ),
        pytest.param(r"^six==.*\n( +--hash=.*\n)+", "", "six", id="not-listed"),
    ],
)
def test_packages_without_their_hash_are_refused(
    installed: Path, bento: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    copy = tmp_path / "bento"
    shutil.copytree(bento, copy)
    for name in ("src/requirements-serving.lock", "env/python/requirements.txt"):
        text = (copy / name).read_text()
        changed = re.sub(old, new, text, flags=re.M)
        assert changed != text
        (copy / name).write_text(changed)
    done = install(copy)
    assert done.returncode != 0 and said in done.stderr
    assert not list((copy / ".venv").glob("lib/*/site-packages/bentoml"))


def test_every_file_finds_what_it_imports(installed: Path) -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in served()]
    names = [".".join(file.parts) for file in files if "migrations" not in file.parts]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    command = [str(installed / ".venv/bin/python"), "-c", code]
    done = subprocess.run(command, cwd=installed / "src", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_image_serves(installed: Path, bundle_folder: Path) -> None:
    """Its entrypoint, as started by a container: events lie where it was started, unless it is told
    a place, and paths may be relative."""
    port = free_port()
    shutil.copytree(bundle_folder, installed / "bundle")
    environment = {"PATH": os.environ["PATH"], "HOME": str(installed), "PORT": str(port)}
    environment |= {"BENTOML_CONTAINERIZED": "true", "BENTO_PATH": str(installed)}
    environment |= {"BENTOML_HOME": str(installed), "BENTOML_DO_NOT_TRACK": "True"}
    process = subprocess.Popen(
        ["bash", "env/docker/entrypoint.sh", "serve"],
        cwd=installed,
        env=environment | {"BUNDLE": "bundle"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
            version = client.get("/readyz").json()["model_version"]
            assert client.get("/model").json()["model_version"] == version
            answer = client.post("/recommend", json={"k": len(FILMS)}).json()
            assert len(answer["items"]) == len(FILMS) and answer["model_version"] == version
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in output, output
    assert (installed / "events.sqlite").is_file() and not (
        installed / "src/events.sqlite"
    ).exists()
