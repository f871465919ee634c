"""Test the twin in short: two tiny bundles through a bucket into a running service."""

import os
import re
from pathlib import Path

import pytest

from deploy import twin
from marquee.recommender.bundle import read_bundle
from tests.support.release_files import write_named_bundle


def test_twin_promotes_and_rolls_back_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(twin, "LOAD_S", 0.3)
    bundles = [write_named_bundle(tmp_path / name) for name in ("first", "second")]
    v1, v2 = (read_bundle(bundle).manifest["model_version"] for bundle in bundles)
    assert twin.main([str(bundle) for bundle in bundles]) == 0
    steps = re.findall(
        r"^step=(\w+) model_version=([0-9a-f]{64}) served=(\d+) failed=(\d+)$",
        capsys.readouterr().out,
        re.M,
    )
    assert [(name, version) for name, version, _, _ in steps] == [
        ("serve", v1),
        ("promote", v2),
        ("rollback", v1),
    ]
    assert all(int(served) > 0 and int(failed) == 0 for *_, served, failed in steps)


def test_twin_of_one_version_twice_is_refused(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert twin.main([str(bundle_folder), str(bundle_folder)]) == 2
    assert "the same version, expected two" in capsys.readouterr().err
