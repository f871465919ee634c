"""Rules of docs/contributing.md that a machine can check: names, docstrings, imports, sizes."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

PACKAGES = ("marquee", "datamodules", "models", "app_pages", "deploy", "clients/python")
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
"""Words that name no thing, and words that the field does not use."""
QUESTION_WORDS = re.compile(r"(What|Who|Whether|Which|Where|How)\b")
MAX_FILES = 20
MAX_SCRIPT_LINES = 150
MAX_SUMMARY = 80
MAX_TEST_NAME = 60
LATE_IMPORTS = {
    "marquee/__init__.py": "PEP 562: `import marquee.core.errors` need not load ONNX Runtime",
    "marquee/promotion/gate.py": "the optional extra `train`: without --data it needs no torch",
}
FILES = sorted(
    path
    for folder in (*PACKAGES, "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "build" not in path.relative_to(ROOT).parts
) + [ROOT / name for name in SCRIPTS]
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in FILES}
TEST_TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for folder in ("tests", "soak")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that the code binds, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def imports_of_ours(tree: ast.AST) -> Iterator[int]:
    """Lines that import a module of this repository."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
        elif isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        else:
            continue
        if names & OURS:
            yield node.lineno


def test_names_are_nouns_of_the_field() -> None:
    violations = [
        f"{file}:{line}: {name}"
        for file, tree in (TREES | TEST_TREES).items()
        for name, line in bound_names(tree)
        if name.strip("_") in BANNED
    ]
    assert violations == []


def test_docstrings_open_with_a_verb() -> None:
    """Also the ones under a field or a constant."""
    violations = [
        f"{file}:{node.lineno}: {node.value.value.strip()[:60]}"
        for file, tree in (TREES | TEST_TREES).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and QUESTION_WORDS.match(node.value.value.strip())
    ]
    assert violations == []


def test_public_docstrings_fit_a_line() -> None:
    """The first line is what an index of functions shows."""
    violations = [
        f"{file}:{node.lineno}: {node.name}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and len((ast.get_docstring(node) or "").partition("\n")[0]) > MAX_SUMMARY
    ]
    assert violations == []


def test_our_modules_are_imported_at_the_top() -> None:
    functions = [
        (file, node)
        for file, tree in TREES.items()
        if file not in LATE_IMPORTS
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [f"{file}:{line}" for file, node in functions for line in imports_of_ours(node)] == []


def test_no_import_hides_a_cycle() -> None:
    """TYPE_CHECKING is for types of heavy libraries, not for ours."""
    blocks = [
        (file, node)
        for file, tree in TREES.items()
        if file not in LATE_IMPORTS
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    assert [f"{file}:{line}" for file, node in blocks for line in imports_of_ours(node)] == []


def test_no_folder_holds_more_than_twenty_files() -> None:
    folders = {path.parent for path in FILES if (ROOT / "marquee") in path.parents}
    sizes = {folder: sum(path.is_file() for path in folder.iterdir()) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MAX_FILES} == {}


@pytest.mark.parametrize("name", ["train.py", "service.py"])
def test_front_scripts_are_short(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= MAX_SCRIPT_LINES


def test_test_names_are_at_most_sixty_characters() -> None:
    violations = [
        f"{file}:{node.lineno}: {node.name}"
        for file, tree in TEST_TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > MAX_TEST_NAME
    ]
    assert violations == []


def test_test_modules_do_not_import_each_other() -> None:
    """Shared code lies in tests/support."""
    modules = [
        (file, node.module or "")
        for file, tree in TEST_TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    ]
    violations = [
        f"{file}: {module}"
        for file, module in modules
        if module.partition(".")[0] in ("tests", "conftest")
        and not module.startswith("tests.support")
    ]
    assert violations == []


def test_tests_patch_no_private_name_by_string() -> None:
    violations = [
        f"{file}:{node.lineno}: {argument.value}"
        for file, tree in TEST_TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("setattr", "delattr", "patch")
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and argument.value.rpartition(".")[2].startswith("_")
    ]
    assert violations == []
