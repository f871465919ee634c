"""Where data sets come from: a folder of the data root, filled by download where it is missing.

    locate("ml-1m", root="data")       # -> data/ml-1m, downloaded and unzipped if it was not there

GroupLens allows research use only, so nothing of its data is shipped: each person downloads it
from https://files.grouplens.org/datasets/movielens/ (or from a mirror, MOVIELENS_URL). Sizes of the
zips: ml-latest-small 1 MB, ml-100k 5 MB, ml-1m 6 MB, ml-25m 262 MB, ml-32m 239 MB. The checksum
binds the download; files that are already there are taken as they are.
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
    """Where one data set comes from."""

    zip_name: str | None
    """Name on the server; None where the data is generated."""
    md5: str | None = None
    """Of the zip; None where it is read from NAME.zip.md5 beside it."""


DATASETS: dict[str, Source] = {
    "demo": Source(None),
    "ml-100k": Source("ml-100k.zip", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": Source("ml-1m.zip", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-25m": Source("ml-25m.zip", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": Source("ml-32m.zip", "d472be332d4daa821edc399621853b57"),
    "ml-latest-small": Source("ml-latest-small.zip"),  # GroupLens renews it now and then
}


def data_root(root: str | Path | None = None) -> Path:
    """The folder that holds one folder per data set: `root`, else DATA_ROOT, else "data"."""
    return Path(root or os.environ.get("DATA_ROOT") or "data")


def base_url() -> str:
    """The folder of the zips: MOVIELENS_URL (a mirror with the same file names), else GroupLens."""
    return (os.environ.get("MOVIELENS_URL") or OFFICIAL_URL).rstrip("/")


def locate(name: str, root: str | Path | None = None) -> Path:
    """Folder `root`/`name` with the data set's ratings and movies.

    A missing folder is downloaded, checked and unzipped ("demo": generated) beside its place and
    renamed at the end, so that it is there whole or not at all. Raises InputError for an unknown
    name, a folder without its files, a failed download, or a root that cannot be written.
    """
    folder = data_root(root) / name
    layout = layout_of(name, folder)
    needed = (*layout.rating_files, layout.movies_file)
    missing = [file for file in needed if not (folder / file).is_file()]
    if missing and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        mend = f"move it away and run again, then {name} is fetched whole"
        if name not in DATASETS:
            mend = "put it there (README, Data)"
        raise InputError(f"{folder} is there without {' and '.join(missing)}; {mend}.")
    if missing:
        _make(name, folder, needed)
    return folder


def _make(name: str, folder: Path, needed: tuple[str, ...]) -> None:
    source = DATASETS[name]
    with _workshop(folder) as workshop:
        made = workshop / name
        if source.zip_name is None:
            write_demo(made)
        else:
            url = f"{base_url()}/{source.zip_name}"
            with_retries(lambda: _fetch(url, source.md5, workshop), url, folder)
        if absent := [file for file in needed if not (made / file).is_file()]:
            raise InputError(
                f"{source.zip_name} from {base_url()} holds no {name}/{absent[0]}; "
                "set MOVIELENS_URL to a mirror of the official files."
            )
        _put(made, folder)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, removed whatever happens; explains errors of the disk."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as workshop:
            yield Path(workshop)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}); make room there, or point "
            "DATA_ROOT (--data.root) to a folder that can be."
        ) from error


def _fetch(url: str, md5: str | None, workshop: Path) -> None:
    """Download, check and unzip into the workshop; broken where another try may help."""
    archive = workshop / "download.zip"
    wanted = md5 or _published_md5(url)
    found = download(url, archive)
    if wanted and found != wanted:
        raise BrokenDownloadError(f"its md5 is {found}, expected {wanted}")
    try:
        _unzip(archive, workshop)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BrokenDownloadError(f"it is no whole zip file ({error})") from error


def _published_md5(url: str) -> str:
    found = _MD5.search(fetch_text(f"{url}.md5"))
    if not found:
        raise BrokenDownloadError(f"{url}.md5 holds no checksum")
    return found.group().lower()


def _unzip(archive: Path, workshop: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            path = PurePosixPath(member.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                raise InputError(
                    f"The zip from {base_url()} would write outside its folder ({member!r}); "
                    "it is not the official file: check MOVIELENS_URL."
                )
        members.extractall(workshop)


def _put(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(made)  # another process was faster: its folder is whole, take that
