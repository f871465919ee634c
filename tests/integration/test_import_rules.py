"""The import table, checked by import-linter, and what the serving process must not load."""

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

NOT_IN_SERVING = (
    "torch",
    "pytorch_lightning",
    "comet_ml",
    "sklearn",
    "nltk",
    "pandas",
    "pyarrow",
    "duckdb",
    "ray",
    "alembic",
    "psycopg",
)


def test_import_contracts_hold() -> None:
    """DESIGN's import table, as contracts of import-linter in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout
    assert " 0 broken" in result.stdout


def test_service_loads_no_training_library() -> None:
    check = f"import service, sys; print(sorted(set({NOT_IN_SERVING}) & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip().splitlines()[-1] == "[]", result.stderr
