"""A disk of one megabyte that can be full.

    with disk(tmp_path / "cache") as small:
        with small.full(4096):        # 4,096 bytes are left
            …

Where the system lets us, it is a file system of its own in memory (tmpfs; root alone may make one).
Elsewhere it is a folder, and while it is full no file of this process grows beyond what is left.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_KB = 1024


class Disk:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)]
        may = os.geteuid() == 0
        self.own = may and subprocess.run(mount, capture_output=True).returncode == 0

    def close(self) -> None:
        if self.own:
            subprocess.run(["umount", str(self.folder)], check=True)

    @contextmanager
    def full(self, left: int) -> Iterator[None]:
        """left: bytes, in whole pages of 4,096 on a disk of its own."""
        filled = self.folder / ".filled"
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.own:
            status = os.statvfs(self.folder)
            filled.write_bytes(bytes(max(0, status.f_bfree * status.f_bsize - left)))
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            filled.unlink(missing_ok=True)


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    made = Disk(folder)
    try:
        yield made
    finally:
        made.close()
