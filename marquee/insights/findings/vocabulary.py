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

from marquee.core.arrays import Bools, Int64
from marquee.core.movies import Movies
from marquee.core.titles import normalise_title
from marquee.data.movielens.tags import Tags
from marquee.data.word_stems import documents, stem_reader
from marquee.insights.finding import Chart, Finding, texts, unavailable
from marquee.insights.findings.segments import Segments, seen_matrix
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import join_names, percent
from marquee.insights.resample import UserResamples
from marquee.insights.words import Words

NUM_WORDS = 5
"""Words of each group in the table."""
MIN_MOVIES = 3
"""Movies that a word must occur in."""
MIN_WORD_LENGTH = 3
"""Shorter ones are no words: "2" marks sequels, "l" a French title."""


def vocabulary(
    view: ModelView,
    groups: Segments | str,
    movies: Movies,
    tags: Tags,
    resamples: UserResamples,
    words: Words,
) -> Finding:
    """Find the words of titles and tags that distinguish the groups."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if isinstance(groups, str):
        return unavailable("words", groups, words)
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, min_df=MIN_MOVIES)
    try:
        weight_IW = vectorizer.fit_transform(documents(movies, tags))
    except ValueError:
        reason = f"No word of titles or tags occurs in {MIN_MOVIES} movies."
        return unavailable("words", reason, words)
    surface_of = surfaces(movies, tags)
    names = [surface_of.get(stem, stem) for stem in vectorizer.get_feature_names_out()]
    seen_UI = seen_matrix(view.histories, len(movies))
    mean_UI = diags(1 / np.maximum(np.asarray(seen_UI.sum(1)).ravel(), 1)) @ seen_UI
    is_member = np.column_stack([groups.is_member_UT, np.ones(len(groups.group_U))])
    weight_TW = np.asarray(mean_UI.T @ (is_member / is_member.sum(0))).T @ weight_IW
    distance_TW = weight_TW[:-1] - weight_TW[-1]  # the last row: all users
    is_word_W = np.array([is_word(name) for name in names])
    if not is_word_W.any():
        return unavailable("words", "Titles and tags hold numbers only.", words)
    distance_TW[:, ~is_word_W] = -1
    best_TW = np.argsort(-distance_TW, axis=1, kind="stable")[:, :NUM_WORDS]
    first_T = best_TW[:, 0]
    has_word_UT = (seen_UI @ (weight_IW[:, first_T] > 0).astype(np.float64)).toarray() > 0
    return _finding(groups, names, best_TW, has_word_UT, resamples, len(tags) > 0, words)


def is_word(name: str) -> bool:
    return len(name) >= MIN_WORD_LENGTH and name.isalpha()


def _finding(
    groups: Segments,
    names: list[str],
    best_TW: Int64,
    has_word_UT: Bools,
    resamples: UserResamples,
    with_tags: bool,
    words: Words,
) -> Finding:
    is_in_UT = groups.is_member_UT
    inside = resamples.percent(has_word_UT & is_in_UT, is_in_UT)
    outside = resamples.percent(has_word_UT & ~is_in_UT, ~is_in_UT)
    top_words = [[names[w] for w in best_W] for best_W in best_TW]
    top = max(range(len(groups)), key=lambda t: inside[t].mean - outside[t].mean)
    if inside[top].mean <= outside[top].mean:
        return unavailable("words", "The groups share the words of their titles and tags.", words)
    group, word = groups.names[top], top_words[top][0]
    descriptions = [
        f"“{groups.names[t]}”: {join_names(top_words[t][:3])}." for t in range(len(groups))
    ]
    return Finding(
        **texts(
            "words", words, tags="Few users write tags" if with_tags else "The data holds no tags"
        ),
        title=f"“{word}” marks the group “{group}”",
        sentence=f"Some words of {'titles and tags' if with_tags else 'titles'} stand out in each "
        f"group. {' '.join(descriptions)} Of the users outside “{group}”, "
        f"{percent(outside[top].mean)} {words.rated} a movie with “{word}”.",
        number=inside[top],
        meaning=f"of the group {words.rated} a movie with “{word}”",
        n=int(is_in_UT[:, top].sum()),
        unit_of_n=f"users of “{group}”",
        chart=Chart.from_table(
            kind="bars",
            title=f"Share of users who {words.rated} a movie with the group's first word",
            table={
                "group and word": [
                    f"{name}: {top_words[t][0]}" for t, name in enumerate(groups.names)
                ],
                "% of the group": inside,
                "% of the others": outside,
                "words": [", ".join(group_words) for group_words in top_words],
            },
            drawn=("% of the group", "% of the others"),
        ),
        numbers={"others_percent": outside[top]},
    )


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
