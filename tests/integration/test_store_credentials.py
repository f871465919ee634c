"""Test credentials that are renewed, and encryption, against an S3 server that checks keys."""

from pathlib import Path

import boto3
import pytest

from marquee.core.errors import InputError
from marquee.releases import s3_client, s3_store, versions
from marquee.releases.follower import ReleaseFollower
from marquee.releases.open_store import open_store
from tests.support import s3_server
from tests.support.release_files import release, write_named_bundle


@pytest.fixture
def url(endpoint: str) -> str:
    return f"s3://{s3_server.new_bucket()}/models/tiny"


def write_keys(file: Path, key: dict[str, str]) -> None:
    """Replace a credentials file, as the programs that renew keys do."""
    lines = ["[default]", f"aws_access_key_id={key['AccessKeyId']}"]
    lines.append(f"aws_secret_access_key={key['SecretAccessKey']}")
    new = file.with_name("new")
    new.write_text("\n".join(lines))
    new.replace(file)


def test_follower_takes_keys_renewed_in_the_file(
    endpoint: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old key is deleted, and refused, before the new one is written."""
    store = open_store(url)
    release(store, write_named_bundle(tmp_path / "v1"))
    old, new = s3_server.new_keys(), s3_server.new_keys()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(s3_client, "RENEW_S", 0.0)
    write_keys(tmp_path / "credentials", old)
    with s3_server.checked_keys(endpoint):
        follower = ReleaseFollower(url, tmp_path / "cache")
        follower.mark_active(next(follower.candidates()))
        s3_server.delete_key(old)
        for _ in range(2):
            with pytest.raises(InputError, match="InvalidAccessKeyId"):
                follower.fetch_newer()
            assert follower.unavailable
        write_keys(tmp_path / "credentials", new)
        assert follower.fetch_newer() is None and not follower.unavailable


def test_s3_writes_ask_for_the_encryption_of_settings(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Push, promotion, and an upload in parts: each object, as the server stored it."""
    monkeypatch.setattr(s3_store, "PART_BYTES", 5 << 20)
    key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    for name, value in {"": "aws:kms", "_KMS_KEY_ID": key_id, "_BUCKET_KEY": "true"}.items():
        monkeypatch.setenv(f"AWS_SSE{name}", value)
    store = open_store(url)
    release(store, *(write_named_bundle(tmp_path / name) for name in ("v1", "v2")))
    versions.rollback(store)
    (tmp_path / "big").write_bytes(bytes(12 << 20))
    store.upload(tmp_path / "big", "big")
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    keys = [listed.key for listed in store.listed("")]
    assert len(keys) == 22  # ten files of each version, the pointer, and "big"
    for key in keys:
        head = boto3.client("s3").head_object(Bucket=bucket, Key=f"{prefix}/{key}")
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_id), key
        assert key == "big" or head["BucketKeyEnabled"]  # moto forgets it in an upload in parts
