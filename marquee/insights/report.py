"""The whole report: which findings there are, the summary, and all as values.

    report = make_report(dataset, histories, view=None, seed=0)
    report.to_json()                     # the same values for the same data and seed

What needs a model, times or more people than there are stays in it as told: false, with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from marquee.data.dataset import Dataset
from marquee.data.interactions import UserHistories
from marquee.insights.aggregates import Tables
from marquee.insights.finding import Finding, cannot, plain
from marquee.insights.findings import genres, movies, rating_scale, times, users
from marquee.insights.findings.changes import changes
from marquee.insights.findings.segments import segments, segments_of
from marquee.insights.findings.served import served
from marquee.insights.findings.vocabulary import vocabulary
from marquee.insights.model_view import View
from marquee.insights.render.formatting import count
from marquee.insights.resample import DRAWS, Draws

LEAST_PEOPLE = 20
"""People below whom drawing others says nothing about other people."""
SUMMARY = (
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
"""Which findings lead: the first five of these that are told."""
SUMMARY_SIZE = 5
NO_BUNDLE = (
    "This needs a trained model, and people with at least 3 ratings: give a model of this data "
    "with BUNDLE=bundles/NAME."
)
WITH_A_BUNDLE = {
    "segments": "Which groups of like taste there are",
    "words": "Which words set groups of people apart",
    "served": "Who is served badly",
    "changes": "What the recommender changes",
}
"""What needs a model, by id."""
HOW_TO_READ = (
    "An interval says how far a number could be off by whom the data happens to hold: drawn again "
    "from such people it falls within 95 times in 100. What a lever is worth was measured on "
    "public ratings (ml-100k, ml-1m); for any other people it is an expectation."
)
CANNOT_TELL = (
    "Who left: the data holds ratings, no subscriptions, so nothing here says who stopped "
    "watching, "
    "or whether a recommendation kept anybody.",
    "What was watched, and for how long: a film that was watched and not rated is not in it, and a "
    "rating does not say whether the film was seen to its end.",
    "What was shown: without the films that people were offered and passed over, a film that "
    "nobody "
    "picked and one that nobody saw on a screen look the same.",
)


@dataclass(frozen=True)
class Report:
    """What the three files are written from."""

    title: str
    facts: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    summary: tuple[Finding, ...]
    cannot_tell: tuple[str, ...]
    made: str
    data: dict[str, Any]
    more: dict[str, Any]

    @property
    def told(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.told]

    @property
    def untold(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.told]

    @property
    def summary_title(self) -> str:
        words = ("", "One finding", "Two findings", "Three findings", "Four findings")
        size = len(self.summary)
        return f"{words[size] if size < len(words) else 'Five findings'}, and what to do"

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "facts": self.facts,
            "notes": list(self.notes),
            "how_to_read": HOW_TO_READ,
            "data": self.data,
            "executive_summary": [
                {
                    "id": each.id,
                    "finding": f"{each.title}. {each.sentence}",
                    "lever": f"{each.so_what} ({each.lever})" if each.lever else each.so_what,
                }
                for each in self.summary
            ],
            "cannot_tell": list(self.cannot_tell),
            "findings": [each.to_json() for each in self.findings],
            **self.more,
        }


def make_report(
    dataset: Dataset, histories: UserHistories, view: View | None = None, seed: int = 0
) -> Report:
    """Every finding of one data set; view: what a bundle says of its people."""
    tables = Tables.of(dataset, histories)
    found = [
        *of_ratings(tables, dataset.sha256, view, seed),
        *of_model(tables, dataset, view, seed),
    ]
    findings = tuple(found if tables.num_people >= LEAST_PEOPLE else map(too_few(tables), found))
    by_id = {each.id: each for each in findings}
    order = [by_id[name] for name in SUMMARY if name in by_id and by_id[name].told]
    made_by = f"marquee {version('marquee')}"
    return Report(
        title=f"What the ratings of {dataset.name} say",
        facts=facts(tables, times.why_no_times(tables, dataset.sha256)),
        notes=notes(dataset),
        findings=findings,
        summary=tuple(order[:SUMMARY_SIZE]),
        cannot_tell=CANNOT_TELL,
        made=f"Made by {made_by} from {dataset.name} (sha256 {dataset.sha256[:12]}…), seed {seed}, "
        f"{DRAWS:,} draws of people. findings.json holds every number.",
        data=data_part(dataset, tables),
        more={
            "made_by": made_by,
            "model": model_part(view),
            "seed": seed,
            "draws": DRAWS,
            "rating_share_percent": rating_shares(tables),
        },
    )


def of_ratings(tables: Tables, sha256: str, view: View | None, seed: int) -> list[Finding]:
    """What needs no model, in the order of the report."""
    draws, no_times = Draws(tables.num_people, seed), times.why_no_times(tables, sha256)
    cap = (view.influence_cap if view is not None else 0) or users.CAP
    return [
        genres.genres(tables, draws),
        rating_scale.ratings(tables, draws),
        rating_scale.films_by_mean(tables, draws),
        users.skew(tables, draws, cap),
        rating_scale.raters(tables, draws),
        movies.few_ratings(tables, draws),
        movies.concentration(tables, draws),
        movies.liking_and_fame(tables, draws),
        times.films_per_year(tables, draws, no_times),
        times.over_time(tables, draws, no_times),
        times.sittings(tables, draws, no_times),
    ]


def of_model(tables: Tables, dataset: Dataset, view: View | None, seed: int) -> list[Finding]:
    """What the model knows of people, whom it serves badly, and what it changes."""
    if view is None:
        return [
            cannot(id, f"{what} cannot be told", NO_BUNDLE) for id, what in WITH_A_BUNDLE.items()
        ]
    draws, movies = Draws(len(view.people), seed), dataset.movies
    groups = segments_of(view, movies, seed)
    return [
        segments(view, groups, draws, movies.genre_names),
        vocabulary(view, groups, movies, dataset.tags, draws),
        served(view, tables, groups, draws),
        changes(view, tables, draws),
    ]


def model_part(view: View | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {
        "name": view.name,
        "model_version": view.model_version,
        "people_asked": len(view.people),
    }


def too_few(tables: Tables) -> Callable[[Finding], Finding]:
    """What is left of a finding about a handful of people: that it cannot be told."""

    def untold(finding: Finding) -> Finding:
        return cannot(
            finding.id,
            f"Not told: {finding.id.replace('-', ' ')}",
            f"The data holds {count(tables.num_people, 'person', 'people')}; with fewer than "
            f"{LEAST_PEOPLE} nothing can be said about people beyond these.",
            how_we_will_know=finding.how_we_will_know,
        )

    return untold


def facts(tables: Tables, no_times: str | None) -> str:
    since = "" if no_times else f", {tables.years[0]} to {tables.years[-1]}"
    return (
        f"{count(tables.num_ratings, 'rating')} of {count(len(tables.movies), 'film')} by "
        f"{count(tables.num_people, 'person', 'people')}{since}."
    )


def notes(dataset: Dataset) -> tuple[str, ...]:
    synthetic = ("These people and films are generated: nothing here is about anybody.",)
    return (*(synthetic if dataset.name == "demo" else ()), *dataset.report)


def data_part(dataset: Dataset, tables: Tables) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "people": tables.num_people,
        "films": len(tables.movies),
        "ratings": tables.num_ratings,
        "tags": len(dataset.tags),
        "scale": [plain(value) for value in dataset.scale],
        "put_right": list(dataset.report),
    }


def rating_shares(tables: Tables) -> dict[str, float]:
    """Percent of all ratings that have each value, two decimals, by its stars: "4", "4.5"."""
    count_K = tables.star_UK.sum(0)
    return {
        rating_scale.label(value): round(100 * int(size) / tables.num_ratings, 2)
        for value, size in zip(tables.scale, count_K, strict=True)
    }
