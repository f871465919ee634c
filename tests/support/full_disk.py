"""A disk of one megabyte that can be full.

    with small_disk(tmp_path / "cache") as disk:
        with disk.full(4096):        # 4,096 bytes are free
            …

Where the system lets us, it is a file system of its own in memory (tmpfs; root alone may make one).
Elsewhere it is a folder, and while it is full no file of this process grows beyond what is free.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_KB = 1024


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)]
        is_root = os.geteuid() == 0
        self.is_mounted = is_root and subprocess.run(mount, capture_output=True).returncode == 0

    def close(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", str(self.folder)], check=True)

    @contextmanager
    def full(self, free_bytes: int) -> Iterator[None]:
        """Fill the disk; on one of its own `free_bytes` is rounded to pages of 4,096."""
        filler = self.folder / ".filler"
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.is_mounted:
            status = os.statvfs(self.folder)
            filler.write_bytes(bytes(max(0, status.f_bfree * status.f_bsize - free_bytes)))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        disk.close()
