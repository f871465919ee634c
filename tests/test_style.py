"""The house style that a machine can check: names, docstrings, imports, sizes (docs/decisions.md).

python -m pytest -q tests/test_style.py -k marquee/recommender
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "marquee",
    "datamodules",
    "models",
    "app_pages",
    "deploy",
    "clients/python",
    "benchmarks",
)
SCRIPTS = ("train.py", "service.py", "app.py")
OURS = {
    "marquee",
    "datamodules",
    "models",
    "app_pages",
    "deploy",
    "marquee_client",
    "train",
    "service",
}
BANNED = {
    *("found", "asked", "given", "told", "said", "kept", "made", "done", "theirs", "ours", "rest"),
    *("whole", "person", "people", "film", "persons", "films", "somebody", "nobody", "everybody"),
}
"""Words that name no thing, and the words that the field does not use."""
QUESTION_WORDS = re.compile(r"(What|Who|Whether|Which|Where|How)\b")
MAX_FILES = 20
MAX_SCRIPT_LINES = 150
LATE_IMPORTS = {
    "marquee/__init__.py": "PEP 562: `import marquee.core.errors` need not load ONNX Runtime",
    "marquee/promotion/gate.py": "the optional extra `train`: without --data it needs no torch",
}

FILES = sorted(
    path
    for folder in PACKAGES
    for path in (ROOT / folder).rglob("*.py")
    if "build" not in path.relative_to(ROOT).parts
) + [ROOT / name for name in SCRIPTS]


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that the code binds, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


@pytest.mark.parametrize("path", FILES, ids=label)
def test_names_are_nouns_of_the_field(path: Path) -> None:
    names = bound_names(ast.parse(path.read_text()))
    assert [(name, line) for name, line in names if name.strip("_") in BANNED] == []


@pytest.mark.parametrize("path", FILES, ids=label)
def test_docstrings_open_with_a_verb(path: Path) -> None:
    """Also the ones under a field or a constant."""
    texts = [
        (node.value.value.strip(), node.lineno)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    assert [(text[:60], line) for text, line in texts if QUESTION_WORDS.match(text)] == []


@pytest.mark.parametrize("path", FILES, ids=label)
def test_our_modules_are_imported_at_the_top(path: Path) -> None:
    if label(path) in LATE_IMPORTS:
        return
    late = [
        node.lineno
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS)
        or (isinstance(node, ast.Import) and {a.name.split(".")[0] for a in node.names} & OURS)
    ]
    assert late == []


@pytest.mark.parametrize("path", FILES, ids=label)
def test_no_import_hides_a_cycle(path: Path) -> None:
    """TYPE_CHECKING is for types of heavy libraries, not for ours."""
    if label(path) in LATE_IMPORTS:
        return
    hidden = [
        node.module
        for block in ast.walk(ast.parse(path.read_text()))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS
    ]
    assert hidden == []


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for path in FILES if (ROOT / "marquee") in path.parents}),
    ids=label,
)
def test_no_folder_holds_more_than_twenty_files(folder: Path) -> None:
    assert len([path for path in folder.iterdir() if path.is_file()]) <= MAX_FILES


@pytest.mark.parametrize("name", ["train.py", "service.py"])
def test_the_two_front_scripts_are_short(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= MAX_SCRIPT_LINES
