"""The sizes of the network's tables: the datamodule reads them off the data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Table sizes, which follow from the data."""

    num_users: int
    num_items: int
    num_genres: int
    num_periods: int
    num_rating_bins: int
    """Values of the rating scale."""
    text_dim: int = 0
