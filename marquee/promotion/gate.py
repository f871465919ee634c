"""Checks that a version must pass before it is promoted.

    report = examine(store, "46ce893d", "ml-1m")      # sentences; InputError if it is refused

golden answers   the bundle loads with this code and gives its recorded answers
size and age     at most `max_mb`, created at most `max_age_days` ago
popularity       the lists are better than the popular movies, on the validation part
metrics          not below MIN_METRIC_RATIO of the current version's, and not certainly worse

Without data, the metrics are those that each bundle reports of its own validation. With data, both
versions rank the same test part through the library and are compared user by user. A production
bundle (refitted on everything) is replaced by its sibling, which has not seen the test part.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime

from marquee.core.errors import InputError
from marquee.promotion.gate_limits import MIN_METRIC_RATIO, Limits, Refused
from marquee.recommender.recommender import Recommender
from marquee.releases import bundle_cache, versions
from marquee.releases.pointer import NAME_LENGTH
from marquee.releases.store import Store, UnreachableError


def examine(
    store: Store, version: str, data: str | None = None, limits: Limits | None = None
) -> list[str]:
    """Check a version of the store; return one sentence for each result.

    data: a data set of DATA_ROOT. Raises Refused with every reason, InputError if the bundle
    cannot be served or compared at all.
    """
    pointer = versions.current(store)
    with tempfile.TemporaryDirectory() as scratch:
        candidate = _load(store, version, scratch)
        report = [f"golden answers hold ({len(candidate.movie_ids):,} movies)"]
        faults = list(_check_size_and_age(store, candidate, limits or Limits()))
        if candidate.manifest.get("below_popularity"):
            faults.append("below popularity on its validation part, expected a better model")
        if pointer is None:
            report.append("nothing has been promoted before: no metric to compare with")
        elif pointer.model_version != candidate.model_version:
            for sentence, is_worse in _compare(store, candidate, pointer.version, data, scratch):
                report.append(sentence)
                faults += [sentence] * is_worse
    if faults:
        raise Refused(f"{version} is refused: {'; '.join(faults)}; --force overrules")
    return report


def prove(store: Store, version: str) -> None:
    """Raise InputError if a version is damaged, or cannot be served by this code."""
    with tempfile.TemporaryDirectory() as scratch:
        _load(store, version, scratch)


def _load(store: Store, version: str, scratch: str) -> Recommender:
    folder = bundle_cache.pull(store, scratch, version)
    try:
        return Recommender.load(folder)
    except InputError as error:
        raise InputError(str(error).replace(scratch, f"{store.url}/versions")) from error


def describe_training(recommender: Recommender) -> str:
    """Describe data and holdout of a bundle: ml-1m `next`."""
    settings = (recommender.manifest.get("config") or {}).get("data", {})
    details = [
        f"{name} {settings[name]}" for name in ("split_seed", "fold", "cut") if settings.get(name)
    ]
    name = settings.get("name") or recommender.manifest["data"]["name"]
    return ", ".join([f"{name} `{settings.get('protocol')}`", *details])


def _check_size_and_age(store: Store, candidate: Recommender, limits: Limits) -> Iterator[str]:
    name = candidate.model_version[:NAME_LENGTH]
    size_mb = sum(listed.size for listed in store.listed(f"versions/{name}/")) / 1e6
    if size_mb > limits.max_mb:
        yield f"{size_mb:,.0f} MB, expected at most {limits.max_mb:,.0f} (--max-mb)"
    age = datetime.now(UTC) - datetime.fromisoformat(candidate.manifest["created"])
    age_days = age.total_seconds() / 86_400
    if age_days > limits.max_age_days:
        limit = f"{limits.max_age_days:.0f} (--max-age-days)"
        yield f"created {age_days:.0f} days ago, expected at most {limit}"


def _compare(
    store: Store, candidate: Recommender, version: str, data: str | None, scratch: str
) -> list[tuple[str, bool]]:
    """Return a sentence, and whether the candidate is worse, for each metric.

    A current version that cannot be loaded any more must not block every promotion: that refusal
    can be overruled.
    """
    try:
        current = _load(store, version, scratch)
    except UnreachableError:
        raise
    except InputError as error:
        return [(f"the current version cannot be loaded ({error})", True)]
    training, current_training = describe_training(candidate), describe_training(current)
    differ = f"trained on {training}, the current version on {current_training}"
    if training != current_training and data is None:
        return [(f"{differ}: no metric to compare", False)]
    if training != current_training:
        sentence = f"it was {differ}, which may have seen the test part of this one, so --data"
        return [(f"{sentence} cannot compare them", True)]
    if data is None:
        return [_compare_reported_metrics(candidate, current)]
    try:  # needs the extra `train` and a clone; promoting without --data does not
        from marquee.promotion.compare_versions import compare_on_test_part
    except ImportError as error:
        raise InputError(
            f"--data {data}: {error}; expected a clone with the extra `train` (make setup)"
        ) from error
    return compare_on_test_part(
        _measurable_sibling(store, candidate, scratch),
        _measurable_sibling(store, current, scratch),
        data,
    )


def _compare_reported_metrics(candidate: Recommender, current: Recommender) -> tuple[str, bool]:
    """Compare the validation metrics in both bundles, if they measure the same."""
    new, old = candidate.manifest, current.manifest
    shared = sorted(set(new["metrics"]) & set(old["metrics"]))
    if new["data"]["sha256"] != old["data"]["sha256"] or not shared:
        return "no metric in common with the current version: compare with --data NAME", False
    values = (new["metrics"][shared[0]], old["metrics"][shared[0]])
    if None in values:
        return f"{shared[0]} on validation says nothing (n/a): the part is too small", False
    value, current_value = map(float, values)
    sentence = f"{shared[0]} {value:.4f} on validation, the current version's {current_value:.4f}"
    return sentence, value < MIN_METRIC_RATIO * current_value


def _measurable_sibling(store: Store, recommender: Recommender, scratch: str) -> Recommender:
    """Return the bundle, or its sibling that was trained without the test part."""
    if recommender.manifest["refit"] != "all":
        return recommender
    sibling = str(recommender.manifest["sibling"])
    try:
        return _load(store, sibling[:NAME_LENGTH], scratch)
    except InputError as error:
        raise InputError(
            f"{recommender.model_version[:NAME_LENGTH]} was trained on everything, expected its "
            f"sibling {sibling[:12]} in the store ({error}); push that bundle, too"
        ) from error
