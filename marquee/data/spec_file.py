"""A data set's options in a file: dataset.yaml, which can be committed and edited, or `--from`.

    interactions: [../../plays.parquet]
    user: account_id
    item: asset_id
    feature: [country=country:category]

Keys are the names of the options. Relative paths stand on the file's own folder, absolute ones
stay. A password of a database is never written: PGPASSWORD or ~/.pgpass has it.
"""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from marquee.core.errors import InputError
from marquee.core.files import write_atomic
from marquee.data.source_tables.bucket import is_bucket
from marquee.data.source_tables.database import without_password
from marquee.data.spec import OPTIONS, DatasetSpec, is_database, option_of

PATHS = ("interactions", "valid_interactions", "test_interactions", "items", "users")
FIELD_OF = {option_of(name).removeprefix("--"): name for name in OPTIONS}
"""The key of a file -> the field of DatasetSpec."""
NO_SHAPE = (*PATHS, "memory_limit", "max_rejected")
"""Fields that do not change the tables; of a path its content does."""
HEADING = (
    "# Written by `marquee data add`; after a change: marquee data add NAME --from FILE --replace\n"
)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader that refuses a key that comes twice: the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def read_spec(path: str | Path) -> DatasetSpec:
    """Read the options of a file; its relative paths are joined with its folder."""
    path = Path(path)
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable ({error}), expected a file of options") from error
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise InputError(f"{path}: no YAML ({message}), expected `option: value` lines") from error
    if not isinstance(settings, dict):
        kind = "empty" if settings is None else type(settings).__name__
        raise InputError(f"{path}: {kind}, expected `option: value` lines")
    return spec_of(settings, subject=f"{path}: ", folder=path.parent)


def write_spec(spec: DatasetSpec, path: str | Path) -> None:
    """Write the options that are not at their default, complete or not at all."""
    path = Path(path)
    settings = {
        key: _written(name, getattr(spec, name), path.parent)
        for key, name in FIELD_OF.items()
        if getattr(spec, name) != OPTIONS[name].default and getattr(spec, name)
    }
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=100)
    write_atomic(path, HEADING + text)


def spec_of(
    settings: Mapping[str, Any], *, subject: str = "", folder: Path | None = None
) -> DatasetSpec:
    """Return the spec of options by name; InputError for unknown or wrong ones."""
    values = {}
    for key, value in settings.items():
        name = FIELD_OF.get(str(key).replace("_", "-"))
        if name is None:
            close = difflib.get_close_matches(str(key), FIELD_OF, n=1)
            hint = f"; is it {close[0]}?" if close else ""
            raise InputError(
                f"{subject}unknown option {key!r}, expected one of {', '.join(FIELD_OF)}{hint}"
            )
        if value is not None:
            values[name] = _value(name, value, f"{subject}{key}")
    if folder is not None:
        for name in set(PATHS) & set(values):
            values[name] = tuple(_joined(path, folder) for path in values[name])
    try:
        return DatasetSpec(**values)
    except InputError as error:
        raise InputError(f"{subject}{error}") from None


def spec_settings(spec: DatasetSpec) -> dict[str, Any]:
    """Return what shapes the tables, for a fingerprint: no path, password or limit."""
    return {
        key: _plain(getattr(spec, name)) for key, name in FIELD_OF.items() if name not in NO_SHAPE
    }


def as_read_from(spec: DatasetSpec, folder: Path) -> DatasetSpec:
    """Return the spec with its paths as a reader of a file in `folder` sees them."""
    return _with_paths(
        spec, lambda path: _joined(_relative(path, folder), folder) if _is_local(path) else path
    )


def public_spec(spec: DatasetSpec) -> DatasetSpec:
    """Return the spec without passwords."""
    return _with_paths(spec, _public)


def _with_paths(spec: DatasetSpec, change: Callable[[str], str]) -> DatasetSpec:
    paths: dict[str, Any] = {name: tuple(map(change, getattr(spec, name))) for name in PATHS}
    return replace(spec, **paths)


def _public(path: str) -> str:
    return without_password(path) if is_database(path) else path


def _value(name: str, value: Any, subject: str) -> Any:
    """Return a value of YAML or the command line as the field's type."""
    default = OPTIONS[name].default
    if name == "kinds":
        return _kinds(value, subject)
    if isinstance(default, tuple):
        values = _names(value) if name.endswith("header") else value
        entries = values if isinstance(values, list) else [values]
        if any(isinstance(entry, (list, dict)) for entry in entries):
            raise InputError(f"{subject}: {value!r}, expected one value or a list of values")
        return tuple(map(str, entries))
    if isinstance(value, (list, dict)):
        raise InputError(f"{subject}: {value!r}, expected one value")
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InputError(f"{subject}: {value!r}, expected true or false")
        return value
    if isinstance(default, float):
        return _number(value, subject)
    return str(value)


def _names(value: Any) -> Any:
    """Return the names of a header: a list, or text with commas between them."""
    if isinstance(value, list) and len(value) > 1:
        return value
    text = value[0] if isinstance(value, list) else value
    return [name.strip() for name in str(text).split(",")]


def _kinds(value: Any, subject: str) -> dict[str, str]:
    """Return the kinds of a mapping, or of play=watch,like=rating:5."""
    if isinstance(value, Mapping):
        return {str(kind): str(meaning) for kind, meaning in value.items()}
    kinds = {}
    for entry in str(value).split(","):
        kind, equals, meaning = entry.strip().rpartition("=")
        if not equals or not kind:
            raise InputError(
                f"{subject}: {entry.strip()!r}, expected KIND=MEANING, for example "
                "play=watch,like=rating:5"
            )
        if kind in kinds:
            raise InputError(f"{subject}: kind {kind!r} twice, expected it once")
        kinds[kind] = meaning
    return kinds


def _number(value: Any, subject: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{subject}: {value!r}, expected a number") from None


def _is_local(path: str) -> bool:
    return not is_database(path) and not is_bucket(path) and "://" not in path


def _joined(path: str, folder: Path) -> str:
    """Return a path of a folder's file, from here if it lies below."""
    if not _is_local(path) or Path(path).is_absolute():
        return path
    joined = os.path.normpath(folder.resolve() / path)
    below = os.path.relpath(joined)
    return joined if below.startswith("..") else below


def _written(name: str, value: Any, folder: Path) -> Any:
    if name in PATHS:
        value = tuple(
            _relative(path, folder) if _is_local(path) else _public(path) for path in value
        )
    return _plain(value)


def _relative(path: str, folder: Path) -> str:
    """Return a path as it is written in a folder's file; symbolic links of the folders count."""
    if Path(path).is_absolute():
        return path
    here = Path(path)
    return os.path.relpath(here.parent.resolve() / here.name, folder.resolve())


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
