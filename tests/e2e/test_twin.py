"""The twin in short: two hand-made bundles through a bucket into a running service."""

import os
import re
from pathlib import Path

import pytest

from deploy import twin
from marquee.recommender.bundle import read_bundle
from tests.support.release_files import named


def test_a_release_is_promoted_and_taken_back_under_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(twin, "LOAD_S", 0.3)
    bundles = [named(tmp_path / name) for name in ("first", "second")]
    v1, v2 = (read_bundle(bundle).manifest["model_version"] for bundle in bundles)
    assert twin.main([str(bundle) for bundle in bundles]) == 0
    found = re.findall(
        r"^step=(\w+) model_version=([0-9a-f]{64}) served=(\d+) failed=(\d+)$",
        capsys.readouterr().out,
        re.M,
    )
    assert [(name, version) for name, version, _, _ in found] == [
        ("serve", v1),
        ("promote", v2),
        ("rollback", v1),
    ]
    assert all(int(served) > 0 and int(failed) == 0 for *_, served, failed in found)


def test_two_bundles_of_one_version_are_no_release(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert twin.main([str(bundle_folder), str(bundle_folder)]) == 2
    assert "the same version, expected two" in capsys.readouterr().err
