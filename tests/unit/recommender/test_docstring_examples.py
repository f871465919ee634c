"""The examples in docstrings run, those of the library against the hand-made bundle."""

import doctest
import importlib
from pathlib import Path

import pytest

from marquee.recommender.recommender import Recommender
from tests.support.paths import ROOT

FOLDERS = ("marquee", "datamodules", "models", "deploy")
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if ">>>" in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(recommender: Recommender, bundle_folder: Path, name: str) -> None:
    namespace = {"recommender": recommender, "bundle_folder": bundle_folder}
    result = doctest.testmod(importlib.import_module(name), extraglobs=namespace)
    assert result.attempted and not result.failed


VERBS = ["load", "score", "predict_stars", "recommend", "recommend_batch", "predict", "rerank"]


@pytest.mark.parametrize("verb", [*VERBS, "rate_next", "similar", "charts"])
def test_public_verb_has_an_example(verb: str) -> None:
    assert ">>>" in (getattr(Recommender, verb).__doc__ or "")
