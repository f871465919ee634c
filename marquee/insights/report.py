"""The whole report: its findings, its summary, and all of it as plain values.

    report = make_report(dataset, histories, view=None, seed=0)
    report.to_json()                     # the same values for the same data and seed

A finding that needs a model, times, or more users than the data holds stays in the report as
unavailable (told: false), with the reason.
"""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.finding import Finding, plain, unavailable
from marquee.insights.findings import (
    genres,
    movies,
    rating_scale,
    rating_times,
    release_years,
    users,
)
from marquee.insights.findings.changes import changes
from marquee.insights.findings.segments import segments, segments_of
from marquee.insights.findings.underserved_groups import underserved_groups
from marquee.insights.findings.vocabulary import vocabulary
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import count
from marquee.insights.resample import NUM_DRAWS, UserResamples

MIN_USERS = 20
"""Resamples of fewer users say nothing about other users."""
SUMMARY_ORDER = (
    "served",
    "genres",
    "skew",
    "few-ratings",
    "segments",
    "changes",
    "ratings",
    "raters",
    "concentration",
    "sittings",
    "films-per-year",
    "films-by-mean",
    "over-time",
)
"""The first SUMMARY_SIZE available findings of these lead the report."""
SUMMARY_SIZE = 5
NEEDS_BUNDLE = (
    "This needs a trained model, and people with at least 3 ratings: name a model of this data "
    "with BUNDLE=bundles/NAME."
)
MODEL_FINDINGS = {
    "segments": "Taste groups",
    "words": "Words of the taste groups",
    "served": "Under-served groups",
    "changes": "Changes by the recommender",
}
"""Subjects of the findings that need a model, by id."""
HOW_TO_READ = (
    "An interval says how far a number could be off by whom the data happens to hold: drawn again "
    "from such people it falls within 95 times in 100. What a lever is worth was measured on "
    "public ratings (ml-100k, ml-1m); for any other people it is an expectation."
)
CANNOT_TELL = (
    "Who left: the data holds ratings, no subscriptions, so nothing here says who stopped "
    "watching, or whether a recommendation kept anybody.",
    "What was watched, and for how long: a movie that was watched and not rated is not in it, and "
    "a rating does not say whether the movie was seen to its end.",
    "What was shown: without the movies that people were offered and passed over, a movie that "
    "nobody picked and one that nobody saw on a screen look the same.",
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of the three files."""

    title: str
    facts: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    summary: tuple[Finding, ...]
    cannot_tell: tuple[str, ...]
    footer: str
    data: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def available_findings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.available]

    @property
    def unavailable_findings(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.available]

    @property
    def summary_title(self) -> str:
        words = ("", "One finding", "Two findings", "Three findings", "Four findings")
        size = len(self.summary)
        return f"{words[size] if size < len(words) else 'Five findings'}, and what to do"

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the keys of findings.json."""
        return {
            "title": self.title,
            "facts": self.facts,
            "notes": list(self.notes),
            "how_to_read": HOW_TO_READ,
            "data": self.data,
            "executive_summary": [
                {
                    "id": finding.id,
                    "finding": f"{finding.title}. {finding.sentence}",
                    "lever": f"{finding.action} ({finding.lever})"
                    if finding.lever
                    else finding.action,
                }
                for finding in self.summary
            ],
            "cannot_tell": list(self.cannot_tell),
            "findings": [finding.to_json() for finding in self.findings],
            **self.provenance,
        }


def make_report(
    dataset: Dataset, histories: UserHistories, view: ModelView | None = None, seed: int = 0
) -> Report:
    """Return the findings of one data set.

    view: a bundle's view of its users; None: the findings that need a model are unavailable. seed:
    of the resamples.
    """
    aggregates = aggregate(dataset, histories)
    findings = [
        *rating_findings(aggregates, dataset.sha256, view, seed),
        *model_findings(aggregates, dataset, view, seed),
    ]
    if aggregates.num_users < MIN_USERS:
        findings = [too_few_users(finding, aggregates.num_users) for finding in findings]
    by_id = {finding.id: finding for finding in findings}
    leading = [by_id[id] for id in SUMMARY_ORDER if id in by_id and by_id[id].available]
    made_by = f"marquee {version('marquee')}"
    return Report(
        title=f"What the ratings of {dataset.name} say",
        facts=facts(aggregates, rating_times.unusable_times_reason(aggregates, dataset.sha256)),
        notes=notes(dataset),
        findings=tuple(findings),
        summary=tuple(leading[:SUMMARY_SIZE]),
        cannot_tell=CANNOT_TELL,
        footer=f"Made by {made_by} from {dataset.name} (sha256 {dataset.sha256[:12]}…), seed "
        f"{seed}, {NUM_DRAWS:,} draws of people. findings.json holds every number.",
        data=data_part(dataset, aggregates),
        provenance={
            "made_by": made_by,
            "model": model_part(view),
            "seed": seed,
            "draws": NUM_DRAWS,
            "rating_share_percent": rating_shares(aggregates),
        },
    )


def rating_findings(
    aggregates: Aggregates, sha256: str, view: ModelView | None, seed: int
) -> list[Finding]:
    """Return the findings that need no model, in the order of the report."""
    resamples = UserResamples(aggregates.num_users, seed)
    unusable = rating_times.unusable_times_reason(aggregates, sha256)
    cap = (view.influence_cap if view is not None else 0) or users.DEFAULT_CAP
    return [
        genres.genres(aggregates, resamples),
        rating_scale.ratings(aggregates, resamples),
        rating_scale.movies_by_mean(aggregates),
        users.skew(aggregates, resamples, cap),
        rating_scale.raters(aggregates, resamples),
        movies.few_ratings(aggregates),
        movies.concentration(aggregates, resamples),
        movies.liking_and_popularity(aggregates),
        release_years.movies_per_year(aggregates, unusable),
        rating_times.ratings_by_year(aggregates, resamples, unusable),
        rating_times.sessions(aggregates, resamples, unusable),
    ]


def model_findings(
    aggregates: Aggregates, dataset: Dataset, view: ModelView | None, seed: int
) -> list[Finding]:
    """Return the findings that need a model.

    These are taste groups, their words, under-served groups, and changes by the recommender.
    """
    if view is None:
        return [
            unavailable(id=id, title=f"{subject}: needs a trained model", reason=NEEDS_BUNDLE)
            for id, subject in MODEL_FINDINGS.items()
        ]
    resamples = UserResamples(len(view), seed)
    groups = segments_of(view, dataset.movies, seed)
    return [
        segments(view, groups, resamples, dataset.movies.genre_names),
        vocabulary(view, groups, dataset.movies, dataset.tags, resamples),
        underserved_groups(view, aggregates, groups, resamples),
        changes(view, aggregates, resamples),
    ]


def model_part(view: ModelView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {
        "name": view.name,
        "model_version": view.model_version,
        "people_asked": len(view),
    }


def too_few_users(finding: Finding, num_users: int) -> Finding:
    """Return the finding as unavailable, for data of a handful of users."""
    return unavailable(
        id=finding.id,
        title=f"Not enough people to tell: {finding.id.replace('-', ' ')}",
        reason=f"The data holds {count(num_users, 'person', 'people')}; with fewer than "
        f"{MIN_USERS} nothing can be said about people beyond these.",
        how_we_will_know=finding.how_we_will_know,
    )


def facts(aggregates: Aggregates, unusable_times: str | None) -> str:
    """Write the size of the data in one sentence."""
    years = "" if unusable_times else f", {aggregates.years[0]} to {aggregates.years[-1]}"
    return (
        f"{count(aggregates.num_ratings, 'rating')} of {count(len(aggregates.movies), 'movie')} by "
        f"{count(aggregates.num_users, 'person', 'people')}{years}."
    )


def notes(dataset: Dataset) -> tuple[str, ...]:
    synthetic = ("These people and movies are generated: nothing here is about anybody.",)
    return (*(synthetic if dataset.name == "demo" else ()), *dataset.report)


def data_part(dataset: Dataset, aggregates: Aggregates) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "people": aggregates.num_users,
        "films": len(aggregates.movies),
        "ratings": aggregates.num_ratings,
        "tags": len(dataset.tags),
        "scale": [plain(value) for value in dataset.scale],
        "put_right": list(dataset.report),
    }


def rating_shares(aggregates: Aggregates) -> dict[str, float]:
    """Return the percent of all ratings by value, two decimals.

    An example is {"4": 34.11, "4.5": ...}.
    """
    count_V = aggregates.value_count_UV.sum(0)
    return {
        rating_scale.label(value): round(100 * int(size) / aggregates.num_ratings, 2)
        for value, size in zip(aggregates.scale, count_V, strict=True)
    }
