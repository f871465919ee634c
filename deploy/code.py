"""The code as machines install it: s3://BUCKET/code/VERSION/, and the wheels it needs.

    code/VERSION/marquee.tar.gz    what bentofile.yaml includes, and deploy/ for the machine
    code/VERSION/restore.sh        installs it
    code/wheels/LOCK.tar           the packages of requirements-serving.lock, 94 MB
    code/current, code/restore.sh  the version that was rolled out last

VERSION is the start of the archive's sha256, and the archive of the same files is the same to the
byte: what is there already is not sent again, nothing is ever overwritten but the last two.
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

from marquee.core.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements-serving.lock"
FOR_MACHINES = ("deploy/restore.sh", "deploy/marquee.service", LOCK)
PLATFORMS = (
    "manylinux2014",
    "manylinux_2_17",
    "manylinux_2_24",
    "manylinux_2_27",
    "manylinux_2_28",
)
"""Amazon Linux 2023 has glibc 2.34; pip takes no older tag from a newer one by itself."""


def version_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def files(root: Path) -> list[Path]:
    """What the image holds too, by bentofile.yaml, and what a machine needs of deploy/."""
    bento = yaml.safe_load((root / "bentofile.yaml").read_text())
    names = {*FOR_MACHINES}
    for kind, change in (("include", names.update), ("exclude", names.difference_update)):
        for pattern in bento.get(kind, ()):
            change(str(path.relative_to(root)) for path in root.glob(pattern.lstrip("/")))
    missing = [name for name in FOR_MACHINES if not (root / name).is_file()]
    if missing:
        raise InputError(f"{missing[0]} is missing; run this in a clone (and make lock for a lock)")
    return sorted(root / name for name in names)


def archive(root: Path) -> bytes:
    """A tar.gz that says nothing of when and by whom it was made."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in files(root):
            entry = tarfile.TarInfo(str(path.relative_to(root)))
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def wheels(lock: Path) -> bytes:
    """Every package of the lock for the machines, hashes checked, as one tar; InputError where one
    cannot be fetched."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(download(lock, folder), capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise InputError(f"the packages of {lock.name} cannot be fetched: {reason}")
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            for path in sorted(Path(folder).iterdir()):
                tar.add(path, path.name)
    return made.getvalue()


def download(lock: Path, folder: str) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", "3.11", "--implementation", "cp"]
    command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
    command += [part for name in PLATFORMS for part in ("--platform", f"{name}_x86_64")]
    return [*command, "--requirement", str(lock), "--dest", folder]


def upload(s3: Any, bucket: str, root: Path = ROOT) -> tuple[str, list[str]]:
    """The version, and the keys that were sent; the archive last, so that a version that is there
    is whole."""
    made = archive(root)
    version, lock = version_of(made), version_of((root / LOCK).read_bytes())
    contents: dict[str, Callable[[], bytes]] = {
        f"code/wheels/{lock}.tar": partial(wheels, root / LOCK),
        f"code/{version}/restore.sh": (root / "deploy/restore.sh").read_bytes,
        f"code/{version}/marquee.tar.gz": lambda: made,
    }
    new = [key for key in contents if not there(s3, bucket, key)]
    for key in new:
        s3.upload_fileobj(io.BytesIO(contents[key]()), bucket, key)
    return version, new


def record(s3: Any, bucket: str, version: str) -> None:
    """Name the version that a new machine installs where it is not told another."""
    script = s3.get_object(Bucket=bucket, Key=f"code/{version}/restore.sh")["Body"].read()
    s3.put_object(Bucket=bucket, Key="code/restore.sh", Body=script)
    s3.put_object(Bucket=bucket, Key="code/current", Body=version.encode())


def current(s3: Any, bucket: str) -> str:
    """The version that was rolled out last; empty where none was."""
    if not there(s3, bucket, "code/current"):
        return ""
    return str(s3.get_object(Bucket=bucket, Key="code/current")["Body"].read().decode())


def there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True
