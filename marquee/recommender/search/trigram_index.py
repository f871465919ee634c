"""Which titles share letters with a query: a table from three letters to the titles that hold them.

    keys = ["the matrix", "matrix", ...]            # from keys_of(title): a film has one or more
    TitleIndex(keys).nearest("matrx", 200, lift_K)  # numbers of keys, a few hundred of 100,000

Three letters in a row are a gram; spaces do not count ("spiderman" = "spider man"), and a beginning
or an end is a letter too, so that "up" has the four grams __u, _up, up_, p__. A slip changes three
grams at most; the others still lead to the title. 62,423 films: 98,712 keys, 1.6 million entries of
4 bytes. Shapes: K keys, P positions in all keys, C candidates.
"""

import re

import numpy as np
import numpy.typing as npt

from marquee.core.titles import normalise_title

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Grams = npt.NDArray[np.uint16]

OTHER_NAME = 0.1
"""Cost, in slips, of a title in brackets, or of one without its article."""
PART = 0.7
"""Cost of "The Empire Strikes Back" where "Star Wars: Episode V -" belongs before it."""

_ARTICLES = {"the", "a", "an", "la", "le", "les", "un", "une", "el", "los", "las", "il", "lo"}
_ARTICLES |= {"gli", "der", "die", "das", "ein", "eine", "det", "den", "o", "os"}
_ALSO = re.compile(r"^(?:a\.?k\.?a\.?:?) +", re.IGNORECASE)
_BRACKETS = re.compile(r" *[()] *")
_PARTS = re.compile(r": | - ")
_ROMAN = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv")
_VALUE = {roman: str(value) for value, roman in enumerate(_ROMAN, 2)}
_WORDS = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_SPELLED = {word: str(value) for value, word in enumerate(_WORDS, 2)}
_BEFORE_ONE = {"part", "episode", "volume", "vol", "chapter"}
"""Elsewhere "i" is a person."""

_BASE = (
    37  # letters that a gram tells apart: an end, 26 letters, 10 digits; all others fall on these
)
_LETTER = (1 + np.arange(0x110000) % 36).astype(np.uint16)
_LETTER[ord("\n")] = 0
_LETTER[ord("0") : ord("9") + 1] = np.arange(1, 11)
_LETTER[ord("a") : ord("z") + 1] = np.arange(11, 37)


def key_of(title: str) -> str:
    """A title or query as it is compared: normalised, numerals as digits."""
    key = normalise_title(title)
    words = key.split()
    if _VALUE.keys().isdisjoint(words) and "i" not in words:
        return key
    before = ["", *words]  # "X-Men" and "V for Vendetta" begin with a letter
    return " ".join(_digits(word, last) for last, word in zip(before, words, strict=False))


def _digits(word: str, last: str) -> str:
    if word == "i" and last in _BEFORE_ONE:
        return "1"
    return _VALUE.get(word, word) if last or len(word) > 1 else word


def in_figures(key: str) -> str:
    """The key with spelled numbers as digits: a second way to write it, since "sevn" is "seven"."""
    words = key.split()
    if _SPELLED.keys().isdisjoint(words):
        return key
    return " ".join(_SPELLED.get(word, word) for word in words)


def without_article(key: str) -> str:
    """The key without "the" at either end, or another article in front."""
    first, _, rest = key.partition(" ")
    return rest if rest and first in _ARTICLES else key.removesuffix(" the")


def keys_of(title: str) -> dict[str, float]:
    """Key -> cost, of the whole title, the titles in its brackets, and its parts."""
    keys = {key_of(title): 0.0}
    if "(" in title:
        title, *others = _BRACKETS.split(title)
        keys.setdefault(key_of(title), 0.0)
        for name in others:
            keys.setdefault(key_of(_ALSO.sub("", name)), OTHER_NAME)
    for key in list(keys):
        keys.setdefault(without_article(key), OTHER_NAME)
    if ": " in title or " - " in title:
        for part in _PARTS.split(title):
            keys.setdefault(without_article(key_of(part)), PART)
    for key, cost in list(keys.items()):
        keys.setdefault(in_figures(key), cost)
    keys.pop("", None)
    return keys


class TitleIndex:
    """The grams of K keys."""

    def __init__(self, keys: list[str]) -> None:
        gram_P, size_K = _grams(keys)
        order_P = np.argsort(gram_P, kind="stable")  # a radix sort, as these are 16 bits
        gram_P = gram_P[order_P]
        key_P = np.repeat(np.arange(len(keys), dtype=np.int32), size_K)[order_P]
        first = np.ones(len(key_P), dtype=bool)  # a gram twice in a title is one entry
        first[1:] = (gram_P[1:] != gram_P[:-1]) | (key_P[1:] != key_P[:-1])
        self._key = key_P[first]
        self._start = np.zeros(_BASE**3 + 1, dtype=np.int64)
        np.cumsum(np.bincount(gram_P[first], minlength=_BASE**3), out=self._start[1:])
        self._size_K = np.bincount(self._key, minlength=len(keys)).astype(np.float32)

    def nearest(self, key: str, count: int, lift_K: Floats) -> Ints:
        """Keys (C,), count..2 x count of them where so many share a gram with this one.

        Half of them share the most grams in proportion to both lengths (another spelling), half
        the most in all (a longer title that holds the query). lift_K, 0..1, decides among equals.
        """
        grams = np.unique(_grams([key])[0]).tolist()
        entries = [self._key[self._start[gram] : self._start[gram + 1]] for gram in grams]
        shared_K = np.bincount(np.concatenate(entries), minlength=len(self._size_K))
        near = np.flatnonzero(shared_K >= _shared_by(shared_K, 20 * count))
        shared_C = shared_K[near].astype(np.float32)
        alike_C = 2 * shared_C / (len(grams) + self._size_K[near]) + 0.05 * lift_K[near]
        picked = [_most(score_C, count) for score_C in (alike_C, shared_C + lift_K[near])]
        return near[np.unique(np.concatenate(picked))]


def _shared_by(shared_K: Ints, count: int) -> int:
    """The most grams (1 at least) that `count` keys share: to order all K takes 5 ms."""
    number = np.cumsum(np.bincount(shared_K)[::-1])[::-1]  # of the keys that share n or more
    return max(1, int(np.sum(number >= count)) - 1)


def _most(score_C: Floats, count: int) -> Ints:
    """Places of the `count` highest. Sorted, as numpy's partition takes 0.7 ms where most are
    equal, which they are, and its sort 0.06 ms."""
    if len(score_C) <= count:
        return np.arange(len(score_C))
    least = np.sort(score_C)[-count]
    above = np.flatnonzero(score_C > least)
    return np.concatenate([above, np.flatnonzero(score_C == least)[: count - len(above)]])


def _grams(keys: list[str]) -> tuple[Grams, Ints]:
    """(P,) grams of all keys in a row, and (K,) how many are of each."""
    compact = [key.replace(" ", "") for key in keys]
    text = "\n\n".join(["", *compact, ""])
    code = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    letter = _LETTER[code]
    gram = letter[:-2] * np.uint16(_BASE**2)
    gram += letter[1:-1] * np.uint16(_BASE)
    gram += letter[2:]
    return gram, np.array([len(key) + 2 for key in compact], dtype=np.int64)
