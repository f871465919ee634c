"""The structure: the import table, what serving must not load, and that documents are true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marquee.evaluation.doc_tables.readme import render_readme
from tests.support.paths import ROOT

CODE = ("marquee", "datamodules", "models", "app_pages", "deploy", "clients/python")
FILES = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
NOT_IN_SERVING = (
    "torch",
    "pytorch_lightning",
    "comet_ml",
    "sklearn",
    "nltk",
    "pandas",
    "pyarrow",
    "ray",
    "alembic",
    "psycopg",
)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_no_page_takes_altair() -> None:
    """It asks for pandas.Timestamp wherever pandas is begun, and another visitor's page may have
    only begun to import it: two of four people who came together after a start saw an error."""
    for path in [ROOT / "app.py", *sorted((ROOT / "app_pages").glob("*.py"))]:
        assert not any(name.split(".")[0] == "altair" for name in imports(path)), path.name
        assert "altair_chart" not in path.read_text(), path.name


def test_packages_import_only_what_the_table_allows() -> None:
    """DESIGN's import table, as contracts of import-linter in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("script", "allowed"),
    [
        ("app.py", {"app_pages", "marquee_client"}),
        ("service.py", {"marquee.api"}),
        ("train.py", {"marquee.training", "marquee.core", "datamodules", "models"}),
    ],
)
def test_a_script_imports_only_its_package(script: str, allowed: set[str]) -> None:
    ours = {"marquee", "datamodules", "models", "app_pages", "deploy", "marquee_client"}
    for name in imports(ROOT / script):
        if name.split(".")[0] in ours:
            assert any(name == each or name.startswith(f"{each}.") for each in allowed), name


def test_serving_loads_nothing_of_training() -> None:
    check = f"import service, sys; print(sorted(set({NOT_IN_SERVING}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


def test_the_readme_tree_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = readme[readme.rindex("```text\n") + len("```text\n") :].partition("```")[0]
    shown = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    assert {name for name in shown if not (ROOT / name).exists()} == set()
    packages = [path.parent for path in (ROOT / "marquee").glob("*/__init__.py")]
    top = [ROOT / name for name in ("datamodules", "models", "app_pages", "deploy", "benchmarks")]
    assert {str(path.relative_to(ROOT)) for path in [*packages, *top]} <= shown


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for target in re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert target in targets


def test_every_setting_by_environment_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    code = "".join(path.read_text() for path in [*FILES, *ROOT.glob("*.py")])
    read = set(re.findall(r"""environ\w*(?:\.get)?[\[(,]\s*["']([A-Z_]+)["']""", code))
    assert {"DATA_ROOT", "BUNDLE", "API_KEYS"} <= read
    for name in read:
        assert f"`{name}`" in readme, name


def test_the_tables_of_the_readme_are_those_of_results() -> None:
    readme = (ROOT / "README.md").read_text()
    assert render_readme(readme, ROOT / "results") == readme, "run: marquee doc-tables"
