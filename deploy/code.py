"""Upload the code that machines install: s3://BUCKET/code/VERSION/, and the wheels it needs.

    python -m deploy.code BUCKET       prints VERSION

    code/VERSION/marquee.tar.gz    what bentofile.yaml includes, and deploy/ for the machine
    code/VERSION/restore.sh        installs it
    code/wheels/LOCK.tar           the packages of requirements-serving.lock, 94 MB
    code/current, code/restore.sh  the version that was rolled out last

VERSION is the start of the archive's sha256. The archive of the same files is the same to the byte,
so stored objects are not sent again, and only the last two are ever overwritten.
"""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from marquee.core.command import ArgumentParser, run_command
from marquee.core.errors import InputError
from marquee.releases.s3_client import new_client

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements-serving.lock"
FOR_MACHINES = ("deploy/restore.sh", "deploy/marquee.service", LOCK)
# Amazon Linux 2023 has glibc 2.34; pip takes no older tag from a newer one by itself.
PLATFORMS = ["manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 27, 28))]


def version_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def files(root: Path) -> list[Path]:
    """List the files of bentofile.yaml, and those of deploy/ that a machine needs."""
    bento = yaml.safe_load((root / "bentofile.yaml").read_text())
    names = {*FOR_MACHINES}
    for pattern in bento["include"]:
        names |= {str(path.relative_to(root)) for path in root.glob(pattern.lstrip("/"))}
    missing = [name for name in FOR_MACHINES if not (root / name).is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: missing, expected a clone; run this in one (and make lock for a lock)"
        )
    return sorted(root / name for name in names)


def archive(root: Path) -> bytes:
    """Pack a tar.gz without times and owners, so that it depends on the files alone."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in files(root):
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def wheels(lock: Path) -> bytes:
    """Download every package of the lock, hashes checked, as one tar."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(download(lock, folder), capture_output=True, text=True)
        if process.returncode:
            reason = (process.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise InputError(f"{lock.name}: {reason}, expected packages that can be fetched")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path in sorted(Path(folder).iterdir()):
                tar.add(path, path.name)
    return buffer.getvalue()


def download(lock: Path, folder: str) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", "3.11", "--implementation", "cp"]
    command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
    command += [part for name in PLATFORMS for part in ("--platform", f"{name}_x86_64")]
    return [*command, "--requirement", str(lock), "--dest", folder]


def upload(s3: Any, bucket: str, root: Path = ROOT) -> str:
    """Upload missing objects, the archive last, and return the version."""
    packed = archive(root)
    version, lock = version_of(packed), version_of((root / LOCK).read_bytes())
    contents: dict[str, Callable[[], bytes]] = {
        f"code/wheels/{lock}.tar": partial(wheels, root / LOCK),
        f"code/{version}/restore.sh": (root / "deploy/restore.sh").read_bytes,
        f"code/{version}/marquee.tar.gz": lambda: packed,
    }
    for key in contents:
        if not exists(s3, bucket, key):
            s3.upload_fileobj(io.BytesIO(contents[key]()), bucket, key)
    return version


def exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def main(args: list[str]) -> int:
    """Upload this clone's code to a bucket and print its version."""
    parser = ArgumentParser("python -m deploy.code", description=main.__doc__)
    parser.add_argument("bucket")
    bucket = parser.parse_args(args).bucket
    return run_command("stack", lambda: print(upload(new_client(f"s3://{bucket}"), bucket)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
