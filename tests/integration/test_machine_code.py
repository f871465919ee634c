"""deploy/code.py: the archive that machines install, and its upload."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from deploy import code
from marquee.core.errors import InputError
from tests.support.fake_ec2 import clone
from tests.support.paths import ROOT
from tests.support.s3_server import server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return clone(tmp_path / "clone")


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with server() as url:
        yield url


def test_archive_of_equal_files_has_equal_bytes(root: Path) -> None:
    first = code.archive(root)
    (root / "service.py").touch()
    assert code.archive(root) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        names = ["deploy/marquee.service", "deploy/restore.sh", code.LOCK, "service.py"]
        assert tar.getnames() == names
    (root / "service.py").write_text("x = 2\n")
    assert code.archive(root) != first


def test_archive_without_a_lock_is_refused(root: Path) -> None:
    (root / code.LOCK).unlink()
    with pytest.raises(InputError, match=f"{code.LOCK}: missing, expected a clone"):
        code.archive(root)


def test_machine_code_holds_serving_without_training() -> None:
    names = {str(path.relative_to(ROOT)) for path in code.files(ROOT)}
    serving = {"service.py", "marquee/recommender/recommender.py", "marquee/releases/follower.py"}
    assert {*serving, code.LOCK} <= names
    training = ("models/", "datamodules/", "marquee/training/", "marquee/data/")
    assert not [name for name in names if name.startswith(training)]


def test_upload_sends_missing_objects_once(
    aws: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[Path] = []
    monkeypatch.setattr(code, "wheels", lambda lock: downloads.append(lock) or b"wheels")
    s3, bucket = boto3.client("s3"), f"b{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    version = code.upload(s3, bucket, root)
    lock = code.version_of((root / code.LOCK).read_bytes())
    objects = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert {each["Key"] for each in objects} == {
        f"code/{version}/marquee.tar.gz",
        f"code/{version}/restore.sh",
        f"code/wheels/{lock}.tar",
    }
    assert code.upload(s3, bucket, root) == version
    assert len(downloads) == 1
    assert s3.list_objects_v2(Bucket=bucket)["Contents"] == objects


def test_download_command_checks_hashes_for_machines(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    command = " ".join(code.download(lock, "out"))
    for part in ("--require-hashes", "--only-binary :all:", "--python-version 3.11", "--no-deps"):
        assert part in command
    assert "--platform manylinux_2_28_x86_64" in command


def test_wheels_that_cannot_be_fetched_are_named(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("no-such-package==1 --hash=sha256:00\n")
    with pytest.raises(InputError, match=r"a\.lock: ERROR.*, expected packages that can be"):
        code.wheels(lock)
