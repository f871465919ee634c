"""Turn titles as MovieLens writes them into titles for display and for search.

split_title("Matrix, The (1999)")     -> ("The Matrix", 1999)
normalise_title("Amélie, L'été: 2!")  -> "amelie lete 2"
"""

import re
import unicodedata

FIRST_YEAR, LAST_YEAR = 1870, 2100  # outside them, digits are no year of a release
_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–]\s*(?:\d{4})?\s*)?\)\s*$")
_ARTICLES = (
    "The|A|An|La|Le|Les|L'|Un|Une|Los|Las|El|Una|Il|Lo|Gli|I|Der|Die|Das|Ein|Eine|Den|Det|De|Het|"
    "En|Ett|O|Os|As|Um|Uma"
)
# "City of Lost Children, The (Cité des enfants perdus, La)": the end of the title or of a bracket.
_TRAILING_ARTICLE = re.compile(rf"([^()]+?), ({_ARTICLES})(?=\s*(?:\(|\)|$))")
_APOSTROPHES = "'’‘`´"
_NOT_WORD = re.compile(r"[\W_]+")
# Nine titles in ten are ASCII: a table and a split take a third of the time of the general path.
_ASCII = str.maketrans(
    {sign: " " for sign in map(chr, range(128)) if not sign.isalnum()}
    | dict.fromkeys(_APOSTROPHES)
    | {"&": " and "}
)
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "&": " and "} | dict.fromkeys(_APOSTROPHES)
)


def split_title(title: str) -> tuple[str, int | None]:
    """Return the title, its article in front, and the first release year or None.

    A year that is the whole title is the title: "(1962-1966)".
    """
    match = _YEAR.search(title)
    if match is None or not is_year(int(match.group(1))) or not title[: match.start()].strip():
        return _article_first(title.strip()), None
    return _article_first(title[: match.start()].strip()), int(match.group(1))


def is_year(number: float) -> bool:
    return FIRST_YEAR <= number <= LAST_YEAR


def normalise_title(title: str) -> str:
    """Return a title in lower case without accents and signs, its article in front."""
    text = _article_first(title.strip()).casefold()
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    text = text.translate(_UNDECOMPOSED)
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _NOT_WORD.sub(" ", "".join(letters)).strip()


def _article_first(title: str) -> str:
    return _TRAILING_ARTICLE.sub(_swap, title) if ", " in title else title


def _swap(match: re.Match[str]) -> str:
    name, article = match.group(1), match.group(2)
    lead = name[: len(name) - len(name.lstrip())]
    joint = "" if article.endswith("'") else " "
    return f"{lead}{article}{joint}{name.lstrip()}"
