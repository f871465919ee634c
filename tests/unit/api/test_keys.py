"""Test entries of API_KEYS, and a file of keys that changes while it is followed."""

from pathlib import Path

import pytest

from marquee.api.access.keys import (
    ALL_SCOPES,
    CHECK_S,
    DEFAULT_SCOPES,
    KeyRing,
    digest,
    parse_keys,
    split_scopes,
)
from marquee.core.errors import InputError


@pytest.mark.parametrize(
    ("entry", "key", "scopes"),
    [
        ("k", "k", DEFAULT_SCOPES),
        ("read", "read", DEFAULT_SCOPES),
        ("k:read", "k", {"read"}),
        ("k:read+events", "k", {"read", "events"}),
        ("a:b:catalog+rules", "a:b", {"catalog", "rules"}),
        ("k:admin", "k", ALL_SCOPES),
        ("k:write", "k:write", DEFAULT_SCOPES),
        ("k:read+write", "k:read+write", DEFAULT_SCOPES),
        ("k:read:", "k:read:", DEFAULT_SCOPES),
        ("k:READ", "k:READ", DEFAULT_SCOPES),
        ("a:b", "a:b", DEFAULT_SCOPES),
    ],
)
def test_split_scopes_known_ones_at_the_end_count(entry: str, key: str, scopes: set[str]) -> None:
    assert split_scopes(entry) == (key, frozenset(scopes))


@pytest.mark.parametrize("entry", [":read", "a b", "a\x7f", "é"])
def test_parse_keys_unusable_entry_is_refused(entry: str) -> None:
    with pytest.raises(InputError, match="key 1 holds no key"):
        parse_keys([(1, entry)], "key", may_be_hashed=False)


def test_parse_keys_repeated_key_is_refused_unnamed() -> None:
    with pytest.raises(InputError, match="key 2 repeats a key") as error:
        parse_keys([(1, "secret:read"), (2, "secret:erase")], "key", may_be_hashed=False)
    assert "secret" not in str(error.value)


class KeyFile:
    """A file of keys, and the ring that follows it by a clock of its own."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.now = path, 0.0
        path.write_text(text)
        self.ring = KeyRing({digest("fixed"): ALL_SCOPES}, path, lambda: self.now)

    def change(self, text: str | None) -> None:
        self.path.unlink() if text is None else self.path.write_text(text)
        self.now += CHECK_S


def test_key_file_change_counts_after_a_second(tmp_path: Path) -> None:
    file = KeyFile(
        tmp_path / "keys", f"# ours\n\nold:read\nsha256:{digest('hashed').hex()}:erase\n"
    )
    assert file.ring.scopes_of("old") == {"read"}
    assert file.ring.scopes_of("hashed") == {"erase"}
    file.change("new key\n")
    assert file.ring.scopes_of("old") == {"read"}  # the file cannot be used
    file.change("new:catalog\n")
    assert file.ring.scopes_of("old") is None
    assert file.ring.scopes_of("new") == {"catalog"}
    assert file.ring.scopes_of("fixed") == ALL_SCOPES


@pytest.mark.parametrize("text", [None, "", "# none\n", "sha256:12:read\n"])
def test_key_file_that_cannot_be_used_changes_nothing(tmp_path: Path, text: str | None) -> None:
    file = KeyFile(tmp_path / "keys", "old\n")
    file.change(text)
    assert file.ring.scopes_of("old") == DEFAULT_SCOPES
    file.change("new\n")
    assert file.ring.scopes_of("new") == DEFAULT_SCOPES


@pytest.mark.parametrize("content", [b"", b"a b\n", b"\xff\n", b"sha256:xyz\n"])
def test_key_file_unusable_at_start_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(InputError, match="API_KEYS_FILE"):
        KeyRing({}, path)
