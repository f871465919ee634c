"""`marquee rate-next` on generated users who were not trained on."""

import json
from pathlib import Path

import pytest

import train
from marquee.data.demo_data import write_demo
from marquee.evaluation.baselines.elicitation import BASELINES
from marquee.training.studies import elicitation
from tests.support.paths import ROOT


def arguments(root: Path) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    return [*args, "--trainer.max_epochs=1", "--model.network.history_length=20", "--comet=off"]


@pytest.mark.slow
def test_rate_next_is_compared_with_baselines_on_new_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elicitation, "NUM_SEEDS", 1)
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=80, num_movies=120)
    args = [*arguments(tmp_path), "--data.protocol=new-users", "--protocols=[new-users]"]
    assert train.main(["fit", *args]) == 0
    assert elicitation.main(args) == 0
    result = json.loads((tmp_path / "results" / "rate-next-demo.new-users.json").read_text())
    assert result["protocol"] == "rate-next"
    assert set(result["baselines"]) == set(result["paired"]) == set(BASELINES)
    assert set(result["metrics"]) == set(result["baselines"]["random"])
    for metric in ("ndcg@10/answers=5", "mse/answers=15", "answers/questions=40"):
        popularity = result["baselines"]["popularity"][metric]["mean"]
        difference = result["metrics"][metric]["mean"] - popularity
        paired = result["paired"]["popularity"][metric]["diff"]
        assert paired == pytest.approx(difference, abs=1e-4)
    assert result["metrics"]["questions/answers=5"]["low"] >= 5, "an answer needs a question"
    catalog = result["catalogue"]
    shares = catalog["share/equal_answers"]
    assert all(share["mean"] >= catalog["share_at_start"]["mean"] for share in shares.values())


def test_rate_next_of_another_protocol_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert elicitation.main(arguments(tmp_path)) == 2
    assert "demo: data.protocol next, expected new-users" in capsys.readouterr().err
