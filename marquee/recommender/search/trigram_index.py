"""A trigram index: from three letters to the titles that hold them.

A gram is three letters in a row. Spaces do not count ("spiderman" = "spider man"). A beginning or
an end is a letter too, so that "up" has the four grams __u, _up, up_, p__. An edit changes three
grams at most; the others still lead to the title. Local letters: T title keys, P positions in all.
"""

import re
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools, Float32, Int64
from marquee.core.titles import normalise_title

Grams: TypeAlias = npt.NDArray[np.uint16]

OTHER_NAME_COST = 0.1  # edits: of a title in brackets, or of one without its article
PART_COST = 0.7  # of "The Empire Strikes Back" where "Star Wars: Episode V -" belongs before it
BONUS_WEIGHT = 0.05
SHORTLIST_FACTOR = 20

_ARTICLES = {"the", "a", "an", "la", "le", "les", "un", "une", "el", "los", "las", "il", "lo"}
_ARTICLES |= {"gli", "der", "die", "das", "ein", "eine", "det", "den", "o", "os"}
_ALSO_KNOWN_AS = re.compile(r"^(?:a\.?k\.?a\.?:?) +", re.IGNORECASE)
_BRACKETS = re.compile(r" *[()] *")
_PARTS = re.compile(r": | - ")
_ROMAN = "ii iii iv v vi vii viii ix x xi xii xiii xiv xv"
_ROMAN_DIGITS = {roman: str(value) for value, roman in enumerate(_ROMAN.split(), 2)}
_WORDS = "two three four five six seven eight nine ten eleven twelve"
_WORD_DIGITS = {word: str(value) for value, word in enumerate(_WORDS.split(), 2)}
_BEFORE_ONE = {"part", "episode", "volume", "vol", "chapter"}  # elsewhere "i" is a pronoun

_BASE = 37  # letters that a gram tells apart: an end, 26 letters, 10 digits; others share these
_LETTER = (1 + np.arange(0x110000) % 36).astype(np.uint16)
_LETTER[ord("\n")] = 0
_LETTER[ord("0") : ord("9") + 1] = np.arange(1, 11)
_LETTER[ord("a") : ord("z") + 1] = np.arange(11, 37)


def to_key(title: str) -> str:
    """Return a title or query as it is compared: normalized, Roman numerals as digits."""
    words = normalise_title(title).split()
    previous = ["", *words]  # "X-Men" and "V for Vendetta" begin with a letter
    return " ".join(_to_digits(word, last) for last, word in zip(previous, words, strict=False))


def _to_digits(word: str, previous: str) -> str:
    if word == "i" and previous in _BEFORE_ONE:
        return "1"
    return _ROMAN_DIGITS.get(word, word) if previous or len(word) > 1 else word


def numerals_to_digits(key: str) -> str:
    """Return the key with number words as digits: a second key ("sevn" is "seven")."""
    return " ".join(_WORD_DIGITS.get(word, word) for word in key.split())


def strip_article(key: str) -> str:
    """Return the key without "the" at either end, or another article in front."""
    first, _, tail = key.partition(" ")
    return tail if tail and first in _ARTICLES else key.removesuffix(" the")


def title_keys(title: str) -> dict[str, float]:
    """Return key -> cost, of the full title, titles in its brackets, and its parts.

    >>> title_keys("Alien: Part II")
    {'alien part 2': 0.0, 'alien': 0.7, 'part 2': 0.7}
    """
    keys = {to_key(title): 0.0}
    if "(" in title:
        title, *others = _BRACKETS.split(title)
        keys.setdefault(to_key(title), 0.0)
        for name in others:
            keys.setdefault(to_key(_ALSO_KNOWN_AS.sub("", name)), OTHER_NAME_COST)
    for key in list(keys):
        keys.setdefault(strip_article(key), OTHER_NAME_COST)
    if ": " in title or " - " in title:
        for part in _PARTS.split(title):
            keys.setdefault(strip_article(to_key(part)), PART_COST)
    for key, cost in list(keys.items()):
        keys.setdefault(numerals_to_digits(key), cost)
    keys.pop("", None)
    return keys


class TrigramIndex:
    def __init__(self, keys: list[str]) -> None:
        gram_P, size_T = _grams(keys)
        order_P = np.argsort(gram_P, kind="stable")  # a radix sort, as these are 16 bits
        gram_P = gram_P[order_P]
        key_P = np.repeat(np.arange(len(keys), dtype=np.int32), size_T)[order_P]
        is_first_P = np.ones(len(key_P), dtype=bool)  # a gram twice in a title is one entry
        is_first_P[1:] = (gram_P[1:] != gram_P[:-1]) | (key_P[1:] != key_P[:-1])
        self._key = key_P[is_first_P]
        self._start = np.zeros(_BASE**3 + 1, dtype=np.int64)
        np.cumsum(np.bincount(gram_P[is_first_P], minlength=_BASE**3), out=self._start[1:])
        self._size_T = np.bincount(self._key, minlength=len(keys)).astype(np.float32)

    def nearest(self, key: str, count: int, bonus_T: Float32, mask_T: Bools | None = None) -> Int64:
        """Return keys (C,), count..2 x count of them where so many share a gram.

        Half of them share the most grams in proportion to both lengths (another spelling), half
        the most in all (a longer title that holds the query). bonus_T, 0..1, orders equal ones.
        mask_T: the only keys to return; None: all.
        """
        grams = np.unique(_grams([key])[0]).tolist()
        entries = [self._key[self._start[gram] : self._start[gram + 1]] for gram in grams]
        shared_T = np.bincount(np.concatenate(entries), minlength=len(self._size_T))
        if mask_T is not None:
            shared_T[~mask_T] = 0
        near = np.flatnonzero(shared_T >= _min_shared(shared_T, SHORTLIST_FACTOR * count))
        shared_C, bonus_C = shared_T[near].astype(np.float32), bonus_T[near]
        similarity_C = 2 * shared_C / (len(grams) + self._size_T[near]) + BONUS_WEIGHT * bonus_C
        top = [_top_positions(score_C, count) for score_C in (similarity_C, shared_C + bonus_C)]
        return near[np.unique(np.concatenate(top))]


def _min_shared(shared_T: Int64, count: int) -> int:
    """Return the most grams, at least 1, that `count` keys share; sorting takes 5 ms."""
    num_keys = np.cumsum(np.bincount(shared_T)[::-1])[::-1]  # of the keys that share n or more
    return max(1, int(np.sum(num_keys >= count)) - 1)


def _top_positions(score_C: Float32, count: int) -> Int64:
    if len(score_C) <= count:
        return np.arange(len(score_C))
    lowest = np.sort(score_C)[-count]  # most are equal: np.partition takes .7 ms, sort .06 ms
    above = np.flatnonzero(score_C > lowest)
    return np.concatenate([above, np.flatnonzero(score_C == lowest)[: count - len(above)]])


def _grams(keys: list[str]) -> tuple[Grams, Int64]:
    """Return the grams of all keys in a row, (P,), and how many each key has, (T,)."""
    compact = [key.replace(" ", "") for key in keys]
    text = "\n\n".join(["", *compact, ""])
    code = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    letter = _LETTER[code]
    gram = letter[:-2] * np.uint16(_BASE**2)
    gram += letter[1:-1] * np.uint16(_BASE)
    gram += letter[2:]
    return gram, np.array([len(key) + 2 for key in compact], dtype=np.int64)
