"""A table of nine ratings, small enough to check every number of a finding by eye."""

from marquee.insights.chunk_sums import SESSION_GAP_S
from tests.support.ratings_files import SECOND, YEAR_S, Row

MOVIES = [
    (10, "Heat, The (1994)", "Drama|War"),
    (20, "Fargo (1990)", "Drama"),
    (30, "Nameless", "Comedy"),
    (40, "Late (1999)", "(no genres listed)"),
]
LATER = SECOND + 60 + SESSION_GAP_S + 1
ROWS: list[Row] = [
    (1, 10, 5.0, SECOND),
    (1, 20, 4.0, SECOND + 60),
    (1, 30, 3.0, LATER),
    (1, 40, 2.0, LATER + SESSION_GAP_S),
    (2, 10, 4.0, SECOND),
    (2, 20, 4.0, SECOND + 1),
    (3, 10, 1.0, SECOND),
    (3, 30, 5.0, SECOND + 1),
    (4, 10, 5.0, SECOND + YEAR_S + 86_400),
]
