"""Open a store of releases by its address."""

from pathlib import Path

from marquee.core.errors import InputError
from marquee.releases.folder_store import FolderStore
from marquee.releases.s3_store import S3Store
from marquee.releases.store import Store


def open_store(
    url: str, *, allow_unconditional: bool = False, show_progress: bool = False
) -> Store:
    """Open s3://bucket/prefix, or a folder, which is made when first written.

    allow_unconditional: also a server without conditional writes; then two who promote in the same
    second may overwrite each other. show_progress: a bar for each file, if the output is a
    terminal. Raises InputError for another kind of address.
    """
    if url.startswith("s3://"):
        return S3Store(url, allow_unconditional=allow_unconditional, show_progress=show_progress)
    if not url:
        raise InputError("store address: empty, expected s3://bucket/prefix or a folder")
    if "://" in url or url.startswith("s3:"):
        raise InputError(f"{url}: unknown kind of store, expected s3://bucket/prefix or a folder")
    return FolderStore(Path(url))
