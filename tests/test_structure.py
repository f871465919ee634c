"""The house: who may import whom, what serving must not load, and that documents tell the truth."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("catalogue", "datamodules", "models", "evaluation", "serving", "client")
MAY_IMPORT = {
    "catalogue": set(),
    "datamodules": {"catalogue"},
    "serving": {"catalogue"},
    "evaluation": {"catalogue", "serving.rerank"},
    "models": {"catalogue", "evaluation.metrics"},
    "models.export": {"catalogue", "models", "serving.bundle"},
    "client": set(),
}
NOT_IN_SERVING = ("torch", "pytorch_lightning", "comet_ml", "sklearn", "nltk", "pandas", "pyarrow")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize(
    "path", [p for r in ROOMS for p in sorted((ROOT / r).glob("*.py"))], ids=str
)
def test_imports_only_point_down(path: Path) -> None:
    room = path.parent.name
    allowed = MAY_IMPORT.get(f"{room}.{path.stem}", MAY_IMPORT[room]) | {room}
    doors = {"train", "recipe", "measure", "tracking", "service"}
    for name in imports(path):
        if name.split(".")[0] in {*ROOMS, *doors}:
            ours = any(name == a or name.startswith(a + ".") for a in allowed)
            assert ours, f"{room}/{path.name} imports {name}; allowed: {sorted(allowed)}"


def test_serving_loads_nothing_of_training() -> None:
    check = f"import service, sys; print(sorted(set({NOT_IN_SERVING}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


def test_the_readme_tree_names_every_file() -> None:
    readme = (ROOT / "README.md").read_text()
    files = [path for room in ROOMS for path in (ROOT / room).glob("*.py")]
    files += [
        path for room in ("recipes", "benchmarks", "docs") for path in (ROOT / room).glob("*.*")
    ]
    files += list(ROOT.glob("*.py"))
    names = {path.name for path in files} - {"__init__.py"}
    tree = readme[readme.rindex("```text") :]
    shown = set(re.findall(r"[\w.-]+\.(?:py|yaml|md)", tree[: tree.index("```", 7)]))
    assert names <= shown, f"not in the tree: {sorted(names - shown)}"
    kinds = (".py", ".yaml", ".md")
    there = {
        path.name for path in ROOT.rglob("*") if path.suffix in kinds and ".venv" not in path.parts
    }
    assert shown <= there, f"in the tree, not in the repository: {sorted(shown - there)}"


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for target in re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert target in targets


def test_every_setting_by_environment_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    code = "".join(path.read_text() for room in ROOMS for path in (ROOT / room).glob("*.py"))
    code += (ROOT / "service.py").read_text()
    read = set(re.findall(r"""environ\w*(?:\.get)?[\[(]\s*["']([A-Z_]+)["']""", code))
    assert read, "no setting found: does this test still look in the right place?"
    for name in read:
        assert f"`{name}`" in readme, name


def test_the_tables_of_the_readme_are_those_of_results() -> None:
    from evaluation.tables import filled

    readme = (ROOT / "README.md").read_text()
    assert filled(readme, ROOT / "results") == readme, "run: python -m evaluation.tables"
