"""Comet: online, the archive, or neither; and a server that is away costs seconds, not the run."""

import json
import zipfile
from pathlib import Path

import pytest

from catalogue.errors import UserError
from training import tracking


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))


def messages(folder: Path) -> str:
    (archive,) = folder.glob("*.zip")
    with zipfile.ZipFile(archive) as zipped:
        return zipped.read("messages.json").decode()


def test_off_keeps_the_local_metrics(tmp_path: Path) -> None:
    (local,) = tracking.make_loggers(tmp_path, "run", "off", tmp_path / "comet")
    local.log_metrics({"val/ndcg@10": 0.5}, step=1)
    local.save()
    assert "val/ndcg@10" in (tmp_path / "metrics.csv").read_text()
    assert not (tmp_path / "comet").exists()


@pytest.mark.usefixtures("no_key")
def test_auto_without_a_key_writes_an_archive_and_says_how_to_send_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loggers = tracking.make_loggers(tmp_path, "run", "auto", tmp_path / "comet")
    tracking.log_summary(loggers, {"test/ndcg@10": 0.25}, {"commit": "abc"})
    tracking.close(loggers)
    said = capsys.readouterr().out
    assert "comet upload" in said
    assert Path(said.split()[-1]).is_file()
    lines = messages(tmp_path / "comet").splitlines()
    payloads = [json.loads(line)["payload"] for line in lines]
    metrics = [payload["metric"] for payload in payloads if payload.get("metric")]
    logged = {metric["metricName"]: metric["metricValue"] for metric in metrics}
    assert float(logged["test/ndcg@10"]) == 0.25


@pytest.mark.usefixtures("no_key")
def test_online_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set COMET_API_KEY"):
        tracking.make_loggers(tmp_path, "run", "online", tmp_path / "comet")


def test_a_server_that_is_away_gives_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMET_API_KEY", "k" * 25)
    monkeypatch.setenv("COMET_URL_OVERRIDE", "http://127.0.0.1:9/clientlib/")
    monkeypatch.setenv("COMET_ERROR_TRACKING_ENABLE", "0")
    monkeypatch.setenv("COMET_DISABLE_ANNOUNCEMENT", "1")
    loggers = tracking.make_loggers(tmp_path, "run", "auto", tmp_path / "comet")
    loggers[1].log_metrics({"val/ndcg@10": 0.5}, step=1)
    tracking.close(loggers)
    assert "cannot be reached" in capsys.readouterr().out
    assert "val/ndcg@10" in messages(tmp_path / "comet")
