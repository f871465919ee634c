"""The encoding of a text file, told or recognised, and a copy in UTF-8 where it is another.

A file whose text is UTF-8 but for some bytes stays UTF-8: those lines are rejected. Only a file
without any UTF-8 letter can be in an 8-bit encoding, and where its few letters fit several of
them, the caller is asked. Parts of a large file are looked at: its first 16 MB and 64 places.
"""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import chardet

from marquee.core.errors import InputError
from marquee.data.source_tables.formats import DAMAGED, Known, open_bytes

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF8 = ("utf-8", "utf-8-sig")
HEAD_BYTES = 16 << 20
NUM_PLACES, PLACE_BYTES = 64, 1 << 18
LETTER_BYTES = 20_000  # of lines with other letters: what the detection reads
MIN_LINES = 2  # with fewer the letters say too little
RIVAL = 0.7  # of the best reading's confidence: another reading is as likely
WESTERN_LINES = 30  # with so many, cp1252 needs only to be the best: its languages share letters
COMMON = {
    "Windows-1252": "cp1252", "ISO-8859-1": "cp1252", "iso8859-15": "cp1252",
    "Windows-1250": "cp1250", "ISO-8859-2": "iso8859-2",
    "Windows-1251": "cp1251", "KOI8-R": "koi8-r", "KOI8-U": "koi8-u", "Windows-1253": "cp1253",
    "ISO-8859-7": "iso8859-7", "Windows-1254": "cp1254", "Windows-1255": "cp1255",
    "Windows-1256": "cp1256", "Windows-1257": "cp1257", "GB18030": "gb18030", "Big5": "big5",
    "CP932": "cp932", "EUC-JP": "euc_jp", "CP949": "cp949",
}  # fmt: skip
"""Names of chardet -> of Python: the encodings that files of titles come in. What is readable in
Latin-1 is the same in cp1252."""
UTF8_LETTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)


class Encoding(NamedTuple):
    name: str  # of Python
    is_told: bool
    errors: str = "strict"

    @property
    def is_utf8(self) -> bool:
        return self.name in UTF8 and self.errors == "strict"


def encoding_of(known: Known, label: str | None, *, subject: str, option: str) -> Encoding:
    """Return the encoding of a text file; InputError where several fit."""
    if label is not None:
        name, colon, errors = label.partition(":")
        return Encoding(codecs.lookup(name).name, True, errors if colon else "strict")
    for bom, name in BOMS:
        if known.head.startswith(bom):
            return Encoding(name, False)
    if wide := _wide(known.head):
        return Encoding(wide, False)
    letters, lines = 0, list[bytes]()
    for block in _blocks(known):
        good, bad_lines = _letters(block)
        letters += good
        if sum(map(len, lines)) < LETTER_BYTES:
            lines += bad_lines
    if letters or not lines:
        return Encoding("utf-8", False)
    return _eight_bit(lines, subject, option)


def utf8_copy(known: Known, encoding: Encoding, path: Path, subject: str) -> Path:
    """Write a file in UTF-8, "\\n" after each line; InputError names a bad line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text_decoder = codecs.getincrementaldecoder(encoding.name)(encoding.errors)
    decoder = io.IncrementalNewlineDecoder(text_decoder, translate=True)
    num_lines = 1
    with open_bytes(known.path, known.packed) as stream, path.open("wb") as copy:
        try:
            while block := stream.read(1 << 20):
                text = decoder.decode(block)
                num_lines += text.count("\n")
                copy.write(text.removeprefix("\ufeff").encode("utf-8", "replace"))
            copy.write(decoder.decode(b"", final=True).encode("utf-8", "replace"))
        except UnicodeDecodeError as error:
            line = num_lines + bytes(error.object)[: error.start].count(b"\n")
            raise InputError(
                f"{subject} line {line}: byte 0x{error.object[error.start]:02X} is not "
                f"{encoding.name}, expected text in it; name another, or {encoding.name}:replace"
            ) from None
        except UnicodeError as error:
            raise InputError(
                f"{subject}: {error}, expected text in {encoding.name}; name another encoding"
            ) from None
    return path


def bad_utf8(raw: bytes) -> str:
    """Return the first byte that is not UTF-8 as text: 0xE9."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"0x{raw[error.start]:02X}"
    return ""


def _wide(head: bytes) -> str | None:
    """Return UTF-16 without a mark, by where its NUL bytes stand."""
    sample = head[:4096]
    half = len(sample) // 2
    if half < 2 or sample.count(0) < half / 2:
        return None
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _blocks(known: Known) -> Iterator[bytes]:
    """Yield the start of a file, and places of its later part, in whole lines."""
    try:
        with open_bytes(known.path, known.packed) as stream:
            head = stream.read(HEAD_BYTES)
            yield head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
            size = known.path.stat().st_size
            if known.packed != "none" or size <= HEAD_BYTES:
                return
            step = max((size - HEAD_BYTES) // NUM_PLACES, PLACE_BYTES)
            for start in range(HEAD_BYTES, size, step):
                stream.seek(start)
                block = stream.read(PLACE_BYTES)
                yield block[block.find(b"\n") + 1 : block.rfind(b"\n") + 1]
    except DAMAGED as error:
        raise InputError(
            f"{known.file.name}: cannot be unpacked ({error}), expected a whole {known.packed} "
            "file; copy it again"
        ) from error


def _letters(block: bytes) -> tuple[int, list[bytes]]:
    """Return how many UTF-8 letters beyond ASCII are there, and the lines that are not UTF-8."""
    if block.isascii():
        return 0, []
    try:
        block.decode()
        return 1, []
    except UnicodeDecodeError:
        lines = [line for line in block.split(b"\n") if not line.isascii()]
    bad = [line for line in lines if bad_utf8(line)]
    valid = sum(len(UTF8_LETTER.findall(line)) for line in lines if line not in set(bad))
    return (valid if valid >= len(bad) else 0), bad


def _eight_bit(lines: Iterable[bytes], subject: str, option: str) -> Encoding:
    """Return the encoding that the letters speak for, or ask."""
    lines = list(lines)
    sample = b"\n".join(lines)[:LETTER_BYTES].rsplit(b"\n", 1)[0]
    readings = _readings(sample)
    best = max((score for _, _, score in readings), default=0.0)
    rivals = [name for name, _, score in readings if score >= RIVAL * best]
    is_western = rivals[:1] == ["cp1252"] and len(lines) >= WESTERN_LINES
    if is_western or (len(rivals) == 1 and len(lines) >= MIN_LINES):
        return Encoding(rivals[0], False)
    names = [name for name, _, _ in readings[:3]]
    telling = next((line for line in lines if _are_unlike(line, names[:2])), lines[0])
    options = "; ".join(f"{name} reads {_shown(telling, name)!r}" for name in names)
    raise InputError(
        f"{subject}: byte {bad_utf8(lines[0])} is not UTF-8, and too little says what it is "
        f"({options or 'no common one fits'}), expected the encoding's name; add {option} NAME, "
        f"or {option} utf-8 to reject such lines"
    )


def _readings(sample: bytes) -> list[tuple[str, str, float]]:
    """Return encoding, text and confidence, the likeliest first, one for each text."""
    readings: dict[str, tuple[str, str, float]] = {}  # by text: cp1252 gives it its name if it can
    for guess in chardet.detect_all(sample, ignore_threshold=True):
        name = COMMON.get(str(guess["encoding"]))
        if name is None:
            continue
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        if re.search("[\x80-\x9f]", text) is None:
            previous = readings.get(text, (name, text, float(guess["confidence"] or 0)))
            readings[text] = (name, *previous[1:]) if name == "cp1252" else previous
    return sorted(readings.values(), key=lambda reading: -reading[2])


def _are_unlike(line: bytes, encodings: list[str]) -> bool:
    return len({line.decode(encoding, "replace") for encoding in encodings}) > 1


def _shown(line: bytes, encoding: str) -> str:
    return line.decode(encoding, "replace").strip()[:40]
