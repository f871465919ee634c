"""Words of titles and tags that set the groups apart: stems by TF-IDF, weighed by who rated what.

A film's words are those of its title and tags, stemmed (nltk) and weighed (TF-IDF, scikit-learn),
its row scaled to length 1. A group's weight of a word is the mean over its people of the mean over
their films; a word sets the group apart by as much as that is above everybody's.

P people, I films, W words, S segments.
"""

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from marquee.core.bootstrap import Interval
from marquee.core.movies import Movies
from marquee.core.titles import normalise_title
from marquee.data.tag_files import Tags
from marquee.data.text import documents, stem_reader
from marquee.insights.finding import Chart, Finding, cannot, with_bounds
from marquee.insights.findings.segments import Segments, seen_matrix
from marquee.insights.model_view import View
from marquee.insights.render.formatting import listed, percent, span
from marquee.insights.resample import Draws, over

Floats = NDArray[np.float64]
WORDS = 5
"""Shown of each group."""
LEAST_FILMS = 3
"""Films that a word must stand in."""


def vocabulary(
    view: View, found: Segments | str, movies: Movies, tags: Tags, draws: Draws
) -> Finding:
    """What the groups' films are called."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if isinstance(found, str):
        return cannot("words", "Words that set groups apart cannot be told", found)
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=LEAST_FILMS)
    try:
        weight_IW = vectorizer.fit_transform(documents(movies, tags))
    except ValueError:
        return cannot(
            "words",
            "Words that set groups apart cannot be told",
            f"No word of titles or tags stands in {LEAST_FILMS} films.",
        )
    words = surfaces(movies, tags)
    names = [words.get(stem, stem) for stem in vectorizer.get_feature_names_out()]
    seen_PI = seen_matrix(view.items, len(movies))
    mean_PI = diags(1 / np.maximum(np.asarray(seen_PI.sum(1)).ravel(), 1)) @ seen_PI
    apart_SW = apart(np.asarray(mean_PI.T @ _shares(found)).T @ weight_IW)
    apart_SW[:, [not is_word(name) for name in names]] = -1  # "2" marks sequels, "l" a French title
    best_SW = np.argsort(-apart_SW, axis=1, kind="stable")[:, :WORDS]
    return _finding(found, names, best_SW, seen_PI, weight_IW, draws, len(tags) > 0)


def is_word(name: str) -> bool:
    return len(name) > 2 and name.isalpha()


def apart(weight_SW: Floats) -> Floats:
    """Weights of the groups (the last row: of everybody) less those of everybody."""
    return weight_SW[:-1] - weight_SW[-1]


def _shares(found: Segments) -> Floats:
    """(P, S + 1) each person's part of each group's mean, then of everybody's."""
    is_PS = np.column_stack([found.is_PS, np.ones(len(found.of_P))])
    return is_PS / is_PS.sum(0)


def _finding(
    found: Segments,
    names: list[str],
    best_SW: NDArray[np.int64],
    seen_PI: csr_matrix,
    weight_IW: csr_matrix,
    draws: Draws,
    with_tags: bool,
) -> Finding:
    top_S = best_SW[:, 0]
    has_PS = (seen_PI @ (weight_IW[:, top_S] > 0).astype(np.float64)).toarray() > 0
    inside, outside = reach(has_PS, found, draws)
    rows = tuple(
        (
            f"{found.names[s]}: {names[top_S[s]]}",
            inside[s].mean,
            outside[s].mean,
            inside[s].low,
            inside[s].high,
            ", ".join(names[w] for w in best_SW[s]),
        )
        for s in range(len(found))
    )
    first = max(range(len(found)), key=lambda s: inside[s].mean - outside[s].mean)
    what = "titles and tags" if with_tags else "titles"
    said = "; ".join(
        f"“{found.names[s]}”: {listed([names[w] for w in best_SW[s, :3]])}"
        for s in range(len(found))
    )
    return Finding(
        "words",
        f"“{names[top_S[first]]}” marks the group “{found.names[first]}”",
        f"Words of {what} that stand out: {said}. {percent(inside[first].mean)} of the people of "
        f"“{found.names[first]}” rated a film with “{names[top_S[first]]}”, of the others "
        f"{percent(outside[first].mean)} ({span(outside[first], '%')}).",
        inside[first],
        "%",
        f"of the group rated a film with “{names[top_S[first]]}”",
        int(found.is_PS[:, first].sum()),
        f"people of “{found.names[first]}”",
        Chart(
            "bars",
            "Share of people who rated a film with the group's first word",
            ("group and word", "% of the group", "% of the others", "low", "high", "words"),
            rows,
            drawn=(1, 2),
        ),
        "Name shelves by these words, and let search and new films be found by them.",
        "text features of the network (`features: [genres, period, text]`); GET /movies/search",
        ("Tags come from the few people who write them. " if with_tags else "There are no tags. ")
        + "Words stand for series and their sequels as much as for a taste.",
        "`auc` of protocol `new-movies`, with and without text (docs/ablations.md)",
        numbers=with_bounds("others_percent", outside[first]),
    )


def reach(
    has_PS: NDArray[np.bool_], found: Segments, draws: Draws
) -> tuple[list[Interval], list[Interval]]:
    """For each group's word: the percent of its people, and of the others, who met it."""
    size = len(found)

    def both(is_in_PS: NDArray[np.bool_]) -> list[Interval]:
        columns = np.column_stack([has_PS & is_in_PS, is_in_PS])
        return draws.of_sums(columns, lambda sums: 100 * over(sums[:, :size], sums[:, size:]))

    return both(found.is_PS), both(~found.is_PS)


def surfaces(movies: Movies, tags: Tags) -> dict[str, str]:
    """Stem -> the word that it stands for most often."""
    stems: Callable[[str], list[str]] = stem_reader()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in (*movies.title, *tags.tag):
        for word in normalise_title(text).split():
            for stem in stems(word):
                counts[stem][word] += 1
    return {
        stem: min(words, key=lambda word: (-words[word], word)) for stem, words in counts.items()
    }
