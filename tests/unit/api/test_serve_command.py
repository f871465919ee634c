"""Test `marquee serve` before it becomes the process of `bentoml serve`."""

from pathlib import Path

import pytest

from marquee.api.process import serve_command


def test_serve_home_that_is_a_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.write_text("")
    monkeypatch.setenv("BENTOML_HOME", str(home))
    monkeypatch.setenv("BUNDLE", "bundle")
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    assert serve_command.main([]) == 2
    message = f"marquee serve: error: BENTOML_HOME {home}: cannot be used (File exists), expected"
    assert capsys.readouterr().err.startswith(message)
