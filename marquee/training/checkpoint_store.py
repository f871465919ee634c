"""The place of checkpoints, a folder or a URL such as s3://bucket/runs, through fsspec."""

from pathlib import Path
from typing import Any

import fsspec

from marquee.core.errors import InputError


def is_url(path: Any) -> bool:
    """Tell a URL from a path."""
    return "://" in str(path)


def check_bucket(folder: str) -> None:
    """Raise InputError if a URL's bucket does not exist.

    Writing there would create the bucket, or fail after the first epoch.
    """
    if not is_url(folder):
        return
    exists(folder)  # words the errors of a store
    system, path = fsspec.core.url_to_fs(folder)
    bucket = path.strip("/").split("/")[0]
    if not system.exists(bucket):
        raise InputError(
            f"checkpoints.folder {folder}: there is no {bucket}, expected a bucket that exists; "
            "create it first"
        )


def exists(path: str) -> bool:
    """Return whether a file or object exists.

    Raises InputError if its store cannot be reached.
    """
    try:
        system, local_path = fsspec.core.url_to_fs(path)
        return bool(system.isfile(local_path))
    except ImportError as error:
        raise InputError(
            f"{path}: a package is missing ({error}); run: pip install -e '.[s3]'"
        ) from error
    except Exception as error:
        raise InputError(f"{path}: cannot be reached ({' '.join(str(error).split())})") from error


def touch(path: str) -> None:
    """Leave an empty file or object."""
    with fsspec.open(path, "wb") as file:
        file.write(b"")


def newest_run(folder: str) -> str | None:
    """Return the name of the newest run in a folder or URL; None without one."""
    exists(folder)  # words the errors of a store
    system, path = fsspec.core.url_to_fs(folder)
    if not system.isdir(path):
        return None
    names = sorted(Path(each).name for each in system.ls(path, detail=False))
    runs = [name for name in names if name[:1].isdigit()]
    return runs[-1] if runs else None
