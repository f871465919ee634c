"""The files behind what the caller gave: files, globs, folders of part files, s3://."""

import difflib
import glob
import re
from collections.abc import Sequence
from pathlib import Path

from marquee.core.errors import InputError
from marquee.data.source_tables.bucket import download, is_bucket
from marquee.data.source_tables.table import LocalFile

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE)


def local_files(paths: Sequence[str], *, option: str, folder: Path) -> list[LocalFile]:
    """Return the files as listed; of a glob or a folder in the order of names.

    folder: takes what is fetched from a bucket. Raises InputError for a path without a file, and
    for a file that comes twice: its rows would count twice.
    """
    files = [file for path in paths for file in _files_of(path, option, folder)]
    names = [file.name if is_bucket(file.name) else str(file.path.resolve()) for file in files]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{option}: {repeated[0]} twice, expected each file once; leave one out")
    return files


def _files_of(path: str, option: str, folder: Path) -> list[LocalFile]:
    if is_bucket(path):
        return download(path, option=option, folder=folder)
    if SCHEME.match(path) and not Path(path).exists():
        raise InputError(
            f"{option} {path}: not reachable from here, expected a file, s3://BUCKET/KEY or "
            "postgresql://…; download it first"
        )
    if files := files_here(path):
        return [LocalFile.of(file) for file in files]
    if Path(path).is_dir():
        raise InputError(f"{option} {path}: a folder without files, expected part files")
    raise InputError(f"{option} {path}: no such file, expected one{_closest(Path(path))}")


def files_here(path: str) -> list[Path]:
    """Return a file, or the files of a glob or a folder by name; [] without any.

    Names in a folder with _ or . in front are marks, not data.
    """
    here = Path(path)
    if here.is_dir():
        return [
            file
            for file in sorted(here.rglob("*"))
            if file.is_file()
            and not any(part.startswith(("_", ".")) for part in file.relative_to(here).parts)
        ]
    if here.exists():
        return [here]
    matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []  # noqa: PTH207
    return [file for match in matches if (file := Path(match)).is_file()]


def _closest(path: Path) -> str:
    try:
        names = [file.name for file in path.parent.iterdir()]
    except OSError:
        return f"; there is no folder {path.parent}"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; is it {path.parent / close[0]}?" if close else "; check the path"
