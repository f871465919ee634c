"""The image: files that `bentoml build` puts into it, hashes, imports, and a served answer."""

import ast
import os
import re
import shutil
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
from tests.support.processes import Process, start_on_free_port, stop
from tests.support.tiny_bundle import MOVIES

LOCK = (ROOT / "requirements-serving.lock").read_text()
TRAINING_PACKAGES = (
    "torch",
    "pytorch-lightning",
    "comet-ml",
    "pandas",
    "pyarrow",
    "scipy",
    "scikit-learn",
)
PACKAGES = ("core", "recommender", "catalog", "feedback", "releases", "api")
"""Of marquee/. The other packages need what training needs, so bentofile.yaml excludes nothing."""
LOADED_BY_NAME = {"uvloop", "httptools", "psycopg", "tqdm", "jinja2"}
"""uvicorn and SQLAlchemy load the first three by name; `marquee releases` needs the others."""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bentoml"))


@pytest.fixture(scope="module")
def installed(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with its packages beside it, as in the image."""
    copy = tmp_path_factory.mktemp("image") / "bento"
    shutil.copytree(bento, copy)
    result = install(copy)
    if result.returncode != 0 and (reason := UNREACHABLE.search(result.stderr)):
        pytest.skip(f"packages cannot be fetched here: {reason.group().strip()}")
    assert result.returncode == 0, result.stderr
    return copy


def pins(text: str) -> dict[str, str]:
    """Return the version of each package that a lock holds with a hash."""
    pin = r"^([\w.-]+)==([^\s;]+)(?: ?; .+)? \\\n +--hash=sha256:[0-9a-f]{64}"
    return dict(re.findall(pin, text, re.M))


def requirements() -> dict[str, Requirement]:
    """Return those of the wheel, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parsed = [Requirement(line) for line in project["dependencies"]]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def service_files() -> list[Path]:
    paths = [path for name in PACKAGES for path in (ROOT / "marquee" / name).rglob("*.py")]
    return [ROOT / "service.py", ROOT / "marquee" / "__init__.py", *paths]


def test_bentofile_includes_whole_folders() -> None:
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    files = {"/service.py", "/marquee/__init__.py", "/requirements-serving.lock"}
    folders = {f"/marquee/{name}/**/*.py" for name in PACKAGES}
    assert "exclude" not in bento and set(bento["include"]) == files | folders


def test_bento_holds_the_service_alone(bento: Path) -> None:
    src = bento / "src"
    names = {str(path.relative_to(src)) for path in src.rglob("*") if path.is_file()}
    build_files = {"bentofile.yaml", "requirements-serving.lock"}
    assert names == {str(path.relative_to(ROOT)) for path in service_files()} | build_files


def test_dockerfile_pins_base_and_packages_by_hash(bento: Path) -> None:
    text = dockerfile(bento)
    (base,) = re.findall(r"^FROM (\S+)", text, re.M)
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert re.search(
        r"^RUN echo 'uv==\S+( --hash=sha256:[0-9a-f]{64}){2}' .*--require-hashes", text, re.M
    )
    assert "apt-get" not in text and "build-essential" not in text
    assert {"ARG UV_REQUIRE_HASHES=1", "ARG UV_NO_BUILD=1"} <= set(text.splitlines())
    requirements_txt = (bento / "env" / "python" / "requirements.txt").read_text()
    without_hash = [
        line for line in requirements_txt.splitlines() if "==" in line and "\\" not in line
    ]
    assert without_hash == [f"bentoml=={pins(LOCK)['bentoml']}"]
    assert pins(requirements_txt) == pins(LOCK)


def test_dockerfile_takes_base_image_from_environment(tmp_path: Path) -> None:
    assert "\nFROM mirror/python:3.11 AS " in dockerfile(
        build(tmp_path, BASE_IMAGE="mirror/python:3.11")
    )


def test_serving_lock_is_a_subset_of_the_lock() -> None:
    serving, all_pins = pins(LOCK), pins((ROOT / "requirements.lock").read_text())
    assert len(serving) == len(re.findall(r"^[^ #]", LOCK, re.M)) and "://" not in LOCK
    assert serving == {name: all_pins.get(name) for name in serving}
    assert not set(TRAINING_PACKAGES) & set(serving)
    for name, requirement in requirements().items():
        assert requirement.specifier.contains(serving[name]), f"{requirement}: run make lock"


def test_requirements_match_the_imports_of_serving() -> None:
    """Packages that BentoML, pydantic and boto3 bring along need not be listed."""
    modules = set().union(*map(imported_modules, service_files()))
    packages_of = packages_distributions()
    names = {canonicalize_name(packages_of[name][0]) for name in modules if name in packages_of}
    transitive = {
        canonicalize_name(Requirement(line).name)
        for name in ("bentoml", "pydantic", "boto3", "botocore")
        for line in requires(name) or []
    }
    assert names - transitive - {"marquee", "faiss-cpu"} <= set(requirements())
    assert set(requirements()) <= names | LOADED_BY_NAME
    assert not {"datamodules", "models", "deploy", "train"} & modules
    assert set().union(*map(imported_packages, service_files())) <= {
        f"marquee.{name}" for name in PACKAGES
    }


def imported_modules(path: Path) -> set[str]:
    """Return the top-level modules outside the standard library."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    return names - set(sys.stdlib_module_names)


def imported_packages(path: Path) -> set[str]:
    """Return our packages that a file imports: "marquee.core"."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {
        f"{n.module}.{n.names[0].name}" if n.module == "marquee" else n.module or ""
        for n in nodes
        if isinstance(n, ast.ImportFrom)
    }
    return {".".join(name.split(".")[:2]) for name in names if name.split(".")[0] == "marquee"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
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
def test_install_without_hash_is_refused(
    installed: Path, bento: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    copy = tmp_path / "bento"
    shutil.copytree(bento, copy)
    for name in ("src/requirements-serving.lock", "env/python/requirements.txt"):
        text = (copy / name).read_text()
        changed = re.sub(old, new, text, flags=re.M)
        assert changed != text
        (copy / name).write_text(changed)
    result = install(copy)
    assert result.returncode != 0 and message in result.stderr
    assert not list((copy / ".venv").glob("lib/*/site-packages/bentoml"))


def test_installed_image_imports_every_module(installed: Path) -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in service_files()]
    names = [".".join(file.parts) for file in files if "migrations" not in file.parts]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    command = [str(installed / ".venv/bin/python"), "-c", code]
    result = subprocess.run(command, cwd=installed / "src", capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_installed_image_serves(installed: Path, bundle_folder: Path) -> None:
    """The entrypoint as a container starts it: events go to the working directory."""
    shutil.copytree(bundle_folder, installed / "bundle")
    environment = {"PATH": os.environ["PATH"], "HOME": str(installed), "BUNDLE": "bundle"}
    environment |= {"BENTOML_CONTAINERIZED": "true", "BENTO_PATH": str(installed)}
    environment |= {"BENTOML_HOME": str(installed), "BENTOML_DO_NOT_TRACK": "True"}
    output = installed / "output"

    def serve(port: int) -> Process:
        with output.open("wb") as file:
            return subprocess.Popen(
                ["bash", "env/docker/entrypoint.sh", "serve"],
                cwd=installed,
                env=environment | {"PORT": str(port)},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    url, process = start_on_free_port(serve, output, stop)
    try:
        with httpx.Client(base_url=url) as client:
            version = client.get("/readyz").json()["model_version"]
            assert client.get("/model").json()["model_version"] == version
            answer = client.post("/recommend", json={"k": len(MOVIES)}).json()
            assert len(answer["items"]) == len(MOVIES) and answer["model_version"] == version
    finally:
        status = stop(process)
    assert status == 0 and "Traceback" not in output.read_text(), output.read_text()
    assert (installed / "events.sqlite").is_file() and not (
        installed / "src/events.sqlite"
    ).exists()
