"""A trained model as a folder of plain files, verified when read.

    bundle.json           the manifest: format, model version, config, data fingerprint, metrics,
                          sha256 of every other file
    movies.json           id, title, year and genres of every movie: the order is the item indices
    attributes.json       further values of every movie, by attribute, for filters
    arrays.safetensors    item vectors, the head's weights, biases and counts (bundle_checks.SHAPES)
    encoder.onnx          the history encoder
    item_content.onnx     the content half of the item tower: attributes to an item's vectors
    features.json         how attributes of items and users become the inputs of the two graphs,
    features.safetensors  and its arrays: the word vectors of texts
    golden.json           queries and items with their right answers (checked by `Recommender.load`)

It holds no pickle and no user. model_version = sha256 over the canonical JSON of the sorted
[path, sha256] list and the manifest without that field.
"""

import hashlib
import json
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from marquee.core.errors import InputError
from marquee.core.feature_encodings import FeatureSpace
from marquee.core.files import atomic_folder, write_atomic
from marquee.core.movies import Movies
from marquee.recommender.bundle_checks import bundle_error, check

FORMAT = 6
MANIFEST = "bundle.json"
PARTS = (
    "arrays.safetensors",
    "attributes.json",
    "encoder.onnx",
    "features.json",
    "features.safetensors",
    "golden.json",
    "item_content.onnx",
    "movies.json",
)
RECENT_SHARE = 0.05  # of the training ratings that count as the newest, whatever their time span
ARRAYS = "arrays.safetensors"
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "I64": np.dtype(np.int64)}
Buffer: TypeAlias = bytes | mmap.mmap


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified bundle."""

    folder: Path
    manifest: dict[str, Any]
    movies: Movies
    attributes: dict[str, list[Any]]
    arrays: dict[str, np.ndarray]
    encoder: bytes
    item_content: bytes
    features: FeatureSpace
    golden: list[dict[str, Any]]
    golden_items: list[dict[str, Any]]
    mapping: mmap.mmap | None
    """The copy of the arrays that other processes map, too; None where they were read."""

    def release_pages(self) -> None:
        """Let go of the arrays' pages; those in use come back from the system's cache."""
        if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            self.mapping.madvise(mmap.MADV_DONTNEED)


def write_bundle(
    folder: str | Path,
    *,
    manifest: Mapping[str, Any],
    movies: Movies,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    arrays: Mapping[str, np.ndarray],
    encoder: bytes,
    item_content: bytes,
    features: FeatureSpace,
    golden: Sequence[Mapping[str, Any]],
    golden_items: Sequence[Mapping[str, Any]] = (),
    prove: Callable[[Path], object] = lambda folder: None,
) -> str:
    """Write a bundle, complete or not at all; return its model version, 64 hex digits.

    manifest: name, recipe, config, data, refit, metrics, scale ([] without ratings),
    history_length, stars (with ratings) and created; `format`, `files` and `model_version` are
    added here. attributes: by name (I,) values, lists of values, or None. arrays: names and shapes
    of SHAPES. encoder, item_content: ONNX models. golden:
    [{history, movie_ids, scores, stars (with ratings), top}]. golden_items: [{title, year, genres,
    features, arrays}], arrays by name. prove: called on the finished folder before it replaces the
    old one; an exception leaves the old one in place.

    Raises InputError where the parts disagree, or where `folder` holds other files.
    """
    folder = Path(folder)
    refuse_to_replace(folder)
    columns = {name: list(values) for name, values in (attributes or {}).items()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    parts = {
        "arrays.safetensors": save_arrays(contiguous),
        "attributes.json": _json(columns),
        "encoder.onnx": encoder,
        "features.json": _json(features.to_json()),
        "features.safetensors": save_arrays(features.arrays()),
        "golden.json": _json({"queries": list(golden), "items": list(golden_items)}),
        "item_content.onnx": item_content,
        "movies.json": _json(movies.to_columns()),
    }
    full = json.loads(_json(dict(manifest) | {"format": FORMAT, "files": _digests(parts)}))
    full["model_version"] = _model_version(full)
    check(folder, full, movies, columns, contiguous)
    try:
        with atomic_folder(folder, fsync=True) as new:
            for name, content in (parts | {MANIFEST: _json(full)}).items():
                (new / name).write_bytes(content)
            prove(new)
    except OSError as error:
        raise InputError(f"{folder}: the bundle cannot be written ({error.strerror})") from error
    return str(full["model_version"])


def read_bundle(folder: str | Path, copies: Path | None = None) -> Bundle:
    """Read a bundle, and check every sha256, every shape and the manifest's digest.

    copies: a folder of this service alone, for a copy of the arrays that its processes map and so
    share. The bundle's own file is never mapped: who overwrites it in place would change the arrays
    of a running service, or end it.

    Raises InputError that names the file: missing, added, or changed by one byte.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    files = {name: _read(folder / name) for name in PARTS if name != ARRAYS}
    path = folder / ARRAYS
    content = _map_copy(path, copies, manifest["files"][ARRAYS]) if copies else _read(path)
    mapping = content if isinstance(content, mmap.mmap) else None
    parts: dict[str, Buffer] = {**files, ARRAYS: content}
    for name, digest in _digests(parts).items():
        expected = manifest["files"][name]
        if digest != expected:
            message = f"{len(parts[name]):,} bytes with sha256 {digest[:12]}…"
            raise bundle_error(folder / name, f"{message}, expected {expected[:12]}… of {MANIFEST}")
    try:
        arrays = load_arrays(content) if isinstance(content, bytes) else _map_arrays(content)
        movies = Movies.from_columns(json.loads(files["movies.json"]))
        attributes = dict(json.loads(files["attributes.json"]))
        golden = json.loads(files["golden.json"])
        queries, items = golden["queries"], golden["items"]
        word_arrays = load_arrays(files["features.safetensors"])
        features = FeatureSpace.from_json(json.loads(files["features.json"]), word_arrays)
    except Exception as error:
        message = f"a file cannot be parsed ({error}), expected safetensors and JSON"
        raise bundle_error(folder, message) from error
    check(folder, manifest, movies, attributes, arrays)
    return Bundle(
        folder=folder,
        manifest=manifest,
        movies=movies,
        attributes=attributes,
        arrays=arrays,
        encoder=files["encoder.onnx"],
        item_content=files["item_content.onnx"],
        features=features,
        golden=queries,
        golden_items=items,
        mapping=mapping,
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such bundle folder, expected a bundle; make one with: "
            "python train.py fit --config recipes/demo.yaml"
        )
    path = folder / MANIFEST
    manifest_bytes = _read(path)
    try:
        manifest = json.loads(manifest_bytes)
        version, files = manifest["format"], set(manifest["files"])
        intact = is_intact(manifest, manifest_bytes)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"not a manifest ({error}), expected JSON with format and files"
        raise bundle_error(path, message) from error
    refuse_other_format(version, path)
    if files != set(PARTS):
        raise bundle_error(path, f"it lists {sorted(files)}, expected {list(PARTS)}")
    if not intact:
        raise bundle_error(path, "model_version is not that of the content, expected it")
    names = {file.name for file in folder.iterdir()}
    for name in sorted(names ^ {MANIFEST, *PARTS}):
        raise bundle_error(folder / name, "not part of a bundle" if name in names else "missing")
    for name in sorted(names):
        if (folder / name).is_symlink():  # its target may change after it was verified
            raise bundle_error(folder / name, "a link, expected a plain file")
    return dict(manifest)


def refuse_other_format(version: object, manifest: Path | str) -> None:
    """Raise InputError where the manifest is that of another format of bundles."""
    if version != FORMAT:
        raise bundle_error(manifest, f"bundle format {version!r}, expected {FORMAT}")


def is_intact(manifest: Mapping[str, Any], manifest_bytes: bytes) -> bool:
    """Return whether a manifest's bytes give its model_version."""
    is_canonical = _json(manifest) == manifest_bytes
    return is_canonical and manifest.get("model_version") == _model_version(manifest)


def refuse_to_replace(folder: Path) -> None:
    """Raise InputError where `folder` is a file, or holds other files than a bundle."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        message = "holds files but no bundle, expected a bundle or no files; name another folder"
        raise InputError(f"{folder}: {message}")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder; name one for the bundle")


def _model_version(manifest: Mapping[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "model_version"}
    parts = [sorted(manifest["files"].items()), content]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _digests(parts: Mapping[str, Buffer]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def _json(value: Any) -> bytes:
    indent = 1 if isinstance(value, dict) and "files" in value else None
    return (json.dumps(value, indent=indent, sort_keys=True, allow_nan=False) + "\n").encode()


def _map_arrays(content: mmap.mmap) -> dict[str, np.ndarray]:
    """Return read-only views of the tensors; safetensors' own loader would copy them."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    arrays = {}
    for name in header.keys() - {"__metadata__"}:
        dtype, (begin, end) = DTYPES[header[name]["dtype"]], header[name]["data_offsets"]
        size = (end - begin) // dtype.itemsize
        array = np.frombuffer(content, dtype, size, offset=start + begin)
        arrays[name] = array.reshape(header[name]["shape"])
    return arrays


def _map_copy(path: Path, copies: Path, digest: str) -> Buffer:
    """Map a copy of a file, which is made unless it is there; older copies are removed.

    Another process may remove a copy at any moment; who has mapped it keeps it.
    """
    copy = copies / f"{digest}{path.suffix}"
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != digest:  # the caller refuses it
        return content
    try:
        copies.mkdir(parents=True, exist_ok=True)
        for file in copies.glob(f"*{path.suffix}"):
            if file != copy:
                file.unlink(missing_ok=True)
        if not copy.exists():
            write_atomic(copy, content)
        with copy.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:  # removed at this moment, or the disk is full: then without sharing
        return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    if isinstance(error, FileNotFoundError):
        return bundle_error(path, "missing")
    return bundle_error(path, f"cannot be read ({error.strerror})")
