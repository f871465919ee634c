"""What a version must show before it is promoted.

    report = examine(store, "46ce893d", "ml-1m")      # sentences; InputError where it may not pass

golden answers   the bundle loads with this code and answers as it was trained to
size and age     no larger than `max_mb`, made no longer ago than `max_age_days`
figures          not below FLOOR of the current version's, and not certainly worse than it

Without data the figures are those that each bundle says of its own validation. With data, both are
asked the same test part, through the library, and compared person by person; a production bundle
(refitted on everything) stands aside for its sibling, which has not seen the test part.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from marquee.core.errors import InputError
from marquee.recommender.recommender import Recommender
from marquee.releases import cache, versions
from marquee.releases.pointer import NAME_LENGTH
from marquee.releases.store import Store, UnreachableError

FLOOR = 0.95
"""Of the current version's figure: less is a worse model whatever the interval says."""


class Refused(InputError):  # noqa: N818
    """What a person may overrule; a bundle that is damaged or answers wrongly nobody may."""


@dataclass(frozen=True)
class Limits:
    max_mb: float = 1000.0
    """A machine holds the old and the new bundle while it swaps."""
    max_age_days: float = 90.0
    """Tastes and catalogues move on."""


def examine(
    store: Store, version: str, data: str | None = None, limits: Limits | None = None
) -> list[str]:
    """Ask a version of the store everything above -> what was found, a sentence each.

    data: a data set of DATA_ROOT. Raises Refused with all that is wrong, InputError where the bundle
    cannot be served or compared at all.
    """
    limits = limits or Limits()
    pointer = versions.current(store)
    with tempfile.TemporaryDirectory() as home:
        candidate = _load(store, version, home)
        said = [f"golden answers hold ({len(candidate.movies):,} movies)"]
        wrong = list(_size_and_age(store, candidate, limits))
        if pointer is None:
            said.append("nothing has been promoted before: no figure to compare with")
        elif pointer.model_version != candidate.model_version:
            for told, worse in _beside(store, candidate, pointer.version, data, home):
                said.append(told)
                wrong += [told] * worse
    if wrong:
        raise Refused(f"{version} may not be promoted: {'; '.join(wrong)}; --force overrules")
    return said


def prove(store: Store, version: str) -> None:
    """InputError where a version is damaged, or cannot be served by this code."""
    with tempfile.TemporaryDirectory() as home:
        _load(store, version, home)


def _load(store: Store, version: str, home: str) -> Recommender:
    folder = cache.pull(store, home, version)
    try:
        return Recommender.load(folder)
    except InputError as error:
        raise InputError(str(error).replace(home, f"{store.url}/versions")) from error


def _beside(
    store: Store, candidate: Recommender, version: str, data: str | None, home: str
) -> list[tuple[str, bool]]:
    """(sentence, whether the candidate is worse) for each figure. A current version that cannot be
    asked any more must not be in the way for ever: that a person may overrule."""
    try:
        current = _load(store, version, home)
    except UnreachableError:
        raise
    except InputError as error:
        return [(f"the current version cannot be asked ({error})", True)]
    if data is None:
        return [_by_their_own_word(candidate, current)]
    if (ours := trained_on(candidate)) != (theirs := trained_on(current)):
        why = "which may have seen what this one is asked, so --data cannot compare them"
        return [(f"it was trained on {ours}, the current version on {theirs}, {why}", True)]
    from marquee.promotion.compare_versions import (
        side_by_side,  # torch: seconds nobody else waits for
    )

    pair = [_sibling(store, one, home) for one in (candidate, current)]
    return side_by_side(pair[0], pair[1], data)


def trained_on(recommender: Recommender) -> str:
    """The data and what is held out of it, as a person reads it: ml-1m `next`."""
    manifest = recommender.manifest
    asked = (manifest.get("config") or {}).get("data", {})
    drawn = [f"{name} {asked[name]}" for name in ("split_seed", "fold") if asked.get(name)]
    name = asked.get("name") or manifest["data"]["name"]
    return ", ".join([f"{name} `{asked.get('protocol')}`", *drawn])


def _size_and_age(store: Store, candidate: Recommender, limits: Limits) -> Iterator[str]:
    name = candidate.model_version[:NAME_LENGTH]
    size_mb = sum(each.size for each in store.listed(f"versions/{name}/")) / 1e6
    if size_mb > limits.max_mb:
        yield f"{size_mb:,.0f} MB, allowed {limits.max_mb:,.0f} (--max-mb)"
    made = datetime.fromisoformat(candidate.manifest["created"])
    age_days = (datetime.now(UTC) - made).total_seconds() / 86_400
    if age_days > limits.max_age_days:
        yield f"made {age_days:.0f} days ago, allowed {limits.max_age_days:.0f} (--max-age-days)"


def _by_their_own_word(candidate: Recommender, current: Recommender) -> tuple[str, bool]:
    """What both bundles say of their validation, where it is the same question."""
    ours, theirs = candidate.manifest, current.manifest
    shared = sorted(set(ours["metrics"]) & set(theirs["metrics"]))
    mine, other = trained_on(candidate), trained_on(current)
    if mine != other:
        return f"trained on {mine}, the current version on {other}: no figure to compare", False
    if ours["data"]["sha256"] != theirs["data"]["sha256"] or not shared:
        return "no figure in common with the current version: compare with --data NAME", False
    (name,) = shared[:1]
    figure, known = float(ours["metrics"][name]), float(theirs["metrics"][name])
    told = f"{name} {figure:.4f} on validation, the current version's {known:.4f}"
    return told, figure < FLOOR * known


def _sibling(store: Store, recommender: Recommender, home: str) -> Recommender:
    """Itself, or what may be asked in its place: trained by the same recipe without the test."""
    if recommender.manifest["refit"] != "all":
        return recommender
    sibling = str(recommender.manifest["sibling"])
    try:
        return _load(store, sibling[:NAME_LENGTH], home)
    except InputError as error:
        raise InputError(
            f"{recommender.model_version[:NAME_LENGTH]} was trained on everything, so its "
            f"sibling {sibling[:12]} must be measured; push that bundle, too ({error})"
        ) from error
