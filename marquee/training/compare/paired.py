"""Two runs compared person by person, from the test rows that each keeps.

    ours, theirs = (pd.read_parquet(run / "test-next.parquet") for run in folders)
    difference(ours, theirs, "next")["ndcg@10"]      # {"diff", "low", "high"} of ours - theirs

Nothing is scored again: a person's figures follow from the ranks, or the stars, in the rows. The
same persons stand on both sides of every draw, so what makes a person hard to serve cancels out and
small differences show.

What rows cannot tell: `auc` of new-movies, which needs the number of candidates; and a tie of more
than two, which an expected rank does not show (`figures` reads it as one level or none).
"""

from typing import Any

import numpy as np
import pandas as pd

from marquee.core.bootstrap import summarise_paired
from marquee.core.columns import Columns
from marquee.evaluation.metrics.ranking import METRICS, METRICS_EACH
from marquee.evaluation.metrics.rating import Part, Sums, compare_stars, star_figures, star_means
from marquee.evaluation.ranker import PROTOCOLS
from marquee.training.evaluate_ratings import of_rows

FIGURES = PROTOCOLS | {"stars": ("rmse", "mae", "ece", "coverage@90")}
"""By protocol, the figures that a comparison shows."""
LOWER_IS_BETTER = ("rmse", "mae", "ece")
ASKED = [Columns.USER_ID, Columns.MOVIE_ID]


def figures(rows: pd.DataFrame, protocol: str = "next") -> pd.DataFrame:
    """Each person's figures, from the expected ranks of the test rows, means over seeds.

    Indexed by person and movie, or by person in `new-users`, where a person has several movies.
    """
    above = np.floor(rows["rank"]).astype(int).to_numpy() - 1
    # A rank of 2.5 is one movie above and one level. A longer tie, which the float32 logits of a
    # trained network hardly know, is read as one level or none.
    level = (2 * (rows["rank"] % 1)).astype(int).to_numpy()
    if protocol == "new-users":
        person = rows.groupby(["seed", Columns.USER_ID])
        row = np.asarray(person.ngroup(), dtype=np.int64)
        found = {name: metric(above, level, row) for name, metric in METRICS_EACH.items()}
        user = person.size().index.get_level_values(Columns.USER_ID)
        return pd.DataFrame(found).groupby(user).mean()
    names = [name for name in PROTOCOLS[protocol] if name in METRICS]
    found = {name: METRICS[name](above, level) for name in names}
    return pd.DataFrame(found).groupby([rows[each].to_numpy() for each in ASKED]).mean()


def means(rows: pd.DataFrame, protocol: str) -> dict[str, float]:
    """The figures that rows give, to be held against those of the results beside them."""
    if protocol == "stars":
        return star_means(of_stars(rows))
    found = figures(rows, protocol)
    return {str(name): float(values.mean()) for name, values in found.items()}


def same_questions(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Whether both were asked for the same movies of the same persons."""
    one, other = (
        rows[ASKED].drop_duplicates().sort_values(ASKED).to_numpy() for rows in (ours, theirs)
    )
    return bool(np.array_equal(one, other))


def difference(ours: pd.DataFrame, theirs: pd.DataFrame, protocol: str) -> Part:
    """{"ndcg@10": {"diff", "low", "high"}, …}: ours minus theirs, seeds averaged per person, with
    95% bootstrap intervals over persons. Both have to be asked the same questions."""
    if protocol == "stars":
        found = compare_stars(of_stars(ours), of_stars(theirs))
        return {name: found[name] for name in LOWER_IS_BETTER}
    one, other = figures(ours, protocol), figures(theirs, protocol)
    assert one.index.equals(other.index), "same_questions was asked before"
    names = [str(name) for name in one]
    return summarise_paired(
        {each: one[each] for each in names}, {each: other[each] for each in names}
    )


def of_stars(rows: pd.DataFrame) -> dict[str, Sums]:
    """The same persons in the same order, whatever order the rows are in."""
    return star_figures(of_rows(rows.sort_values(["seed", *ASKED])))


def verdict(name: str, found: dict[str, Any]) -> str:
    """What an interval says: it has to lie on one side of 0 to say anything."""
    if found["low"] <= 0 <= found["high"]:
        return "no difference shown"
    return "better" if (found["low"] > 0) != (name in LOWER_IS_BETTER) else "worse"
