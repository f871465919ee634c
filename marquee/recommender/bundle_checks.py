"""The arrays of a bundle, and what must hold of its parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.errors import InputError
from marquee.core.movies import Movies

SHAPES = {  # E = D + 1, F implicit features of the rating model
    "item_vector": "ID",  # the encoder's input for an entry
    "item_gmf": "ID",  # item half of the product, its learned weights multiplied in
    "item_mlp": "IH",  # item half of the MLP's first layer, its bias included
    "mlp_out": "H",
    "item_bias": "I",
    "num_ratings": "I",  # training interactions per movie, int64
}
RECENT_SHAPES = {  # absent where the data set has no times
    "num_recent": "I",  # of the newest interactions (RECENT_SHARE), int64; all others are float32
}
RATING_SHAPES = {  # absent where the data set has no ratings
    "star_set": "IF",  # implicit features that an item adds to a user who rated or watched it
    "star_item": "ISE",  # draws of the items' rating vectors, bias last; one item's are adjacent
    "star_mean": "SE",  # draws of the users' prior: mean, weights of star_set, precision
    "star_lean": "SFE",
    "star_precision": "SEE",
    "star_alpha": "S",  # precision of a rating
}
ALL_SHAPES = SHAPES | RECENT_SHAPES | RATING_SHAPES
RATING_SCALARS = {"mean", "cuts", "noise_factor", "steady", "rounds"}
REMEDY = "make the bundle again with: marquee export"


def bundle_error(path: Path | str, message: str) -> InputError:
    return InputError(f"{path}: {message}; {REMEDY}")


def check(
    folder: Path,
    manifest: Mapping[str, Any],
    movies: Movies,
    attributes: Mapping[str, Sequence[Any]],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Raise InputError where the manifest, the movies and the arrays disagree."""
    path = folder / "bundle.json"
    scale, length = manifest.get("scale"), manifest.get("history_length")
    if not isinstance(length, int) or length < 1:
        raise bundle_error(path, f"history_length {length!r}, expected 1 or more")
    is_ascending = isinstance(scale, list) and scale == sorted(set(scale))
    if not is_ascending or len(scale) == 1:  # type: ignore[arg-type]
        raise bundle_error(path, f"scale {scale!r}, expected ascending star values, or [] for none")
    if scale:
        _check_rating_scalars(path, manifest.get("stars", {}), len(scale))
    elif "stars" in manifest:
        raise bundle_error(path, "stars with scale [], expected none without ratings")
    if len(set(movies.movie_id.tolist())) != len(movies) or len(movies) == 0:
        raise bundle_error(folder / "movies.json", "movie ids, expected one or more, each once")
    for name, values in attributes.items():
        if len(values) != len(movies):
            message = f"{name}: {len(values)} values, expected {len(movies)}, one for each movie"
            raise bundle_error(folder / "attributes.json", message)
    _check_arrays(folder / "arrays.safetensors", len(movies), arrays, has_ratings=bool(scale))


def _check_rating_scalars(path: Path, scalars: Mapping[str, Any], num_values: int) -> None:
    positive = ("noise_factor", "steady", "rounds")
    if set(scalars) != RATING_SCALARS or min(scalars[name] for name in positive) <= 0:
        raise bundle_error(path, f"stars {scalars!r}, expected {sorted(RATING_SCALARS)}, above 0")
    cuts = scalars["cuts"]
    if len(cuts) != num_values - 1 or cuts != sorted(set(cuts)):
        raise bundle_error(path, f"stars.cuts {cuts}, expected {num_values - 1}, ascending")


def _check_arrays(
    path: Path, num_items: int, arrays: Mapping[str, np.ndarray], *, has_ratings: bool
) -> None:
    shapes = SHAPES | (RATING_SHAPES if has_ratings else {})
    if "num_recent" in arrays:
        shapes |= RECENT_SHAPES
    if set(arrays) != set(shapes):
        raise bundle_error(path, f"arrays {sorted(arrays)}, expected {sorted(shapes)}")
    sizes = {"I": num_items}
    for name, letters in shapes.items():
        array = arrays[name]
        dtype = np.int64 if name.startswith("num_") else np.float32
        if array.dtype != dtype or array.ndim != len(letters):
            expected = f"{dtype.__name__} ({', '.join(letters)})"
            raise bundle_error(path, f"{name} is {array.dtype}{array.shape}, expected {expected}")
        for letter, size in zip(letters, array.shape, strict=True):
            if size != sizes.setdefault(letter, size):
                raise bundle_error(path, f"{name} has {letter} = {size}, expected {sizes[letter]}")
        if not np.isfinite(array).all():
            raise bundle_error(path, f"{name} holds NaN or infinity, expected finite numbers")
