"""Keys of the service and their scopes: API_KEYS, and API_KEYS_FILE, which is read again on change.

API_KEYS=KEY:read+events,KEY2:catalog+rules
API_KEYS_FILE=keys.txt        # an entry a line; sha256:HEX:SCOPES holds no key, only its hash
"""

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from marquee.core.errors import InputError

SCOPES = ("read", "events", "erase", "catalog", "rules", "experiments", "admin")
ALL_SCOPES = frozenset(SCOPES)
DEFAULT_SCOPES = frozenset({"read", "events", "erase"})
VISIBLE_ASCII = re.compile(r"[!-~]+")
HASH_PREFIX = "sha256:"
HASHED = re.compile(HASH_PREFIX + "([0-9a-fA-F]{64})")
CHECK_S = 1.0  # between two looks at the file

Keys: TypeAlias = dict[bytes, frozenset[str]]
"""SHA-256 of a key -> its scopes."""

log = logging.getLogger("bentoml.marquee")


class KeyRing:
    """The keys that are valid now, with those of a file, which it follows."""

    def __init__(
        self, keys: Keys, file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises InputError where the file holds no usable keys."""
        self._fixed_keys, self._file, self._clock = keys, file, clock
        self._version = file_version(file)
        self._keys = keys | (read_key_file(file) if file else {})
        self._checked_s = clock()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def scopes_of(self, key: str) -> frozenset[str] | None:
        """Return the scopes of a key, None for one that is not valid."""
        self._follow_file()
        # Every key is compared, so that the time tells nothing.
        own_digest, scopes = digest(key), None
        for valid_digest, valid_scopes in self._keys.items():
            if hmac.compare_digest(own_digest, valid_digest):
                scopes = valid_scopes
        return scopes

    def _follow_file(self) -> None:
        """Read the file again where it changed; a file that cannot be read changes nothing."""
        now = self._clock()
        if self._file is None or now - self._checked_s < CHECK_S:
            return
        self._checked_s, version = now, file_version(self._file)
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = self._fixed_keys | read_key_file(self._file)
            log.warning("API_KEYS_FILE: read again, %d keys", len(self._keys))
        except InputError as error:
            log.error("%s; the keys of before stay valid", error)


def file_version(file: Path | None) -> tuple[int, ...] | None:
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None


def read_key_file(file: Path) -> Keys:
    """Read a file of an entry a line.

    Empty lines and lines that begin with # do not count.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"API_KEYS_FILE {file}: cannot be read ({reason}), expected an entry a line"
        ) from None
    entries = ((n, line) for n, line in enumerate(lines, 1) if line and not line.startswith("#"))
    keys = parse_keys(entries, f"API_KEYS_FILE {file}: line", may_be_hashed=True)
    if not keys:
        raise InputError(f"API_KEYS_FILE {file}: no key, expected KEY or KEY:SCOPE+SCOPE a line")
    return keys


def parse_keys(entries: Iterable[tuple[int, str]], place: str, may_be_hashed: bool) -> Keys:
    """Return the keys of numbered entries. InputError names the place, never a key."""
    keys: Keys = {}
    for number, entry in entries:
        text, scopes = split_scopes(entry)
        hashed = HASHED.fullmatch(text) if may_be_hashed else None
        if may_be_hashed and text.startswith(HASH_PREFIX) and hashed is None:
            raise InputError(f"{place} {number} is no sha256, expected 64 hexadecimal digits")
        if hashed is None and not VISIBLE_ASCII.fullmatch(text):
            raise InputError(
                f"{place} {number} holds no key, a space or a character that a header cannot "
                "carry, expected visible ASCII characters"
            )
        key_digest = bytes.fromhex(hashed[1]) if hashed else digest(text)
        if key_digest in keys:
            raise InputError(f"{place} {number} repeats a key, expected each key once")
        keys[key_digest] = scopes
    return keys


def split_scopes(entry: str) -> tuple[str, frozenset[str]]:
    """Split an entry at its last ":" if only known scopes follow; else it is a key."""
    key, _, names = entry.rpartition(":")
    scopes = frozenset(names.split("+"))
    if (not key and ":" not in entry) or not scopes <= ALL_SCOPES:
        return entry, DEFAULT_SCOPES
    return key, ALL_SCOPES if "admin" in scopes else scopes


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
