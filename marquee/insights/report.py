"""The report of a data set: findings, summary, and all of it as plain values.

    report = make_report(dataset, histories, view=None, seed=0)
    report.to_json()                     # the same values for the same data and seed

A finding that needs a model, or more users than the data holds, stays in the report, without a
number and with the reason. Findings that need what the data lacks (ratings, times, genres …) are
left out and named among the limits (gaps.py).
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.finding import TEXTS, Finding, fill, plain, subject, unavailable
from marquee.insights.findings import genres, movies, rating_times, release_years, users
from marquee.insights.findings.changes import changes
from marquee.insights.findings.segments import segments, segments_of
from marquee.insights.findings.underserved_groups import underserved_groups
from marquee.insights.findings.vocabulary import vocabulary
from marquee.insights.gaps import gaps_of, limits
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import count
from marquee.insights.resample import NUM_DRAWS, UserResamples

MIN_USERS = 20
"""Resamples of fewer users say nothing about other users."""
SUMMARY_ORDER: list[str] = TEXTS["summary_order"]
"""The first SUMMARY_SIZE available findings of these lead the report."""
SUMMARY_SIZE = 5
SUMMARY_TITLES = {1: "One finding", 2: "Two findings", 3: "Three findings", 4: "Four findings"}
ORDER = (
    *("genres", "ratings", "finishing", "movies-by-mean", "skew", "raters", "few-ratings"),
    *("concentration", "mean-and-popularity", "movies-per-year", "ratings-by-year", "sessions"),
)
"""The findings that need no model, in the order of the report."""
NEEDS_MODEL = "needs a trained model"
MODEL_FINDINGS = ("segments", "words", "underserved-groups", "changes")
"""Findings that need a model."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of the three files."""

    title: str
    facts: str
    notes: tuple[str, ...]
    limits: tuple[str, ...]
    """Gaps of the data, and the findings that are left out for them."""
    findings: tuple[Finding, ...]
    data: dict[str, Any]
    model: dict[str, Any] | None
    seed: int
    rating_share_percent: dict[str, float]
    """Percent of all ratings by value, two decimals: {"4": 34.11, ...}; empty without ratings."""
    made_by: str
    how_to_read: str = TEXTS["report"]["how_to_read"]

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
        by_id = {each.id: each for each in self.findings if each.number and each.number.mean > 0}
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
    gaps, words = gaps_of(dataset, aggregates), aggregates.words
    left_out = {id for gap in gaps for id in gap.ids}
    unusable_times = rating_times.unusable_times_reason(dataset.sha256)
    findings = [
        *data_findings(aggregates, unusable_times, view, seed, left_out),
        *model_findings(aggregates, dataset, view, seed, left_out),
    ]
    if aggregates.num_users < MIN_USERS:
        reason = (
            f"The data holds {count(aggregates.num_users, 'user')}; a finding needs {MIN_USERS}."
        )
        findings = [unavailable(finding.id, reason, words) for finding in findings]
    return Report(
        title=f"What the {words.ratings} of {dataset.name} show",
        facts=facts(aggregates, not unusable_times and aggregates.has_times),
        notes=(*notes(dataset, aggregates), *dataset.report),
        limits=limits(gaps, aggregates),
        findings=tuple(findings),
        data={
            "name": dataset.name,
            "sha256": dataset.sha256,
            "users": aggregates.num_users,
            "movies": len(aggregates.movies),
            "movies_without_interactions": aggregates.num_unseen,
            "interactions": aggregates.num_interactions,
            "ratings": aggregates.num_ratings,
            "tags": len(dataset.tags),
            "scale": dataset.scale,
            "repairs": dataset.report,
        },
        model=view.to_json() if view is not None else None,
        seed=seed,
        rating_share_percent={
            f"{value:g}": round(100 * int(size) / max(aggregates.num_ratings, 1), 2)
            for value, size in zip(dataset.scale, aggregates.value_count_V, strict=True)
        },
        made_by=f"marquee {version('marquee')}",
    )


def data_findings(
    aggregates: Aggregates,
    unusable_times: str | None,
    view: ModelView | None,
    seed: int,
    left_out: Set[str] = frozenset(),
) -> list[Finding]:
    """Return the findings that need no model, in the order of the report."""
    resamples, scale = UserResamples(aggregates.num_users, seed), aggregates.words.scale
    cap = (view.influence_cap if view is not None else 0) or users.DEFAULT_CAP
    makers: dict[str, Callable[[], Finding]] = {
        "genres": lambda: genres.genres(aggregates, resamples),
        "skew": lambda: users.skew(aggregates, resamples, cap),
        "few-ratings": lambda: movies.few_ratings(aggregates),
        "concentration": lambda: movies.concentration(aggregates, resamples),
        "movies-per-year": lambda: release_years.movies_per_year(aggregates, unusable_times),
        "ratings-by-year": lambda: rating_times.ratings_by_year(
            aggregates, resamples, unusable_times
        ),
        "sessions": lambda: rating_times.sessions(aggregates, resamples, unusable_times),
    }
    if scale is not None:
        makers |= {
            "ratings": lambda: users.ratings(aggregates, resamples, scale),
            "movies-by-mean": lambda: movies.movies_by_mean(aggregates, scale),
            "raters": lambda: users.raters(aggregates, resamples, scale),
            "mean-and-popularity": lambda: movies.mean_and_popularity(aggregates, scale),
        }
    if aggregates.watched_count_UW is not None and aggregates.watched_count_UW.any():
        makers["finishing"] = lambda: users.finishing(aggregates, resamples)
    return [makers[id]() for id in ORDER if id in makers and id not in left_out]


def model_findings(
    aggregates: Aggregates,
    dataset: Dataset,
    view: ModelView | None,
    seed: int,
    left_out: Set[str] = frozenset(),
) -> list[Finding]:
    """Return taste groups, their words, under-served groups, changes by the model."""
    words, movies = aggregates.words, aggregates.movies
    if view is None:
        reason = fill(TEXTS["report"]["needs_bundle"], words)
        return [
            replace(unavailable(id, reason, words), title=f"{subject(id, words)}: {NEEDS_MODEL}")
            for id in MODEL_FINDINGS
            if id not in left_out
        ]
    resamples = UserResamples(len(view), seed)
    groups = segments_of(view, movies, seed)
    findings = [segments(view, groups, resamples, movies.genre_names, words)]
    if "words" not in left_out:
        tags = dataset.tags
        findings.append(vocabulary(view, groups, movies, tags, resamples, words))
    findings.append(underserved_groups(view, aggregates, groups, resamples))
    return [*findings, changes(view, aggregates, resamples)]


def notes(dataset: Dataset, aggregates: Aggregates) -> list[str]:
    """Return sentences about the data as a whole."""
    sentences = [TEXTS["report"]["synthetic"]] if dataset.name == "demo" else []
    if aggregates.num_unseen:
        sentences.append(
            f"{count(aggregates.num_unseen, 'title')} of the catalog "
            f"{'has' if aggregates.num_unseen == 1 else 'have'} no {aggregates.words.rating}. No "
            "number of this report counts them."
        )
    return sentences


def facts(aggregates: Aggregates, with_years: bool) -> str:
    """Write the size of the data in one line."""
    words = aggregates.words
    sizes = [
        count(aggregates.num_interactions, words.rating),
        count(len(aggregates.movies), "movie"),
        count(aggregates.num_users, "user"),
    ]
    if words.scale is not None and not words.are_ratings:
        sizes.insert(1, count(aggregates.num_ratings, "rating"))
    if words.scale is not None and not words.scale.is_stars:
        sizes.append(f"scale {words.scale.values[0]:g} to {words.scale.values[-1]:g}")
    if with_years:
        first, last = aggregates.years[[0, -1]]
        sizes.append(f"{first} to {last}" if first < last else f"{first}")
    return " · ".join(sizes)
