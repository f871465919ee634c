"""Mistype titles as users do, by kind, for bench_search.py: one seed, the same queries.

A kind turns a movie's title into a query, or into none where the title cannot be mistyped so: an
accent can be dropped only where there is one. Titles are drawn with equal probabilities, so most
are of little-known movies, and all lengths stay in: a slip in "Up" is a query too. Queries are in
lower case.

A movie is right if it has the title that the query was made from. Brackets are titles of their own
("The Postman (Il Postino)" has both), and articles and signs do not count: without a year, any
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
    typed: str
    right: frozenset[int]
    """Rows of the movies that may be meant."""
    row: int
    """Row of the movie that was drawn."""


Draw = np.random.Generator
Kind = Callable[[str, int, Draw], str | None]


def one_of(letters: str, draw: Draw) -> str:
    return letters[draw.integers(len(letters))]


def place_of(title: str, draw: Draw, before_last: bool = False) -> int:
    """Return the place of the slip: any letter, or any that another one follows."""
    places = [n for n, letter in enumerate(title) if letter.isalnum()]
    if before_last:
        places = [n for n in places[:-1] if n + 1 in places and title[n] != title[n + 1]]
    return places[draw.integers(len(places))] if places else -1


def wrong(title: str, year: int, draw: Draw) -> str:
    at = place_of(title, draw)
    return title[:at] + one_of(LETTERS.replace(title[at].lower(), ""), draw) + title[at + 1 :]


def neighbour(title: str, year: int, draw: Draw) -> str | None:
    """Replace a letter by one beside it on the keyboard."""
    at = place_of(title, draw)
    for keys in KEYBOARD:
        if (n := keys.find(title[at].lower())) >= 0:
            near = one_of(keys[max(0, n - 1) : n] + keys[n + 1 : n + 2], draw)
            return title[:at] + near + title[at + 1 :]
    return None


def missing(title: str, year: int, draw: Draw) -> str | None:
    at = place_of(title, draw)
    return title[:at] + title[at + 1 :] if len(title) > 1 else None


def extra(title: str, year: int, draw: Draw) -> str:
    at = place_of(title, draw)
    return title[:at] + one_of(LETTERS, draw) + title[at:]


def swapped(title: str, year: int, draw: Draw) -> str | None:
    at = place_of(title, draw, before_last=True)
    return title[:at] + title[at + 1] + title[at] + title[at + 2 :] if at >= 0 else None


def two_slips(title: str, year: int, draw: Draw) -> str | None:
    """Make two of the slips above, in ten letters and more."""
    if sum(letter.isalnum() for letter in title) < 10:
        return None
    for _ in range(2):
        slip = (wrong, missing, extra, swapped)[draw.integers(4)]
        title = slip(title, year, draw) or title
    return title


def article_last(title: str, year: int, draw: Draw) -> str | None:
    match = _ARTICLE.match(title)
    return f"{title[match.end() :]}, {match[1]}" if match else None


def article_missing(title: str, year: int, draw: Draw) -> str | None:
    match = _ARTICLE.match(title)
    return title[match.end() :] if match else None


def article_added(title: str, year: int, draw: Draw) -> str | None:
    return f"the {title}" if not _ARTICLE.match(title) else None


def no_accents(title: str, year: int, draw: Draw) -> str | None:
    plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))
    return plain if plain != title else None


def right_year(title: str, year: int, draw: Draw) -> str | None:
    return f"{title} {year}" if year else None


def year_off(title: str, year: int, draw: Draw) -> str | None:
    return f"{title} {year + draw.choice([-1, 1])}" if year else None


def numerals(title: str, year: int, draw: Draw) -> str | None:
    """Write "Rocky II" as "Rocky 2", and the other way round."""
    back = {digit: roman for roman, digit in ROMAN.items()}
    typed = _ROMAN.sub(lambda match: ROMAN[match[1]], title)
    typed = typed if typed != title else _DIGIT.sub(lambda match: back[match[1]], title)
    return typed if typed != title else None


def spelled(title: str, year: int, draw: Draw) -> str | None:
    """Write "Rocky II" and "Toy Story 2" with "two", and the other way round."""
    figures = _ROMAN.sub(lambda match: ROMAN[match[1]], title)
    words = {figure: word for word, figure in SPELLED.items()}
    typed = _DIGIT.sub(lambda match: words.get(match[1], match[1]), figures)
    if typed == figures:
        typed = " ".join(SPELLED.get(word.lower(), word) for word in title.split(" "))
    return typed if typed not in (title, figures) else None


def ampersand(title: str, year: int, draw: Draw) -> str | None:
    typed = title.replace("&", "and") if "&" in title else re.sub(r"\band\b", "&", title)
    return typed if typed != title else None


def no_signs(title: str, year: int, draw: Draw) -> str | None:
    typed = _SIGNS.sub("", title)
    return typed if typed != title and typed.strip() else None


def joined(title: str, year: int, draw: Draw) -> str | None:
    gaps = [n for n, letter in enumerate(title) if letter == " "]
    at = gaps[draw.integers(len(gaps))] if gaps else -1
    return title[:at] + title[at + 1 :] if gaps else None


def split(title: str, year: int, draw: Draw) -> str | None:
    at = place_of(title, draw, before_last=True)
    return f"{title[: at + 1]} {title[at + 1 :]}" if at >= 0 else None


def half_typed(title: str, year: int, draw: Draw) -> str | None:
    """Return the first 60%."""
    return title[: -(-len(title) * 6 // 10)] if len(title) > 1 else None


KINDS: dict[str, tuple[str, Kind]] = {
    "wrong-letter": ("one letter is another one", wrong),
    "next-key": ("one letter is the one beside it on the keyboard", neighbour),
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
    "alternative": ("the title that MovieLens gives in brackets", lambda title, year, draw: title),
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


def typed_queries(movies: Movies, per_kind: int, seed: int) -> list[Query]:
    """Draw per_kind queries of each kind, fewer where fewer titles can be mistyped so."""
    draw = np.random.default_rng(seed)
    bearers: dict[str, set[int]] = {}
    for row, title in enumerate(movies.title):
        for name in names_of(title):
            bearers.setdefault(bare(name), set()).add(row)
    queries: list[Query] = []
    for kind, (_, slip) in KINDS.items():
        of_kind: list[Query] = []
        for row in draw.permutation(len(movies)).tolist():
            if len(of_kind) == per_kind:
                break
            of_kind += _queries_of(kind, slip, movies, row, bearers, draw)
        queries += of_kind
    return queries


def _queries_of(
    kind: str, slip: Kind, movies: Movies, row: int, bearers: dict[str, set[int]], draw: Draw
) -> list[Query]:
    main, *others = names_of(movies.title[row])
    names = others[:1] if kind == "alternative" else [main]
    year = movies.year[row]
    for name in names:
        if not bare(name) or (typed := slip(name, year or 0, draw)) is None or not typed.strip():
            continue
        right = bearers[bare(name)]
        if kind in DATED:
            right = {other for other in right if movies.year[other] == year}
        return [Query(kind, typed.lower(), frozenset(right), row)]
    return []
