r"""Read a well-formed MovieLens ratings.csv with numpy, faster than a general csv reader can.

    parse_csv(Path("data/ml-25m/ratings.csv"))     # 25 million rows

Every line has one shape, right-aligned at its end: "…\n1,296,5.0,1147880044". The 32 bytes before a
line end are loaded as four 64-bit words (W0 to W3, lowest byte first), for all lines of a block at
once. numpy then computes on columns of words:

    W3 = "47880044", W2 = "6,5.0,11", W1 = "…\n1,29": rating and time stand at fixed bytes. An id
    starts after the last byte that is no digit (bit 4 is set in digits alone). Three
    multiplications turn eight digits into a number (Lemire, "Quickly parsing eight digits", 2018).

A time of nine digits (before September 2001) is first moved to the place of ten. The cores share
the blocks: numpy releases the interpreter's lock. Any other shape (quotes, signs, blanks, "5" for
"5.0", ids above seven digits) makes `parse_csv` return None. The caller then uses a general reader:
this one never guesses.
"""

import mmap
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from marquee.core.arrays import Float32, Int64

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Columns = tuple[Int64, Int64, Float32, Int64]

BLOCK_BYTES = 1 << 20
"""Bytes handled at once: few enough that the intermediate arrays stay in the cache."""
_RETAINED_BYTES = 31 << 20
"""Freeing one block of this size makes glibc keep twice as much freed memory for the next block.
Otherwise every block returns its memory and pays for new pages: half of the run time."""
_RECORD_BYTES = 32
_U = np.uint64
_LOW_NIBBLES = _U(0x0F0F0F0F0F0F0F0F)
_BIT_4 = _U(0x1010101010101010)
_HIGH_NIBBLES, _DIGITS = _U(0xF0F0F0F0F0F0F0F0), _U(0x3030303030303030)
_FRAME_MASK, _FRAME = _U(0xF0F0FFF0FFF0FFF0), _U(0x30302C302E302C30)
"""W2: digits with the separators ",", "." and "," at bytes 1, 3 and 5."""


def parse_csv(path: Path) -> Columns | None:
    """Return the four columns of a ratings file in file order.

    They are user_id, movie_id, rating and timestamp, (N,) each: float32 for the rating, else int64.
    None if any line has another form. The first line is the header, skipped unread.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(b"\n") + 1
        if start < _RECORD_BYTES or start == len(content) or content[-1:] != b"\n":
            return None
        end_bytes = 2 if content[start - 2 : start] == b"\r\n" else 1
        cuts = [start]
        while cuts[-1] < len(content):
            cuts.append(content.find(b"\n", min(cuts[-1] + BLOCK_BYTES, len(content) - 1)) + 1)
        data = np.frombuffer(content, dtype=np.uint8)
        try:
            return _parse_blocks(data, cuts, end_bytes)
        finally:
            del data  # a mapping cannot be closed while an array looks at it


def _parse_blocks(data: Bytes, cuts: list[int], end_bytes: int) -> Columns | None:
    np.empty(_RETAINED_BYTES, dtype=np.uint8)
    blocks = list(pairwise(cuts))
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        counts = pool.map(lambda block: np.count_nonzero(data[slice(*block)] == 10), blocks)
        offsets = np.concatenate([[0], np.cumsum(list(counts))])
        user, movie, time = (np.empty(offsets[-1], dtype=np.int64) for _ in range(3))
        rating = np.empty(offsets[-1], dtype=np.float32)

        def fill(number: int) -> bool:
            rows = slice(offsets[number], offsets[number + 1])
            out = (user[rows], movie[rows], rating[rows], time[rows])
            return _parse_block(data, *blocks[number], end_bytes, out)

        is_plain = all(pool.map(fill, range(len(blocks))))
    return (user, movie, rating, time) if is_plain else None


def _parse_block(data: Bytes, begin: int, end: int, end_bytes: int, out: Columns) -> bool:
    """Fill `out` with the lines from `begin` to `end`; return whether all have the one form."""
    block = data[begin:end]
    line_end = np.flatnonzero(block == ord("\n")) + (begin + 1 - end_bytes)
    # Four separators and the line end are checked below in every line: there must be no others.
    num_others = np.count_nonzero(block < ord("0"))
    if num_others != len(line_end) * (4 + end_bytes) or block.max() > ord("9"):
        return False
    w0, w1, w2, w3 = _records(data, line_end)
    if ((w2 & _FRAME_MASK) != _FRAME).any() or ((w3 & _HIGH_NIBBLES) != _DIGITS).any():
        return False
    if end_bytes == 2 and (data[line_end] != ord("\r")).any():
        return False
    movie_word = (w1 >> _U(8)) | (w2 << _U(56))
    movie_start, is_movie = _first_digit(movie_word, b",")
    # The eight bytes before the comma, from the two words that it may stand in.
    comma = movie_start - _U(8)
    before = (w0 >> _U(8)) | (w1 << _U(56))
    user_word = (before >> comma) | (movie_word << (_U(56) - comma) << _U(8))
    user_start, is_user = _first_digit(user_word, b"\n")
    if not (is_movie and is_user):
        return False
    user, movie, rating, time = out
    user[:] = _number(user_word, user_start)
    movie[:] = _number(movie_word, movie_start)
    time[:] = _number(w3, _U(0))
    time += (_digit(w2, 6) * _U(10) + _digit(w2, 7)).view(np.int64) * 100_000_000
    tenths = (_digit(w2, 2) * _U(10) + _digit(w2, 4)).astype(np.float32)
    np.divide(tenths, np.float32(10), out=rating)
    return True


def _records(data: Bytes, line_end: Int64) -> tuple[Words, Words, Words, Words]:
    """Return W0 to W3 of every line, times of nine digits moved to the place of ten."""
    shape = (len(data) - _RECORD_BYTES + 1,)
    record_at = np.ndarray(shape, dtype=f"V{_RECORD_BYTES}", buffer=data, strides=(1,))
    words = record_at[line_end - _RECORD_BYTES].view("<u8").reshape(-1, 4)
    w0, w1, w2, w3 = np.ascontiguousarray(words.T)
    short_rows = np.flatnonzero((w2 >> _U(48)) & _U(0xFF) == ord(","))
    if len(short_rows):
        n0, n1, n2 = w0[short_rows], w1[short_rows], w2[short_rows]
        w0[short_rows] = (n0 >> _U(8)) | (n1 << _U(56))
        w1[short_rows] = (n1 >> _U(8)) | (n2 << _U(56))
        zero_then_last = (n2 & _U(0xFF << 56)) | _U(ord("0") << 48)
        w2[short_rows] = ((n2 >> _U(8)) & _U((1 << 48) - 1)) | zero_then_last
    return w0, w1, w2, w3


def _first_digit(word: Words, before: bytes) -> tuple[Words, bool]:
    """Return the first bit of the digits at a word's end, and whether all words have `before`."""
    others = ~word & _BIT_4
    # A float's exponent is the place of its highest bit: bit 4 of the last byte that is no digit.
    start = (others.astype(np.float64).view(np.uint64) >> _U(52)) - _U(1023 - 4)
    is_right = (word >> (start - _U(8))) & _U(0xFF) == ord(before)  # a word all digits shifts to 0
    return start, bool(is_right.all() and start.max() < 64)


def _number(word: Words, start: Words | np.uint64) -> Words:
    """Return the numbers whose digits fill the words from bit `start` on (first digit lowest)."""
    number = word & _LOW_NIBBLES
    number >>= start
    number <<= start
    for bits, scale, mask in (
        (8, 10, 0x00FF00FF00FF00FF),
        (16, 100, 0x0000FFFF0000FFFF),
        (32, 10_000, 0x00000000FFFFFFFF),
    ):
        lower = number >> _U(bits)
        number *= _U(scale)
        number += lower
        number &= _U(mask)
    return number


def _digit(word: Words, byte: int) -> Words:
    return (word >> _U(8 * byte)) & _U(15)
