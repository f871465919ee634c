"""Mistype titles as users do, by kind, for bench_search.py; the same seed gives the same queries.

A kind turns a movie's title into a query, or into none where the title cannot be mistyped so: an
accent can be dropped only where there is one. Titles are drawn with equal probabilities, so most
are of little-known movies, and all lengths stay in: a slip in "Up" is a query too. Queries are in
lower case.

A movie is relevant if it has the title that the query was made from. Brackets are titles of their
own ("The Postman (Il Postino)" has both), and articles and signs do not count: without a year, any
"Hamlet" may be meant. Where the query has a year, the movie must be of the year of the drawn one.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marquee.core.movies import Movies
from marquee.core.titles import normalise_title

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
ROMAN = {"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8", "IX": "9"}
WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
SPELLED = {word: str(value) for value, word in enumerate(WORDS, 2)}
_ROMAN = re.compile(rf"\b({'|'.join(ROMAN)})\b")
_DIGIT = re.compile(r"(?<= )([2-46-9])(?=$|:| )")
_ARTICLE = re.compile(r"(The|A|An|La|Le|Les|Der|Die|Das|El|Los|Il) (?=.)")
_ANY_ARTICLE = re.compile(r"^(?:the|a|an|la|le|les|der|die|das|el|los|il) (?=.)")
_SIGNS = re.compile(r"[^\w\s]")
_BRACKET = re.compile(r"\(([^()]*)\)")
_ALSO = re.compile(r"^(?:a\.?k\.?a\.?|aka) +", re.I)


class Query(NamedTuple):
    kind: str
    text: str
    relevant: frozenset[int]
    """Rows of the movies that may be meant."""
    row: int
    """Row of the movie that was drawn."""


Rng = np.random.Generator
Slip = Callable[[str, int, Rng], str | None]


def one_of(letters: str, rng: Rng) -> str:
    return letters[rng.integers(len(letters))]


def letter_index(title: str, rng: Rng, before_last: bool = False) -> int:
    """Return the index of the slip: any letter, or any that another one follows."""
    indices = [n for n, letter in enumerate(title) if letter.isalnum()]
    if before_last:
        indices = [n for n in indices[:-1] if n + 1 in indices and title[n] != title[n + 1]]
    return indices[rng.integers(len(indices))] if indices else -1


def wrong(title: str, year: int, rng: Rng) -> str:
    at = letter_index(title, rng)
    return title[:at] + one_of(LETTERS.replace(title[at].lower(), ""), rng) + title[at + 1 :]


def neighbor_key(title: str, year: int, rng: Rng) -> str | None:
    """Replace a letter by one beside it on the keyboard."""
    at = letter_index(title, rng)
    for keys in KEYBOARD:
        if (n := keys.find(title[at].lower())) >= 0:
            near = one_of(keys[max(0, n - 1) : n] + keys[n + 1 : n + 2], rng)
            return title[:at] + near + title[at + 1 :]
    return None


def missing(title: str, year: int, rng: Rng) -> str | None:
    at = letter_index(title, rng)
    return title[:at] + title[at + 1 :] if len(title) > 1 else None


def extra(title: str, year: int, rng: Rng) -> str:
    at = letter_index(title, rng)
    return title[:at] + one_of(LETTERS, rng) + title[at:]


def swapped(title: str, year: int, rng: Rng) -> str | None:
    at = letter_index(title, rng, before_last=True)
    return title[:at] + title[at + 1] + title[at] + title[at + 2 :] if at >= 0 else None


def two_slips(title: str, year: int, rng: Rng) -> str | None:
    """Make two of the slips above, in ten letters and more."""
    if sum(letter.isalnum() for letter in title) < 10:
        return None
    for _ in range(2):
        slip = (wrong, missing, extra, swapped)[rng.integers(4)]
        title = slip(title, year, rng) or title
    return title


def article_last(title: str, year: int, rng: Rng) -> str | None:
    match = _ARTICLE.match(title)
    return f"{title[match.end() :]}, {match[1]}" if match else None


def article_missing(title: str, year: int, rng: Rng) -> str | None:
    match = _ARTICLE.match(title)
    return title[match.end() :] if match else None


def article_added(title: str, year: int, rng: Rng) -> str | None:
    return f"the {title}" if not _ARTICLE.match(title) else None


def no_accents(title: str, year: int, rng: Rng) -> str | None:
    plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))
    return plain if plain != title else None


def right_year(title: str, year: int, rng: Rng) -> str | None:
    return f"{title} {year}" if year else None


def year_off(title: str, year: int, rng: Rng) -> str | None:
    return f"{title} {year + rng.choice([-1, 1])}" if year else None


def numerals(title: str, year: int, rng: Rng) -> str | None:
    """Write "Rocky II" as "Rocky 2", and the other way round."""
    back = {digit: roman for roman, digit in ROMAN.items()}
    typed = _ROMAN.sub(lambda match: ROMAN[match[1]], title)
    typed = typed if typed != title else _DIGIT.sub(lambda match: back[match[1]], title)
    return typed if typed != title else None


def spelled(title: str, year: int, rng: Rng) -> str | None:
    """Write "Rocky II" and "Toy Story 2" with "two", and the other way round."""
    figures = _ROMAN.sub(lambda match: ROMAN[match[1]], title)
    words = {figure: word for word, figure in SPELLED.items()}
    typed = _DIGIT.sub(lambda match: words.get(match[1], match[1]), figures)
    if typed == figures:
        typed = " ".join(SPELLED.get(word.lower(), word) for word in title.split(" "))
    return typed if typed not in (title, figures) else None


def ampersand(title: str, year: int, rng: Rng) -> str | None:
    typed = title.replace("&", "and") if "&" in title else re.sub(r"\band\b", "&", title)
    return typed if typed != title else None


def no_signs(title: str, year: int, rng: Rng) -> str | None:
    typed = _SIGNS.sub("", title)
    return typed if typed != title and typed.strip() else None


def joined(title: str, year: int, rng: Rng) -> str | None:
    gaps = [n for n, letter in enumerate(title) if letter == " "]
    at = gaps[rng.integers(len(gaps))] if gaps else -1
    return title[:at] + title[at + 1 :] if gaps else None


def split(title: str, year: int, rng: Rng) -> str | None:
    at = letter_index(title, rng, before_last=True)
    return f"{title[: at + 1]} {title[at + 1 :]}" if at >= 0 else None


def half_typed(title: str, year: int, rng: Rng) -> str | None:
    """Return the first 60%."""
    return title[: -(-len(title) * 6 // 10)] if len(title) > 1 else None


KINDS: dict[str, tuple[str, Slip]] = {
    "wrong-letter": ("one letter is another one", wrong),
    "next-key": ("one letter is the one beside it on the keyboard", neighbor_key),
    "missing-letter": ("one letter is missing", missing),
    "extra-letter": ("one letter too many", extra),
    "swapped-letters": ("two letters next to each other are swapped", swapped),
    "two-slips": ("two of the slips above, titles of 10 letters and more", two_slips),
    "article-last": ("the article behind a comma", article_last),
    "article-missing": ("the article left out", article_missing),
    "article-added": ('"the" where it does not belong', article_added),
    "no-accents": ("accents dropped", no_accents),
    "right-year": ("the year behind the title", right_year),
    "year-off": ("a year too early or too late behind the title", year_off),
    "numerals": ("roman numerals as digits, digits as roman numerals", numerals),
    "spelled": ("numbers as words, words as digits", spelled),
    "ampersand": ('"&" as "and", "and" as "&"', ampersand),
    "no-signs": ("apostrophes and all other signs left out", no_signs),
    "joined": ("two words written as one", joined),
    "split": ("one word written as two", split),
    "half-typed": ("the first 60% of the letters", half_typed),
    "alternative": ("the title that MovieLens gives in brackets", lambda title, year, rng: title),
}
DATED = ("right-year", "year-off")


def names_of(title: str) -> list[str]:
    """Return the names of a title; never empty.

    "The Postman (Il Postino)" has "The Postman" and "Il Postino".
    """
    main = _BRACKET.sub(" ", title).strip()
    names = [re.sub(r"\s+", " ", main), *(_ALSO.sub("", name) for name in _BRACKET.findall(title))]
    return [name for name in names if bare(name)] or [title]


def bare(name: str) -> str:
    return _ANY_ARTICLE.sub("", normalise_title(name))


def draw_queries(movies: Movies, per_kind: int, seed: int) -> list[Query]:
    """Draw per_kind queries of each kind, fewer where fewer titles can be mistyped so."""
    rng = np.random.default_rng(seed)
    rows_by_name: dict[str, set[int]] = {}
    for row, title in enumerate(movies.title):
        for name in names_of(title):
            rows_by_name.setdefault(bare(name), set()).add(row)
    queries: list[Query] = []
    for kind, (_, slip) in KINDS.items():
        of_kind: list[Query] = []
        for row in rng.permutation(len(movies)).tolist():
            if len(of_kind) == per_kind:
                break
            of_kind += _queries_of(kind, slip, movies, row, rows_by_name, rng)
        queries += of_kind
    return queries


def _queries_of(
    kind: str, slip: Slip, movies: Movies, row: int, rows_by_name: dict[str, set[int]], rng: Rng
) -> list[Query]:
    main, *others = names_of(movies.title[row])
    names = others[:1] if kind == "alternative" else [main]
    year = movies.year[row]
    for name in names:
        if not bare(name) or (text := slip(name, year or 0, rng)) is None or not text.strip():
            continue
        relevant = rows_by_name[bare(name)]
        if kind in DATED:
            relevant = {other for other in relevant if movies.year[other] == year}
        return [Query(kind, text.lower(), frozenset(relevant), row)]
    return []
