"""Statistics of items: rarity, release years, genre shares, miscalibration."""

from collections.abc import Sequence

import numpy as np

from marquee.core.arrays import AnyFloat, AnyInt, Float64
from marquee.core.movies import Movies

LIKED_RATING = 4.0  # and more
LIKED_SHARE, MIDDLE_SHARE, LOW_SHARE = 0.8, 0.6, 0.4  # of the range from 0 up: 4, 3 and 2 of 5
SMOOTHING = 0.01  # of the profile, mixed into a list: a missing genre costs finitely much


def rarity(num_ratings_I: AnyInt, num_users: int) -> Float64:
    """Return -log(share of users who rated it), (I,), in nats; none counts as one.

    >>> rarity(np.array([0, 1, 50]), num_users=100).round(3).tolist()
    [4.605, 4.605, 0.693]
    """
    return np.asarray(-np.log(np.maximum(num_ratings_I, 1) / max(num_users, 1)))


def liked_rating(scale: Sequence[float]) -> float:
    """Return the lowest rating of a scale, ascending, that says "liked".

    >>> [liked_rating(scale) for scale in ((1, 2, 3, 4, 5), (0, 1), range(11), range(101))]
    [4.0, 1.0, 8.0, 80.0]
    """
    liked = [value for value in scale[1:] if value >= rating_at(scale, LIKED_SHARE) - 1e-6]
    return float(liked[0] if liked else scale[-1])


def low_rating(scale: Sequence[float]) -> float:
    """Return the highest rating of a scale, ascending, that says "disliked".

    >>> [low_rating(scale) for scale in ((1, 2, 3, 4, 5), (0, 1), range(11), range(101))]
    [2.0, 0.0, 4.0, 40.0]
    """
    low = [value for value in scale if value <= rating_at(scale, LOW_SHARE) + 1e-6]
    return float(low[-1] if low else scale[0])


def rating_at(scale: Sequence[float], share: float) -> float:
    """Return the rating at a share of the range from 0, or from a lower value."""
    bottom = min(0.0, float(scale[0]))
    return bottom + share * (float(scale[-1]) - bottom)


def release_years(movies: Movies) -> Float64:
    """Return the years of release, (I,); nan where unknown."""
    return np.array([np.nan if year is None else year for year in movies.year], np.float64)


def ages(year_I: Float64) -> Float64:
    """Return years behind the newest item, (I,); unknown years are of median age."""
    if np.isnan(year_I).all():
        return np.zeros(len(year_I))
    age_I = np.nanmax(year_I) - year_I
    return np.where(np.isnan(age_I), np.nanmedian(age_I), age_I)


def genre_shares(genre_IG: AnyFloat) -> Float64:
    """Share an item's unit among its genres, (I, G); all 0 if it has none.

    >>> genre_shares(np.array([[1, 1], [0, 1], [0, 0]])).tolist()
    [[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]]
    """
    return np.asarray(genre_IG / np.maximum(genre_IG.sum(1, keepdims=True), 1), np.float64)


def miscalibration(profile_BG: AnyFloat, listed_BG: AnyFloat) -> Float64:
    """Return the KL divergence of lists' genre mixes from profiles, (B,); Steck 2018.

    Each row is scaled to sum 1. 0 for a profile without any genre.
    """
    p_BG, q_BG = (
        share / np.maximum(share.sum(1, keepdims=True), 1e-12) for share in (profile_BG, listed_BG)
    )
    mixed_BG = (1 - SMOOTHING) * q_BG + SMOOTHING * p_BG
    ratio_BG = np.divide(p_BG, mixed_BG, out=np.ones_like(p_BG), where=p_BG > 0)
    return np.asarray((p_BG * np.log(ratio_BG)).sum(1))
