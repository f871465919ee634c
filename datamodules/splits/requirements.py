"""Check that a data set has what a protocol needs to measure anything."""

from marquee.core.errors import InputError
from marquee.data.dataset import Dataset

WITHOUT_ORDER = "fixed, stars, new-movies or new-users"
ORDER_REMEDY = "--time COLUMN, or --ordered if each user's rows are oldest first"


def has_order(dataset: Dataset) -> bool:
    """Return True if histories are oldest first, by times or by the source."""
    return dataset.has_times or dataset.is_ordered


def check_requirements(dataset: Dataset, protocol: str) -> None:
    """Raise InputError, with the remedy, if a data set does not fit a protocol."""
    add = f"marquee data add {dataset.name} … --replace"
    if protocol == "next" and not has_order(dataset):
        raise InputError(
            f"data.protocol next: data set {dataset.name} has neither times nor an order, expected "
            f"one of them; {add} {ORDER_REMEDY}, or data.protocol {WITHOUT_ORDER}"
        )
    if protocol == "time" and not dataset.has_times:
        raise InputError(
            f"data.protocol time: data set {dataset.name} has no times, expected dates; {add} "
            f"--time COLUMN, or data.protocol {'next' if has_order(dataset) else WITHOUT_ORDER}"
        )
    if protocol == "stars" and not dataset.has_ratings:
        raise InputError(
            f"data.protocol stars: data set {dataset.name} has no ratings, expected some to "
            f"predict; {add} --rating COLUMN, or another data.protocol"
        )
