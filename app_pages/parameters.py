"""Text from outside, parsed and bounded: parameters of the address, and what visitors type.

    parameters.movie_id("3", is_text=False)     # 3
    parameters.movie_id("03", is_text=True)     # "03", another movie than "3"
    parameters.movie_id("²", is_text=False)     # None
    parameters.distinct(["Ben", "Ben"])         # ["Ben", "Ben (2)"]

A parser returns None for text that it cannot use, and never raises. No address that a visitor types
is ever requested: of a pasted one only its parameters are read.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from marquee_client.types import MovieId

MAX_ID_CHARS = 128
"""Of a user or a movie, as in the service."""
MAX_MOVIE_ID = 2**63 - 1
MAX_NAME_CHARS = 40
MAX_SEARCH_CHARS = 200
MAX_PROFILE_CHARS = 2000
"""A pasted address; longer text is not read."""
MAX_MIX_CHARS = 2000
MAX_GENRE_CHARS = 60
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Control characters, direction overrides, unpaired surrogates, unassigned code points."""
JOINERS = "\u200c\u200d"
"""Persian words and composed emoji need them."""
UNREADABLE = "\ufffd"
"""Stands for what is no UTF-8, as "%FC": different ids would look the same."""
MARKUP = r"\`*_{}[]()#+-.!|~$:<>&=@"
"""Characters that Markdown or Streamlit may read as markup."""
DRAWN = re.compile(r":(?=[\w+/-]+:)|-(?=[->])|<(?=[-=])|>(?==)|~(?==)")
"""Streamlit draws an icon or arrow of these even if they are escaped: ":material/star:", "->"."""
WORD_JOINER = "\u2060"
"""Of no width; between two such characters it leaves them as they are."""
SEPARATORS = str.maketrans({"%": "%25", ",": "%2C"})


class Profile(NamedTuple):
    """A user that a visitor named, with a name if they gave one."""

    user_id: str
    name: str


def clean(text: str) -> str:
    """Replace letters without a shape by spaces: they could hide or turn text."""
    return "".join(
        " " if unicodedata.category(letter) in UNSEEN and letter not in JOINERS else letter
        for letter in text
    )


def movie_id(text: str, *, is_text: bool) -> MovieId | None:
    """Return a movie_id; superscripts and digits of other scripts are no integers.

    is_text: whether the catalog's ids are text.
    """
    if is_text:
        is_usable = 0 < len(text) <= MAX_ID_CHARS and not {UNREADABLE, "\0"} & set(text)
        return text if is_usable else None
    is_number = re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text) is not None
    return int(text) if is_number and abs(int(text)) <= MAX_MOVIE_ID else None


def user_id(text: str) -> str | None:
    """Return an id; none where the browser could not read its percent signs."""
    is_bounded = 0 < len(text) <= MAX_ID_CHARS and text == text.strip()
    return text if is_bounded and text.isprintable() and UNREADABLE not in text else None


def name(text: str) -> str:
    """Return a name of one line, shortened; "" where nothing of it can be seen."""
    words = " ".join(clean(text[: 10 * MAX_NAME_CHARS]).split())[:MAX_NAME_CHARS].rstrip()
    return words if any(unicodedata.category(letter)[0] in "LNPS" for letter in words) else ""


def search(text: str) -> str:
    """Return the title to search for, or ""."""
    return " ".join(clean(text[:MAX_SEARCH_CHARS]).split())


def profile(text: str) -> Profile | None:
    """Read an id, or the address of a user's page."""
    text = text.strip()
    if len(text) > MAX_PROFILE_CHARS:
        return None
    try:
        query = parse_qs(urlsplit(text).query, max_num_fields=100)
    except ValueError:  # as of "http://[" and of too many fields
        query = {}
    without_me = "" if "://" in text else text
    own_id = user_id(query.get("me", [without_me])[-1])
    return None if own_id is None else Profile(own_id, name(query.get("name", [""])[-1]))


def mix(text: str) -> dict[str, float]:
    """Read genre -> weight of "Comedy:1.5,Drama:2", without the parts that are none."""
    weights = {}
    for part in text.split(",") if 0 < len(text) <= MAX_MIX_CHARS else ():
        encoded_genre, _, weight = part.rpartition(":")
        genre = unquote(encoded_genre)
        is_genre = 0 < len(genre) <= MAX_GENRE_CHARS and clean(genre) == genre
        if is_genre and re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", weight) and float(weight) > 0:
            weights[genre] = float(weight)
    return weights


def mix_text(weights: Mapping[str, float]) -> str:
    """Return what `mix` reads; weights of 0 are dropped."""
    return ",".join(
        f"{genre.translate(SEPARATORS)}:{weight:g}"
        for genre, weight in weights.items()
        if weight > 0
    )


def share(text: str) -> float | None:
    """Return a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 else None


def switch(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def one_of(options: Collection[str]) -> Callable[[str], str | None]:
    """Return a parser that takes these options alone."""
    return lambda text: text if text in options else None


def distinct(names: Iterable[str]) -> list[str]:
    """Number the names that come again, so that each can head a column of its own."""
    results: list[str] = []
    for base in names:
        result, number = base, 2
        while result in results:
            result, number = f"{base} ({number})", number + 1
        results.append(result)
    return results


def plain(text: str) -> str:
    """Escape what Markdown would read as markup, and drop invisible characters."""
    return "".join(
        "\\" + letter if letter in MARKUP else letter
        for letter in DRAWN.sub(rf"\g<0>{WORD_JOINER}", clean(text))
    )
