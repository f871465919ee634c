"""The examples in docstrings of the library and of core run, against the hand-made bundle."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import marquee.core
import marquee.recommender
from marquee.recommender.recommender import Recommender

MODULES = [
    module.name
    for package in (marquee.core, marquee.recommender)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(recommender: Recommender, bundle_folder: Path, name: str) -> None:
    namespace = {"recommender": recommender, "bundle_folder": bundle_folder}
    result = doctest.testmod(importlib.import_module(name), extraglobs=namespace)
    assert result.failed == 0


VERBS = ["load", "score", "predict_stars", "recommend", "recommend_batch", "predict", "rerank"]


@pytest.mark.parametrize("verb", [*VERBS, "rate_next", "similar", "charts"])
def test_public_verb_has_an_example(verb: str) -> None:
    assert ">>>" in (getattr(Recommender, verb).__doc__ or "")
