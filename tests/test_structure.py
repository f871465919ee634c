"""The house: who may import whom, what serving must not load, and that documents tell the truth."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marquee.evaluation.doc_tables.tables import filled

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "catalogue": set(),
    "datamodules": {"catalogue"},
    "serving": {"catalogue"},
    "evaluation": {"catalogue", "marquee.recommender.rerank", "marquee.recommender.calibration"},
    "models": {"catalogue", "marquee.evaluation.metrics.ranking"},
    "marquee.training.export": {"catalogue", "models", "marquee.recommender.bundle"},
    "training": {"catalogue", "datamodules", "evaluation", "models", "serving"},
    "releases": {"catalogue", "marquee.recommender.bundle"},
    "marquee.promotion.gate": {"catalogue", "serving"},
    "marquee.promotion.compare_versions": {
        "catalogue",
        "datamodules",
        "evaluation",
        "serving",
        "training",
    },
    "insights": {"catalogue", "datamodules", "evaluation", "serving"},
    "deploy": {"catalogue", "client", "releases", "marquee.recommender.bundle"},
    "client": set(),
    "marquee_client": set(),
    "app_pages": {"marquee_client"},
}
ROOMS = [room for room in MAY_IMPORT if "." not in room]
DOORS = {"train", "service", "app"}
"""Nothing below imports them."""
FOLDERS = [*ROOMS, "clients/python/marquee_client"]
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_rooms_import_only_downwards(path: Path) -> None:
    room = ".".join(path.parent.relative_to(ROOT).parts)
    allowed = MAY_IMPORT.get(f"{room}.{path.stem}", MAY_IMPORT[room]) | {room}
    for name in imports(path):
        if name.split(".")[0] in {*ROOMS, *DOORS}:
            ours = any(name == a or name.startswith(a + ".") for a in allowed)
            assert ours, f"{room}/{path.name} imports {name}; allowed: {sorted(allowed)}"


def test_the_app_knows_the_service_only_by_its_client() -> None:
    ours = {name for name in imports(ROOT / "app.py") if name.split(".")[0] in {*ROOMS, *DOORS}}
    assert ours <= {"app_pages", "marquee_client"}


def test_serving_loads_nothing_of_training() -> None:
    check = f"import service, sys; print(sorted(set({NOT_IN_SERVING}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


def shown_in_the_tree(readme: str) -> set[str]:
    """room/file of every name in the last block of the README."""
    tree = readme[readme.rindex("```text\n") + len("```text\n") :]
    shown, room = set(), ""
    for line in tree[: tree.index("```")].splitlines():
        names = re.findall(
            r"(?:^|\s)([\w-][\w.-]*\.[a-z]+|Makefile|LICENSE|[a-z_/]+/)(?=\s\s|$)", line
        )
        if not line.startswith(" "):
            room = names[0] if names[0].endswith("/") else ""
        shown |= {room + name for name in names if not name.endswith("/")}
    return shown


def test_the_readme_tree_is_the_repository() -> None:
    kinds = {f"{folder}/": "*.py" for folder in [*FOLDERS, "benchmarks"]}
    kinds |= {"recipes/": "*.yaml", "deploy/": "*.*", "docs/": "*.md", "": "[!.]*"}
    there = {room + path.name for room, kind in kinds.items() for path in (ROOT / room).glob(kind)}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    there &= set(listed.stdout.splitlines())
    there = {name for name in there if not name.endswith(("__init__.py", "README.md"))}
    assert shown_in_the_tree((ROOT / "README.md").read_text()) == there


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
    assert filled(readme, ROOT / "results") == readme, "run: marquee doc-tables"
