"""The report of a data set: findings, summary, and all of it as plain values.

    report = make_report(dataset, histories, view=None, seed=0)
    report.to_json()                     # the same values for the same data and seed

A finding that needs a model, times, or more users than the data holds stays in the report, without
a number and with the reason.
"""

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.finding import TEXTS, Finding, plain, unavailable
from marquee.insights.findings import genres, movies, rating_times, release_years, users
from marquee.insights.findings.changes import changes
from marquee.insights.findings.segments import segments, segments_of
from marquee.insights.findings.underserved_groups import underserved_groups
from marquee.insights.findings.vocabulary import vocabulary
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import count
from marquee.insights.resample import NUM_DRAWS, UserResamples

MIN_USERS = 20
"""Resamples of fewer users say nothing about other users."""
SUMMARY_ORDER: list[str] = TEXTS["summary_order"]
"""The first SUMMARY_SIZE available findings of these lead the report."""
SUMMARY_SIZE = 5
SUMMARY_TITLES = {1: "One finding", 2: "Two findings", 3: "Three findings", 4: "Four findings"}
MODEL_FINDINGS = ("segments", "words", "underserved-groups", "changes")
"""Findings that need a model."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of the three files."""

    title: str
    facts: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    data: dict[str, Any]
    model: dict[str, Any] | None
    seed: int
    rating_share_percent: dict[str, float]
    """Percent of all ratings by value, two decimals: {"4": 34.11, ...}."""
    made_by: str
    how_to_read: str = TEXTS["report"]["how_to_read"]
    limits: tuple[str, ...] = tuple(TEXTS["limits"])

    @property
    def sections(self) -> dict[str, list[Finding]]:
        """The findings by heading, those with a number first; no empty sections."""
        sections = {
            "The findings": [finding for finding in self.findings if finding.available],
            "Not enough data": [finding for finding in self.findings if not finding.available],
        }
        return {title: findings for title, findings in sections.items() if findings}

    @property
    def summary(self) -> list[Finding]:
        by_id = {finding.id: finding for finding in self.findings if finding.available}
        return [by_id[id] for id in SUMMARY_ORDER if id in by_id][:SUMMARY_SIZE]

    @property
    def summary_title(self) -> str:
        return f"{SUMMARY_TITLES.get(len(self.summary), 'Five findings')}, and what to do"

    @property
    def footer(self) -> str:
        return (
            f"Made by {self.made_by} from {self.data['name']} (sha256 {self.data['sha256'][:12]}…),"
            f" seed {self.seed}, {NUM_DRAWS:,} resamples of users. findings.json holds every "
            "number."
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the keys of findings.json."""
        summary = [
            {
                "id": finding.id,
                "finding": f"{finding.title}. {finding.sentence}",
                "lever": f"{finding.action} ({finding.lever})" if finding.lever else finding.action,
            }
            for finding in self.summary
        ]
        findings = [finding.to_json() for finding in self.findings]
        content = {"draws": NUM_DRAWS, "executive_summary": summary, "findings": findings}
        values: dict[str, Any] = plain(vars(self) | content)
        return values


def make_report(
    dataset: Dataset, histories: UserHistories, view: ModelView | None = None, seed: int = 0
) -> Report:
    """Return the findings of one data set.

    view: a bundle's view of its users; None: the findings that need a model are unavailable. seed:
    of the resamples.
    """
    aggregates = aggregate(dataset, histories)
    unusable_times = rating_times.unusable_times_reason(aggregates, dataset.sha256)
    findings = [
        *rating_findings(aggregates, unusable_times, view, seed),
        *model_findings(aggregates, dataset, view, seed),
    ]
    if aggregates.num_users < MIN_USERS:
        reason = (
            f"The data holds {count(aggregates.num_users, 'user')}; a finding needs {MIN_USERS}."
        )
        findings = [unavailable(finding.id, reason) for finding in findings]
    synthetic = [TEXTS["report"]["synthetic"]] if dataset.name == "demo" else []
    value_counts = zip(aggregates.scale, aggregates.value_count_UV.sum(0), strict=True)
    return Report(
        title=f"What the ratings of {dataset.name} show",
        facts=facts(aggregates, unusable_times),
        notes=(*synthetic, *dataset.report),
        findings=tuple(findings),
        data={
            "name": dataset.name,
            "sha256": dataset.sha256,
            "users": aggregates.num_users,
            "movies": len(aggregates.movies),
            "ratings": aggregates.num_ratings,
            "tags": len(dataset.tags),
            "scale": dataset.scale,
            "repairs": dataset.report,
        },
        model=view.to_json() if view is not None else None,
        seed=seed,
        rating_share_percent={
            f"{value:g}": round(100 * int(size) / aggregates.num_ratings, 2)
            for value, size in value_counts
        },
        made_by=f"marquee {version('marquee')}",
    )


def rating_findings(
    aggregates: Aggregates, unusable_times: str | None, view: ModelView | None, seed: int
) -> list[Finding]:
    """Return the findings that need no model, in the order of the report."""
    resamples = UserResamples(aggregates.num_users, seed)
    cap = (view.influence_cap if view is not None else 0) or users.DEFAULT_CAP
    return [
        genres.genres(aggregates, resamples),
        users.ratings(aggregates, resamples),
        movies.movies_by_mean(aggregates),
        users.skew(aggregates, resamples, cap),
        users.raters(aggregates, resamples),
        movies.few_ratings(aggregates),
        movies.concentration(aggregates, resamples),
        movies.mean_and_popularity(aggregates),
        release_years.movies_per_year(aggregates, unusable_times),
        rating_times.ratings_by_year(aggregates, resamples, unusable_times),
        rating_times.sessions(aggregates, resamples, unusable_times),
    ]


def model_findings(
    aggregates: Aggregates, dataset: Dataset, view: ModelView | None, seed: int
) -> list[Finding]:
    """Return taste groups, their words, under-served groups, changes by the model."""
    if view is None:
        reason = TEXTS["report"]["needs_bundle"]
        return [
            replace(
                unavailable(id, reason), title=f"{TEXTS['subjects'][id]}: needs a trained model"
            )
            for id in MODEL_FINDINGS
        ]
    resamples = UserResamples(len(view), seed)
    groups = segments_of(view, dataset.movies, seed)
    return [
        segments(view, groups, resamples, dataset.movies.genre_names),
        vocabulary(view, groups, dataset.movies, dataset.tags, resamples),
        underserved_groups(view, aggregates, groups, resamples),
        changes(view, aggregates, resamples),
    ]


def facts(aggregates: Aggregates, unusable_times: str | None) -> str:
    """Write the size of the data in one line."""
    sizes = [
        count(aggregates.num_ratings, "rating"),
        count(len(aggregates.movies), "movie"),
        count(aggregates.num_users, "user"),
    ]
    if not unusable_times:
        sizes.append(f"{aggregates.years[0]} to {aggregates.years[-1]}")
    return " · ".join(sizes)
