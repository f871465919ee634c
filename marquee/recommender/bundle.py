"""A trained model as a folder of plain files: written whole or not at all, verified when read.

    bundle.json          the manifest: format, model version, config, data fingerprint, metrics,
                         sha256 of every other file
    movies.json          id, title, year and genres of every movie, ascending id: the item rows
    arrays.safetensors   item vectors, the head's weights, biases and counts (shapes: SHAPES below)
    encoder.onnx         the history encoder
    golden.json          requests with their right answers (checked by `Recommender.load`)

No pickle, and no person. model_version = sha256 over the canonical JSON of the sorted
[path, sha256] list and the manifest without that field.

Shapes: I movies, D embedding, H first layer of the MLP, S draws of the star model, E its width.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from marquee.core.errors import InputError
from marquee.core.movies import Movies

FORMAT = 4
MANIFEST = "bundle.json"
PARTS = ("arrays.safetensors", "encoder.onnx", "golden.json", "movies.json")
SHAPES = {
    "item_vector": "ID",  # what the encoder reads for an entry
    "item_gmf": "ID",  # item half of the product, its learned weights multiplied in
    "item_mlp": "IH",  # item half of the MLP's first layer, its bias included
    "mlp_out": "H",
    "item_bias": "I",
    "num_ratings": "I",  # training ratings per movie, int64
    "num_recent": "I",  # of the newest of them (RECENT_SHARE), int64; all others are float32
    "star_set": "IC",  # what a movie adds to what is known of who rated or watched it
    "star_item": "ISE",  # draws of the movies' star vectors, the bias last; a movie's lie together
    "star_mean": "SE",  # draws of the persons' prior: its mean, what star_set adds, its precision
    "star_lean": "SCE",
    "star_precision": "SEE",
    "star_alpha": "S",  # precision of a rating
}
RECENT_SHARE = 0.05
"""Of the training ratings, the newest: however long they took."""
STARS = {"mean", "cuts", "noise_factor", "steady", "rounds"}
"""Scalars of the star model; marquee/recommender/rating_model.py says what each does."""
REMAKE = "make the bundle again with: marquee export"


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory, every byte of it verified."""

    folder: Path
    manifest: dict[str, Any]
    movies: Movies
    arrays: dict[str, np.ndarray]
    encoder: bytes
    golden: list[dict[str, Any]]


def write_bundle(
    folder: str | Path,
    *,
    manifest: Mapping[str, Any],
    movies: Movies,
    arrays: Mapping[str, np.ndarray],
    encoder: bytes,
    golden: list[dict[str, Any]],
    prove: Callable[[Path], object] = lambda folder: None,
) -> str:
    """Write a bundle and return its model version (64 hex digits).

    manifest: what the model is (name, recipe, config, data, refit, metrics, scale, history_length,
    stars, created); `format`, `files` and `model_version` are filled in here.
    arrays: exactly the names and shapes of SHAPES. golden: [{history, movie_ids, scores, stars,
    top}].
    prove: called on the finished folder before it takes its place; what it raises leaves the old
    bundle where it was (`Recommender.load` asks the golden questions).
    A bundle that is already there is replaced in one step; any other folder is left alone.
    Raises InputError where the parts disagree, or where `folder` holds something else.
    """
    folder = Path(folder)
    refuse_to_replace(folder)
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    parts = {
        "arrays.safetensors": save_arrays(plain),
        "encoder.onnx": encoder,
        "golden.json": _json(golden),
        "movies.json": _json(movies.to_columns()),
    }
    filled = json.loads(_json(dict(manifest) | {"format": FORMAT, "files": _digests(parts)}))
    filled["model_version"] = _model_version(filled)
    _check(folder, filled, movies, plain)
    _write_whole(folder, parts | {MANIFEST: _json(filled)}, prove)
    return str(filled["model_version"])


def read_bundle(folder: str | Path) -> Bundle:
    """Read a bundle; every file's sha256, every array's shape and the manifest's own are checked.

    Raises InputError with a sentence that names the file: missing, added, or changed by one byte.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    parts = {name: _read(folder / name) for name in PARTS}
    for name, digest in _digests(parts).items():
        if digest != manifest["files"][name]:
            raise _bad(
                folder / name,
                f"{len(parts[name]):,} bytes with sha256 {digest[:12]}…, "
                f"but {MANIFEST} says {manifest['files'][name][:12]}…",
            )
    try:
        arrays = load_arrays(parts["arrays.safetensors"])
        movies = Movies.from_columns(json.loads(parts["movies.json"]))
        golden = json.loads(parts["golden.json"])
    except Exception as error:
        raise _bad(folder, f"a file cannot be parsed ({error})") from error
    _check(folder, manifest, movies, arrays)
    return Bundle(folder, manifest, movies, arrays, parts["encoder.onnx"], golden)


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such bundle folder; make one with: "
            "python train.py fit --config recipes/demo.yaml"
        )
    raw = _read(folder / MANIFEST)
    try:
        manifest = json.loads(raw)
        version, files = manifest["format"], set(manifest["files"])
        intact = is_intact(manifest, raw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(folder / MANIFEST, f"not a manifest ({error})") from error
    if version != FORMAT:
        raise _bad(folder / MANIFEST, f"bundle format {version!r}, this code reads {FORMAT}")
    if files != set(PARTS):
        raise _bad(folder / MANIFEST, f"it lists {sorted(files)}, expected {list(PARTS)}")
    if not intact:
        raise _bad(folder / MANIFEST, "its content does not give its model_version")
    found = {path.name for path in folder.iterdir()}
    for name in sorted(found ^ {MANIFEST, *PARTS}):
        raise _bad(folder / name, "not part of a bundle" if name in found else "missing")
    for name in sorted(found):
        if (folder / name).is_symlink():  # its target may change after it was verified
            raise _bad(folder / name, "a link; a bundle is plain files")
    return dict(manifest)


def is_intact(manifest: Mapping[str, Any], raw: bytes) -> bool:
    """Whether a manifest is what was written: its content gives its model_version, and even one
    changed space is a change."""
    return _json(manifest) == raw and manifest.get("model_version") == _model_version(manifest)


def _check(
    folder: Path, manifest: dict[str, Any], movies: Movies, arrays: Mapping[str, np.ndarray]
) -> None:
    """What readers rely on: the manifest's fields, one row per movie, numbers everywhere."""
    path = folder / MANIFEST
    scale, stars = manifest.get("scale"), manifest.get("stars", {})
    if not scale or len(scale) < 2 or list(scale) != sorted(set(scale)):
        raise _bad(path, f"scale {scale!r}, expected ascending star values")
    if not isinstance(manifest.get("history_length"), int) or manifest["history_length"] < 1:
        raise _bad(path, f"history_length {manifest.get('history_length')!r}, expected 1 or more")
    if set(stars) != STARS or min(stars["noise_factor"], stars["steady"], stars["rounds"]) <= 0:
        raise _bad(path, f"stars {stars!r}, expected {sorted(STARS)}, above 0")
    if len(stars["cuts"]) != len(scale) - 1 or stars["cuts"] != sorted(set(stars["cuts"])):
        raise _bad(path, f"stars.cuts {stars['cuts']}, expected {len(scale) - 1}, ascending")
    if len(movies) == 0 or (np.diff(movies.movie_id) <= 0).any():
        raise _bad(folder / "movies.json", "movie ids must ascend, one row per movie")
    _check_arrays(folder / "arrays.safetensors", len(movies), arrays)


def _check_arrays(path: Path, num_items: int, arrays: Mapping[str, np.ndarray]) -> None:
    if set(arrays) != set(SHAPES):
        raise _bad(path, f"arrays {sorted(arrays)}, expected {sorted(SHAPES)}")
    size = {"I": num_items}
    for name, letters in SHAPES.items():
        array = arrays[name]
        dtype = np.int64 if name.startswith("num_") else np.float32
        if array.dtype != dtype or array.ndim != len(letters):
            raise _bad(path, f"{name} is {array.dtype}{array.shape}, expected {dtype.__name__}")
        for letter, found in zip(letters, array.shape, strict=True):
            if found != size.setdefault(letter, found):
                raise _bad(path, f"{name} has {letter} = {found}, expected {size[letter]}")
        if not np.isfinite(array).all():
            raise _bad(path, f"{name} holds NaN or infinity")


def _write_whole(folder: Path, files: Mapping[str, bytes], prove: Callable[[Path], object]) -> None:
    """Write beside the target and rename, so that no reader ever meets half a bundle."""
    new, old = (folder.parent / f".{folder.name}.{uuid4().hex}.{word}" for word in ("new", "old"))
    try:
        new.mkdir(parents=True)
        for name, content in files.items():
            with (new / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        prove(new)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    except OSError as error:
        raise InputError(f"{folder}: the bundle cannot be written ({error.strerror})") from error
    finally:
        if old.exists() and not folder.exists():  # stopped between the two renames
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def refuse_to_replace(folder: Path) -> None:
    """Raises InputError where a bundle cannot go: on a file, or on a folder of something else."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: holds files but no bundle; name another folder")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the bundle")


def _model_version(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "model_version"}
    text = json.dumps(
        [sorted(manifest["files"].items()), rest], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _digests(parts: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def _json(value: Any) -> bytes:
    indent = 1 if isinstance(value, dict) and "files" in value else None
    return (json.dumps(value, indent=indent, sort_keys=True, allow_nan=False) + "\n").encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _bad(path, "missing") from error
    except OSError as error:
        raise _bad(path, f"cannot be read ({error.strerror})") from error


def _bad(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}; {REMAKE}")
