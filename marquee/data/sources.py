"""Find data sets: a folder of the data root, downloaded if it is missing.

    locate("ml-1m", root="data")       # -> data/ml-1m, downloaded and unzipped if it was not there

GroupLens allows research use only, so none of its data is shipped: everyone downloads it
from https://files.grouplens.org/datasets/movielens/ (or from a mirror, MOVIELENS_URL). Sizes of the
zips: ml-latest-small 1 MB, ml-100k 5 MB, ml-1m 6 MB, ml-25m 262 MB, ml-32m 239 MB. The checksum
binds the download; existing files are used as they are.
"""

import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from marquee.core.errors import InputError
from marquee.data.demo_data import write_demo
from marquee.data.download import BrokenDownloadError, download, fetch_text, with_retries
from marquee.data.layouts import layout_of

OFFICIAL_URL = "https://files.grouplens.org/datasets/movielens"
_MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")


@dataclass(frozen=True)
class Source:
    """The origin of one data set."""

    zip_name: str | None
    """Name on the server; None if the data is generated."""
    md5: str | None = None
    """MD5 of the zip; None reads it from NAME.zip.md5 beside the zip."""


DATASETS: dict[str, Source] = {
    "demo": Source(None),
    "ml-100k": Source("ml-100k.zip", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": Source("ml-1m.zip", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-25m": Source("ml-25m.zip", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": Source("ml-32m.zip", "d472be332d4daa821edc399621853b57"),
    "ml-latest-small": Source("ml-latest-small.zip"),  # GroupLens renews it now and then
}


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder that holds the folders of all data sets.

    It is `root`, else DATA_ROOT, else "data".
    """
    return Path(root or os.environ.get("DATA_ROOT") or "data")


def base_url() -> str:
    """Return the URL of the zips.

    It is MOVIELENS_URL (a mirror with the same names), else GroupLens.
    """
    return (os.environ.get("MOVIELENS_URL") or OFFICIAL_URL).rstrip("/")


def locate(name: str, root: str | Path | None = None) -> Path:
    """Return folder `root`/`name` with the data set's ratings and movies.

    A missing folder is downloaded, checked and unzipped ("demo": generated) beside its place and
    renamed at the end, so that it appears complete or not at all. Raises InputError for an unknown
    name, a folder without its files, a failed download, or a root that cannot be written.
    """
    folder = data_root(root) / name
    layout = layout_of(name, folder)
    files = (*layout.rating_files, layout.movies_file)
    missing = [file for file in files if not (folder / file).is_file()]
    if missing and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        remedy = f"move it away and run again, then {name} is downloaded"
        if name not in DATASETS:
            remedy = "put it there (README, Data)"
        raise InputError(
            f"{folder}: {' and '.join(missing)} missing, expected in the folder; {remedy}"
        )
    if missing:
        _create(name, folder, files)
    return folder


def _create(name: str, folder: Path, files: tuple[str, ...]) -> None:
    source = DATASETS[name]
    with _scratch_folder(folder) as scratch:
        new_folder = scratch / name
        if source.zip_name is None:
            write_demo(new_folder)
        else:
            url = f"{base_url()}/{source.zip_name}"
            with_retries(lambda: _fetch(url, source.md5, scratch), url, folder)
        if absent := [file for file in files if not (new_folder / file).is_file()]:
            raise InputError(
                f"{source.zip_name} from {base_url()}: no {name}/{absent[0]} in it, expected the "
                "official files; set MOVIELENS_URL to a mirror of them"
            )
        _move(new_folder, folder)


@contextmanager
def _scratch_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`, always removed; disk errors are InputError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            yield Path(scratch)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}), expected a writable folder "
            "with enough space; free some, or point DATA_ROOT (--data.root) to another folder"
        ) from error


def _fetch(url: str, md5: str | None, scratch: Path) -> None:
    """Download, check and unzip into `scratch`; BrokenDownloadError if a retry may help."""
    archive = scratch / "download.zip"
    expected = md5 or _published_md5(url)
    digest = download(url, archive)
    if digest != expected:
        raise BrokenDownloadError(f"its md5 is {digest}, expected {expected}")
    try:
        _unzip(archive, scratch)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BrokenDownloadError(f"it is no complete zip file ({error})") from error


def _published_md5(url: str) -> str:
    match = _MD5.search(fetch_text(f"{url}.md5"))
    if not match:
        raise BrokenDownloadError(f"{url}.md5: no checksum, expected an md5")
    return match.group().lower()


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            path = PurePosixPath(member.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                raise InputError(
                    f"the zip from {base_url()}: {member!r} would write outside its folder, "
                    "expected the official file; check MOVIELENS_URL"
                )
        members.extractall(folder)


def _move(new_folder: Path, folder: Path) -> None:
    try:
        new_folder.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(new_folder)  # another process was faster: its folder is complete, use that
