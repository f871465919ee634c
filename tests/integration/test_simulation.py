"""`marquee simulate` on one small world of simulated users."""

import json
from pathlib import Path

import pytest

from marquee.training.studies import simulation


@pytest.mark.slow
def test_simulate_writes_selection_and_portion_of_worlds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("NUM_WORLDS", 1), ("NUM_TRAINED_USERS", 150), ("NUM_NEW_USERS", 10)):
        monkeypatch.setattr(simulation, name, value)
    small = ["--trainer.max_epochs=1", "--stars.num_draws=2", "--stars.burn_in=2"]
    assert simulation.main(small) == 0
    selection, portion = (
        json.loads((tmp_path / "results" / f"simulated.{protocol}.json").read_text())
        for protocol in ("selection", "portion")
    )
    for content in (selection, portion):
        assert content["synthetic"].startswith("simulated users")
        (seed,) = content["per_seed"]
        assert {name: each["mean"] for name, each in content["metrics"].items()} == seed
    assert (
        selection["metrics"]["mean_stars_of_rated"]["mean"]
        > (selection["metrics"]["mean_stars_of_all"]["mean"])
    ), "users choose what they like"
    names = {
        f"{metric}/{kind}"
        for metric in ("rmse", "liking_by_stars", "liking_by_ranking")
        for kind in simulation.HISTORY_KINDS
    }
    assert set(portion["metrics"]) == names | {"liking_at_random"}
