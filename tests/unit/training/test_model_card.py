"""The model card: its facts, its tables, and what it leaves out."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.training.model_card import model_card, results_of
from tests.support.tiny_bundle import tiny_parts

INTERVAL = {"mean": 0.5, "low": 0.25, "high": 0.75}
RESULT: dict[str, Any] = {
    "recipe": "recipes/a.yaml",
    "commit": "c" * 40,
    "data": "demo",
    "data_sha256": "d" * 64,
    "protocol": "next",
    "seeds": [0],
    "num_users": 3,
    "cpu_s": 12.0,
    "machine": "2 cores",
    "selection": {"epochs": 5},
    "metrics": {"ndcg@10": INTERVAL, "rmse/rater=harsh": INTERVAL},
    "baselines": {},
}
MANIFEST: dict[str, Any] = {
    "model_version": "v" * 8,
    "created": "2026-11-23T00:00:00+00:00",
    "commit": "c" * 40,
    "recipe": "recipes/a.yaml",
    "epochs": 5,
    "refit": "all",
    "sibling": "s" * 8,
    "data": {"name": "demo", "sha256": "d" * 64, "num_ratings": 1234, "num_items": 5},
    "scale": [0.5, 5.0],
    "history_length": 20,
    "metrics": {"val/ndcg@10": 0.125},
    "config": {"data": {"protocol": "next"}, "model": {"network": {"user": "history"}}},
}


def test_model_card_without_a_bundle_says_not_served() -> None:
    settings = {"model.network.user": "id", "data.protocol": "next", "data.ties": "hash"}
    card = model_card("a", [RESULT], settings=settings)
    assert "none: this model is not served" in card
    assert "| split | protocol next, ties hash |" in card
    assert "| network | user id |" in card
    assert "seeds 0, 5 epochs chosen on validation, 12 CPU seconds on 2 cores" in card
    assert "| ndcg@10 | 0.5000 [0.2500, 0.7500] |" in card
    assert card == model_card("a", [RESULT], settings=settings)


def test_model_card_of_a_bundle_holds_facts_of_its_manifest() -> None:
    card = model_card("a", [], manifest=MANIFEST)
    assert card.startswith("# Model card: a\n\nNeural collaborative filtering")
    assert "| trained on | all ratings; its measured sibling is `ssssssss` |" in card
    assert "| data | demo: 1,234 ratings, 5 items (sha256" in card
    assert "| split | protocol next |\n| network | user history |\n\n## Intended use" in card
    assert "| val/ndcg@10 | 0.1250 |\n\n## Limits" in card
    assert card.endswith("put your terms here.\n")


def test_model_card_of_a_release_names_its_day() -> None:
    card = model_card("a", [], manifest=MANIFEST, released=datetime(2026, 11, 24, tzinfo=UTC))
    assert "\n\nReleased on 2026-11-24. Neural" in card


def test_model_card_table_leaves_metrics_of_groups_out() -> None:
    baselines = {"ease": {"ndcg@10": INTERVAL}, "popularity": {}}
    card = model_card("a", [RESULT | {"baselines": baselines}], manifest=MANIFEST)
    assert "| next | model | ease | popularity |\n| --- | --- | --- | --- |\n" in card
    cell = "0.5000 [0.2500, 0.7500]"
    assert f"| ndcg@10 | {cell} | {cell} |  |\n\n## Limits" in card
    assert "harsh" not in card


def test_model_card_shows_results_of_its_training_only(tmp_path: Path) -> None:
    one = {"mean": 0.2, "low": 0.19, "high": 0.21}
    content = {
        "recipe": "recipes/a.yaml",
        "commit": "c1",
        "data_sha256": "d1",
        "protocol": "next",
        "seeds": [0, 1],
        "num_users": 6040,
        "metrics": {"ndcg@10": one, "rmse/rater=harsh": one},
        "baselines": {"ease": {"ndcg@10": one | {"mean": 0.15}}},
    }
    for name, change in {"ours": {}, "older": {"commit": "c0"}, "other": {"recipe": "b"}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content | change))
    manifest = tiny_parts()["manifest"] | {"recipe": "recipes/a.yaml", "commit": "c1"}
    manifest |= {"model_version": "f" * 64, "data": manifest["data"] | {"sha256": "d1"}}
    results = list(results_of(manifest, tmp_path))
    assert results == [content]
    released = datetime(2026, 11, 23, tzinfo=UTC)
    card = model_card("tiny", results, manifest=manifest, released=released)
    assert "| ndcg@10 | 0.2000 [0.1900, 0.2100] | 0.1500 [0.1900, 0.2100] |" in card
    assert "Released on 2026-11-23" in card and "harsh" not in card
    assert list(results_of(manifest, tmp_path / "none")) == []
    (tmp_path / "list.json").write_text("[]")
    assert len(list(results_of(manifest, tmp_path))) == 1
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(InputError, match=r"half\.json: not JSON .*--results"):
        list(results_of(manifest, tmp_path))
