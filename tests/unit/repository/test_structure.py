"""The structure: what scripts import, and that README, docs and locks keep their limits."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

CODE = ("marquee", "datamodules", "models", "app_pages", "deploy", "clients/python")
FILES = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_app_pages_do_not_import_altair() -> None:
    """It asks for pandas.Timestamp wherever pandas is begun, and another visitor's page may have
    only begun to import it: two of four people who came together after a start saw an error."""
    for path in [ROOT / "app.py", *sorted((ROOT / "app_pages").glob("*.py"))]:
        assert not any(name.split(".")[0] == "altair" for name in imports(path)), path.name
        assert "altair_chart" not in path.read_text(), path.name


@pytest.mark.parametrize(
    ("script", "allowed"),
    [
        ("app.py", {"app_pages", "marquee_client"}),
        ("service.py", {"marquee.api"}),
        ("train.py", {"marquee.training", "marquee.core", "datamodules", "models"}),
    ],
)
def test_scripts_import_their_packages_only(script: str, allowed: set[str]) -> None:
    packages = {"marquee", "datamodules", "models", "app_pages", "deploy", "marquee_client"}
    for name in imports(ROOT / script):
        if name.split(".")[0] in packages:
            assert any(name == each or name.startswith(f"{each}.") for each in allowed), name


def test_readme_tree_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = readme[readme.rindex("```text\n") + len("```text\n") :].partition("```")[0]
    listed = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    assert {name for name in listed if not (ROOT / name).exists()} == set()
    packages = [path.parent for path in (ROOT / "marquee").glob("*/__init__.py")]
    top = [ROOT / name for name in ("datamodules", "models", "app_pages", "deploy", "benchmarks")]
    assert {str(path.relative_to(ROOT)) for path in [*packages, *top]} <= listed


def test_readme_is_short() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 200
    assert len(readme.split()) <= 2500


def test_decision_records_are_short_and_indexed() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "index.md").read_text()
    for record in sorted(folder.glob("[0-9]*.md")):
        assert len(record.read_text().splitlines()) <= 40, record.name
        assert record.name in index, record.name


def test_every_setting_by_environment_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    code = "".join(path.read_text() for path in [*FILES, *ROOT.glob("*.py")])
    names = set(re.findall(r"""environ\w*(?:\.get)?[\[(,]\s*["']([A-Z_]+)["']""", code))
    assert {"DATA_ROOT", "BUNDLE", "API_KEYS"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_locks_hold_no_addresses() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        assert "://" not in lock.read_text(), lock.name
