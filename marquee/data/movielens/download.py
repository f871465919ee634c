"""Find MovieLens data sets: a folder of the data root, downloaded if it is missing.

GroupLens allows research use only, so none of its data is shipped: everyone downloads it from
GroupLens or a mirror, MOVIELENS_URL. Existing files are used as they are, without a checksum.
"""

import os
import re
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import pooch
import requests

from marquee.core.errors import InputError
from marquee.data.demo_data import write_demo
from marquee.data.movielens.presets import PRESETS, form_of

OFFICIAL_URL = "https://files.grouplens.org/datasets/movielens"
ZIP_MD5 = {
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-10m": "ce571fd55effeba0271552578f2648bd",
    "ml-20m": "cd245b17a1ae2cc31bb14903e1204af3",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
    "ml-latest": None,  # GroupLens renews these now and then, with the md5 beside the zip
    "ml-latest-small": None,
}
"""The data sets on the server: NAME.zip each, and its checksum."""
FOLDER_IN_ZIP = {"ml-10m": "ml-10M100K"}
"""The folder in a zip, where it is not NAME."""
MAX_ATTEMPTS = 3
WAIT_S = 2.0  # before the second attempt; twice as long before the third
TIMEOUT_S = 30.0  # longest silence of the server
# Errors of a download that another attempt may fix; ValueError is a wrong checksum.
_BROKEN = (requests.RequestException, zipfile.BadZipFile, zlib.error, ValueError)


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder of all data sets: `root`, else DATA_ROOT, else "data"."""
    return Path(root or os.environ.get("DATA_ROOT") or "data")


def base_url() -> str:
    """Return the URL of the zips: MOVIELENS_URL, a mirror, or GroupLens."""
    url = (os.environ.get("MOVIELENS_URL") or OFFICIAL_URL).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError(f"MOVIELENS_URL: {url!r}, expected an http:// or https:// address")
    return url


def locate(name: str, root: str | Path | None = None) -> Path:
    """Return folder `root`/`name` with the data set's ratings and movies.

    A missing folder is downloaded, checked and unzipped ("demo": generated) beside its place and
    renamed at the end, so that it appears complete or not at all. Raises InputError for an unknown
    name, a folder without its files, a failed download, or a root that cannot be written.
    """
    folder = data_root(root) / name
    form = form_of(name, folder)
    if form is None:
        raise InputError(
            f"data set {name!r}: no such data set, expected one of {', '.join(PRESETS)}, a folder "
            f"{folder} with the files of one, or data of your own; add those by "
            f"`marquee data add {name} --interactions …` (docs/data.md)"
        )
    files = (form.ratings, form.movies)
    missing = [file for file in files if not (folder / file).is_file()]
    if missing and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        remedy = "put it there (docs/data.md)"
        if name == "demo" or name in ZIP_MD5:
            remedy = f"move it away and run again, then {name} is downloaded"
        raise InputError(
            f"{folder}: {' and '.join(missing)} missing, expected in the folder; {remedy}"
        )
    if missing:
        _create(name, folder, files)
    return folder


def _create(name: str, folder: Path, files: tuple[str, ...]) -> None:
    """Make the folder in a scratch folder beside its place; errors of the disk are InputError."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
            _fill(name, Path(scratch), folder, files)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}), expected a writable folder "
            "with enough space; free some, or point DATA_ROOT (--data.root) to another folder"
        ) from error


def _fill(name: str, scratch: Path, folder: Path, files: tuple[str, ...]) -> None:
    if name == "demo":
        write_demo(scratch / name)
    else:
        _download(name, scratch, folder)
        if name in FOLDER_IN_ZIP and (scratch / FOLDER_IN_ZIP[name]).is_dir():
            (scratch / FOLDER_IN_ZIP[name]).rename(scratch / name)
    if absent := [file for file in files if not (scratch / name / file).is_file()]:
        path = f"{FOLDER_IN_ZIP.get(name, name)}/{absent[0]}"
        raise InputError(
            f"{name}.zip from {base_url()}: no {path} in it, expected the official files; set "
            "MOVIELENS_URL to a mirror of them"
        )
    try:
        (scratch / name).rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster: its folder is complete
            raise


def _download(name: str, scratch: Path, folder: Path) -> None:
    url = f"{base_url()}/{name}.zip"
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return _fetch(name, url, scratch)
        except _BROKEN as error:
            _refuse_client_error(error)
            reason = str(error).partition(". Deleted")[0]
        if attempt < MAX_ATTEMPTS:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
            time.sleep(WAIT_S * attempt)
    raise InputError(
        f"{url}: not downloaded in {MAX_ATTEMPTS} attempts ({reason}), expected a complete "
        f"file; try later, set MOVIELENS_URL to a mirror, or unzip the data set by hand to {folder}"
    )


def _fetch(name: str, url: str, scratch: Path) -> None:
    md5 = ZIP_MD5[name] or _published_md5(f"{url}.md5")
    print(f"Downloading {url}", file=sys.stderr)
    pooch.get_logger().setLevel("WARNING")  # it would repeat that, and name the temporary folder
    folder = FOLDER_IN_ZIP.get(name, name)
    pooch.retrieve(
        url,
        f"md5:{md5}",
        fname=f"{name}.zip",
        path=scratch,
        processor=pooch.Unzip(members=[f"{folder}/"], extract_dir="."),
        downloader=pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(), chunk_size=1 << 18, timeout=TIMEOUT_S
        ),
    )


def _published_md5(url: str) -> str:
    response = requests.get(url, timeout=TIMEOUT_S)
    response.raise_for_status()
    match = re.search(r"\b[0-9a-fA-F]{32}\b", response.text)
    if not match:
        raise ValueError(f"{url}: no checksum, expected an md5")
    return match.group().lower()


def _refuse_client_error(error: Exception) -> None:
    """Raise InputError for an answer that another attempt would get again."""
    response = getattr(error, "response", None)
    if response is not None and response.status_code < 500:
        raise InputError(
            f"{response.url}: the server answers {response.status_code} {response.reason}, "
            "expected 200; check MOVIELENS_URL"
        ) from None
