"""Findings of data sets that are not MovieLens: no ratings, no times, other scales, text ids."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.data.dataset import Dataset
from marquee.data.history_order import build_histories
from marquee.insights.aggregates import aggregate
from marquee.insights.gaps import RATING_FINDINGS, TIME_FINDINGS
from marquee.insights.model_view import histories_as_trained, load_bundle, view_of
from marquee.insights.render.documents import html, markdown
from marquee.insights.report import Report, make_report
from marquee.recommender.bundle import write_bundle
from tests.support.generated_data import generated_dataset
from tests.support.report_prose import JARGON, check_short_sentences, prose
from tests.support.tiny_bundle import tiny_parts

TENS = tuple(map(float, range(1, 11)))
HUNDRED = tuple(map(float, range(101)))
KINDS: dict[str, dict[str, Any]] = {
    "plays": {},
    "plays-text-ids": {"has_text_ids": True},
    "plays-no-times": {"has_times": False},
    "plays-ordered": {"has_times": False, "is_ordered": True},
    "plays-only-ids": {"has_titles": False, "genres": (), "has_times": False},
    "plays-watched": {"has_watched": True},
    "plays-repeats": {"has_repeats": True},
    "one-genre": {"genres": ("Drama",)},
    "stars": {"scale": (1.0, 2.0, 3.0, 4.0, 5.0)},
    "one-to-ten": {"scale": TENS},
    "zero-to-ten": {"scale": (0.0, *TENS)},
    "hundred": {"scale": HUNDRED},
    "thumbs": {"scale": (0.0, 1.0)},
    "up-down": {"scale": (-1.0, 1.0)},
    "one-value": {"scale": (5.0,)},
    "mixed": {"scale": TENS, "rated_share": 0.3, "has_watched": True},
    "unseen": {"num_unseen": 7, "scale": TENS},
    "no-ratings-at-all-but-scale": {"scale": TENS, "rated_share": 0.0},
    "one-user": {"num_users": 1, "num_items": 2, "length": 2},
    "two-items": {"num_items": 2, "scale": TENS},
    "one-item": {"num_items": 1, "length": 1},
}


def report_of(dataset: Dataset) -> Report:
    return make_report(dataset, build_histories(dataset))


@pytest.mark.parametrize("kind", KINDS)
def test_report_of_any_data_is_whole(kind: str) -> None:
    report = report_of(generated_dataset(**KINDS[kind]))
    content = report.to_json()
    json.dumps(content, allow_nan=False)
    page = html(report)
    assert page.count("<article") == len(report.findings) and "<b>" not in report.title
    assert not re.search(r"\bnan\b|\binf\b|None|\{", markdown(report))
    assert "{" not in "\n".join(prose(report))
    assert JARGON.findall("\n".join(prose(report))) == []
    check_short_sentences(report)
    for finding in report.findings:
        if finding.number is not None:
            number = finding.number
            assert number.low - 1e-9 <= number.mean <= number.high + 1e-9, finding.id


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("plays")])
def test_report_without_ratings_speaks_of_plays(kind: str) -> None:
    report = report_of(generated_dataset(**KINDS[kind]))
    ids = {finding.id for finding in report.findings}
    assert not ids & set(RATING_FINDINGS)
    assert ids >= {"skew", "few-ratings", "concentration"}
    (limit,) = [limit for limit in report.limits if limit.startswith("Ratings:")]
    assert "does not show what users like better. Plays show what users chose." in limit
    assert "distribution of ratings, use of the scale" in limit
    assert report.rating_share_percent == {} and report.data["ratings"] == 0
    data_findings = [each for each in report.findings if each.available]
    words = " ".join(f"{each.title} {each.sentence} {each.meaning}" for each in data_findings)
    assert "rating" not in words and "rated" not in words and "stars" not in words
    assert "360 plays" in report.facts or "400 plays" in report.facts


@pytest.mark.parametrize("kind", ["plays-no-times", "plays-ordered"])
def test_report_without_times_says_so_once(kind: str) -> None:
    report = report_of(generated_dataset(**KINDS[kind]))
    assert not {finding.id for finding in report.findings} & set(TIME_FINDINGS)
    (limit,) = [limit for limit in report.limits if limit.startswith("Times:")]
    assert ("an order" in limit) == (kind == "plays-ordered")
    assert "1970" not in html(report) and "come back" not in html(report)


def test_report_of_dates_leaves_sessions_out() -> None:
    dataset = generated_dataset()
    day = dataset.histories.timestamp // 86_400 * 86_400
    dataset = replace(dataset, histories=replace(dataset.histories, timestamp=day))
    report = report_of(dataset)
    assert "sessions" not in {finding.id for finding in report.findings}
    assert any(limit.startswith("Time of day:") for limit in report.limits)


def test_report_of_ids_only_names_what_it_leaves_out() -> None:
    dataset = generated_dataset(has_titles=False, genres=(), has_text_ids=True)
    report = report_of(dataset)
    starts = {limit.split(":")[0] for limit in report.limits}
    assert starts >= {"Ratings", "Genres", "Titles", "Release years"}
    findings = {finding.id: finding for finding in report.findings}
    assert not {"genres", "words", "movies-per-year"} & set(findings)
    assert re.search(r"most played movie is 0\d{5}, with", findings["concentration"].sentence)


@pytest.mark.parametrize(
    ("scale", "liked", "low"),
    [
        pytest.param(TENS, "are 8 of 10 or more", "are 4 of 10 or less", id="ten"),
        pytest.param((0.0, *TENS), "are 8 of 10 or more", "are 4 of 10 or less", id="with-zero"),
        pytest.param(HUNDRED, "are 80 of 100 or more", "are 40 of 100 or less", id="hundred"),
        pytest.param((0.0, 1.0), "are 1", "are 0", id="thumbs"),
        pytest.param((-1.0, 1.0), "are 1", "are -1", id="up-down"),
        pytest.param((1.0, 2.0, 3.0, 4.0, 5.0), "are 4 stars or more", "are 2 stars", id="stars"),
    ],
)
def test_liked_is_a_rule_on_the_scale(scale: tuple[float, ...], liked: str, low: str) -> None:
    dataset = generated_dataset(scale=scale)
    report = report_of(dataset)
    finding = next(finding for finding in report.findings if finding.id == "ratings")
    assert finding.title.endswith(liked) and low in finding.sentence
    threshold = float(re.findall(r"are (-?\d+)", finding.title)[0])
    assert finding.number is not None
    expected = 100 * (dataset.histories.rating >= threshold).mean()
    assert finding.number.mean == pytest.approx(expected)
    assert finding.chart is not None and len(finding.chart.rows) <= 20
    assert sum(float(str(row[1])) for row in finding.chart.rows) == pytest.approx(100)
    assert sum(report.rating_share_percent.values()) == pytest.approx(100, abs=0.5)


def test_items_without_interactions_are_counted_as_such() -> None:
    plain = report_of(generated_dataset(scale=TENS))
    report = report_of(generated_dataset(scale=TENS, num_unseen=7))
    assert report.notes == (
        "7 titles of the catalog have no rating. No number of this report counts them.",
    )
    assert report.data["movies"] == plain.data["movies"] == 30
    assert report.data["movies_without_interactions"] == 7
    assert report.to_json()["findings"] == plain.to_json()["findings"]


def test_mixed_data_takes_means_over_ratings_only() -> None:
    dataset = generated_dataset(scale=TENS, rated_share=0.3)
    histories = build_histories(dataset)
    aggregates = aggregate(dataset, histories)
    is_rated = ~np.isnan(histories.rating)
    assert aggregates.num_ratings == is_rated.sum() < aggregates.num_interactions == 360
    assert aggregates.mean_rating == pytest.approx(histories.rating[is_rated].mean())
    rated = np.bincount(histories.item[is_rated], minlength=30)
    assert aggregates.rated_count_I.tolist() == rated.tolist()
    assert aggregates.rated_by_genre_UG.sum() == is_rated.sum()
    assert "interactions" in report_of(dataset).facts


def test_finishing_counts_plays_of_known_share() -> None:
    dataset = generated_dataset(has_watched=True)
    watched = dataset.histories.watched
    assert watched is not None
    watched[::3] = np.nan
    watched[1] = 0.9
    report = report_of(dataset)
    finding = next(finding for finding in report.findings if finding.id == "finishing")
    known = watched[~np.isnan(watched)]
    assert finding.number is not None
    assert finding.number.mean == pytest.approx(100 * (known >= np.float32(0.9)).mean())
    assert "known for 66.7% of the plays" in finding.sentence
    assert "finishing" not in {each.id for each in report_of(generated_dataset()).findings}


def test_report_does_not_depend_on_the_type_of_ids() -> None:
    integers, texts = (
        report_of(generated_dataset(scale=TENS, has_text_ids=is_text)) for is_text in (False, True)
    )
    by_id = {finding.id: finding.number for finding in integers.findings}
    assert {finding.id: finding.number for finding in texts.findings} == by_id


def report_with_bundle(folder: Path, dataset: Dataset, *, has_ratings: bool) -> Report:
    """Report on nine of the ten movies of the tiny bundle, by text ids."""
    parts = tiny_parts(text_ids=True, has_ratings=has_ratings)
    parts["manifest"]["data"] |= {"sha256": dataset.sha256}
    dataset = replace(dataset, movies=parts["movies"])
    write_bundle(folder, **parts)
    model = load_bundle(folder, dataset)
    histories = histories_as_trained(dataset, model)
    return make_report(dataset, histories, view_of(dataset, histories, model))


@pytest.mark.parametrize("has_ratings", [True, False], ids=["rated", "plays"])
def test_model_findings_of_text_ids(tmp_path: Path, has_ratings: bool) -> None:
    scale = tuple(value / 2 for value in range(1, 11)) if has_ratings else ()
    dataset = generated_dataset(
        num_users=120, num_items=9, num_unseen=1, length=5, scale=scale, has_text_ids=True
    )
    report = report_with_bundle(tmp_path / "bundle", dataset, has_ratings=has_ratings)
    findings = {finding.id: finding for finding in report.findings}
    served = findings["underserved-groups"]
    assert served.available and findings["changes"].available
    assert not any("up to 50" in name for name in served.numbers)  # that group is all users
    assert ("star_error/all users" in served.numbers) == has_ratings
    assert ("Predicted stars are off by" in served.sentence) == has_ratings
    assert ("users who rate" in " ".join(served.numbers)) == has_ratings
    assert f"movie {'rated' if has_ratings else 'played'} next" in served.sentence
    assert findings["changes"].n == 9  # the movie without interactions is not listed here
    check_short_sentences(report)
    json.dumps(report.to_json(), allow_nan=False)


def test_model_findings_without_order_test_no_last_movie(tmp_path: Path) -> None:
    dataset = generated_dataset(
        num_users=120, num_items=9, num_unseen=1, length=5, has_times=False, has_text_ids=True
    )
    report = report_with_bundle(tmp_path / "bundle", dataset, has_ratings=False)
    findings = {finding.id: finding for finding in report.findings}
    assert "holds no order" in findings["underserved-groups"].sentence
    assert findings["changes"].available


def test_view_leaves_out_users_who_end_with_a_repeat(tmp_path: Path) -> None:
    dataset = generated_dataset(num_users=120, num_items=9, num_unseen=1, length=5)
    item = dataset.histories.item.reshape(120, 5).copy()
    item[60:, 4] = item[60:, 0]
    dataset = replace(dataset, histories=replace(dataset.histories, item=item.ravel()))
    report = report_with_bundle(tmp_path / "bundle", dataset, has_ratings=False)
    assert report.model is not None and report.model["users"] == 60
