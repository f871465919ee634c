"""Words of titles and tags that distinguish the taste groups: TF-IDF of stems, by users.

The words of a movie are those of its title and tags, stemmed (nltk) and weighted (TF-IDF,
scikit-learn); each movie's row has length 1. A group's weight of a word is the mean over its users
of the mean over their movies. A word distinguishes the group by the distance of that weight to the
weight over all users.

Local letters: W words, T taste groups; U users of the view.
"""

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
from scipy.sparse import diags

from marquee.core.arrays import Bools, Float64, Int64
from marquee.core.bootstrap import Interval
from marquee.core.movies import Movies
from marquee.core.titles import normalise_title
from marquee.data.tag_files import Tags
from marquee.data.text import documents, stem_reader
from marquee.insights.finding import Chart, Finding, unavailable, with_bounds
from marquee.insights.findings.segments import Segments, seen_matrix
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import interval_text, join_names, percent
from marquee.insights.resample import UserResamples, divide

NUM_WORDS = 5
"""Words of each group in the table."""
MIN_MOVIES = 3
"""Movies that a word must occur in."""
MIN_WORD_LENGTH = 3
"""Shorter ones are no words: "2" marks sequels, "l" a French title."""
NO_TAGS = "There are no tags. "
UNAVAILABLE_TITLE = "Words of the taste groups: not enough data to tell"


def vocabulary(
    view: ModelView, groups: Segments | str, movies: Movies, tags: Tags, resamples: UserResamples
) -> Finding:
    """Find the words of titles and tags that distinguish the groups."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if isinstance(groups, str):
        return unavailable(id="words", title=UNAVAILABLE_TITLE, reason=groups)
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=MIN_MOVIES)
    try:
        weight_IW = vectorizer.fit_transform(documents(movies, tags))
    except ValueError:
        return unavailable(
            id="words",
            title=UNAVAILABLE_TITLE,
            reason=f"No word of titles or tags occurs in {MIN_MOVIES} movies.",
        )
    words = surfaces(movies, tags)
    names = [words.get(stem, stem) for stem in vectorizer.get_feature_names_out()]
    seen_UI = seen_matrix(view.histories, len(movies))
    mean_UI = diags(1 / np.maximum(np.asarray(seen_UI.sum(1)).ravel(), 1)) @ seen_UI
    distance_TW = distances(np.asarray(mean_UI.T @ _shares(groups)).T @ weight_IW)
    distance_TW[:, [not is_word(name) for name in names]] = -1
    best_TW = np.argsort(-distance_TW, axis=1, kind="stable")[:, :NUM_WORDS]
    first_T = best_TW[:, 0]
    has_word_UT = (seen_UI @ (weight_IW[:, first_T] > 0).astype(np.float64)).toarray() > 0
    return _finding(groups, names, best_TW, has_word_UT, resamples, len(tags) > 0)


def is_word(name: str) -> bool:
    return len(name) >= MIN_WORD_LENGTH and name.isalpha()


def distances(weight_TW: Float64) -> Float64:
    """Subtract the last row (all users) from each group's weights."""
    return weight_TW[:-1] - weight_TW[-1]


def _shares(groups: Segments) -> Float64:
    """Return (U, T + 1) each user's part of each group's mean, then of the mean of all."""
    is_member = np.column_stack([groups.is_member_UT, np.ones(len(groups.group_U))])
    return is_member / is_member.sum(0)


def _finding(
    groups: Segments,
    names: list[str],
    best_TW: Int64,
    has_word_UT: Bools,
    resamples: UserResamples,
    with_tags: bool,
) -> Finding:
    inside, outside = word_shares(has_word_UT, groups, resamples)
    words = [[names[w] for w in best_W] for best_W in best_TW]
    top_group = max(range(len(groups)), key=lambda t: inside[t].mean - outside[t].mean)
    group, word = groups.names[top_group], words[top_group][0]
    descriptions = "; ".join(
        f"“{groups.names[t]}”: {join_names(words[t][:3])}" for t in range(len(groups))
    )
    return Finding(
        id="words",
        title=f"“{word}” marks the group “{group}”",
        sentence=f"Words of {'titles and tags' if with_tags else 'titles'} that stand out: "
        f"{descriptions}. {percent(inside[top_group].mean)} of the people of “{group}” rated "
        f"a movie with “{word}”, of the others {percent(outside[top_group].mean)} "
        f"({interval_text(outside[top_group], '%')}).",
        number=inside[top_group],
        unit="%",
        meaning=f"of the group rated a movie with “{word}”",
        n=int(groups.is_member_UT[:, top_group].sum()),
        unit_of_n=f"people of “{group}”",
        chart=_chart(groups.names, words, inside, outside),
        action="Name rows of the app by these words, and let search and new movies be found by "
        "them.",
        lever="text features of the network (`features: [genres, period, text]`); GET "
        "/movies/search",
        how_sure=("Tags come from the few people who write them. " if with_tags else NO_TAGS)
        + "Words stand for series and their sequels as much as for a taste.",
        how_we_will_know="`auc` of protocol `new-movies`, with and without text "
        "(docs/ablations.md)",
        numbers=with_bounds("others_percent", outside[top_group]),
    )


def _chart(
    group_names: list[str], words: list[list[str]], inside: list[Interval], outside: list[Interval]
) -> Chart:
    rows = tuple(
        (
            f"{name}: {words[t][0]}",
            inside[t].mean,
            outside[t].mean,
            inside[t].low,
            inside[t].high,
            ", ".join(words[t]),
        )
        for t, name in enumerate(group_names)
    )
    return Chart(
        kind="bars",
        title="Share of people who rated a movie with the group's first word",
        columns=("group and word", "% of the group", "% of the others", "low", "high", "words"),
        rows=rows,
        drawn_columns=(1, 2),
    )


def word_shares(
    has_word_UT: Bools, groups: Segments, resamples: UserResamples
) -> tuple[list[Interval], list[Interval]]:
    """Return the percent of users who rated a movie with a group's word.

    The first list is of each group, the second of the users outside it.
    """
    size = len(groups)

    def shares(is_in_UT: Bools) -> list[Interval]:
        columns = np.column_stack([has_word_UT & is_in_UT, is_in_UT])
        return resamples.intervals_of_sums(
            columns, lambda sums: 100 * divide(sums[:, :size], sums[:, size:])
        )

    return shares(groups.is_member_UT), shares(~groups.is_member_UT)


def surfaces(movies: Movies, tags: Tags) -> dict[str, str]:
    """Return the word that each stem stands for most often."""
    stems: Callable[[str], list[str]] = stem_reader()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in (*movies.title, *tags.tag):
        for word in normalise_title(text).split():
            for stem in stems(word):
                counts[stem][word] += 1
    return {
        stem: min(words, key=lambda word: (-words[word], word)) for stem, words in counts.items()
    }
