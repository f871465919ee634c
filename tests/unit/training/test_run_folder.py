"""Files of a run that goes on: metrics of each start, and a lock on each phase."""

import subprocess
import sys
from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.training.run_folder import LOCK_FILE, lock_phase, metrics_files


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["metrics.csv"], ["metrics.csv"], id="once"),
        pytest.param(["metrics-1.csv"], ["metrics-1.csv"], id="resumed-after-its-end"),
        pytest.param(
            ["metrics.csv", "metrics-10.csv", "metrics-9.csv"],
            ["metrics-9.csv", "metrics-10.csv", "metrics.csv"],
            id="resumed-often",
        ),
        pytest.param([], ["metrics.csv"], id="none"),
    ],
)
def test_metrics_files_are_those_that_exist(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in metrics_files(tmp_path)] == expected


def test_phase_of_another_process_is_refused(tmp_path: Path) -> None:
    code = f"import fcntl; f = open({str(tmp_path / LOCK_FILE)!r}, 'a'); fcntl.flock(f, 2); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", code.replace("input()", "print('ok', flush=True); input()")]
    with subprocess.Popen(command, text=True, **pipes) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(InputError, match="another process trains it"):
            lock_phase(tmp_path)
        other.communicate("\n")
    lock_phase(tmp_path)
    lock_phase(tmp_path)  # again, in the process that holds it
