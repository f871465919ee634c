"""Test current.json: what is written is what is read, and nothing else is taken for a pointer."""

import json
from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.releases.pointer import Pointer

FIELDS: dict[str, Any] = {
    "version": "a" * 16,
    "model_version": "a" * 64,
    "manifest_sha256": "b" * 64,
    "promoted_at": "2026-11-23T00:00:00+00:00",
    "previous": ["c" * 16],
}


def test_pointer_to_json_is_stable_bytes() -> None:
    pointer = Pointer(**FIELDS | {"previous": ("c" * 16,)})
    assert pointer.to_json() == (json.dumps(FIELDS, indent=1) + "\n").encode()


def test_pointer_from_json_is_what_was_written() -> None:
    pointer = Pointer(**FIELDS | {"previous": ("c" * 16, "d" * 16)})
    assert Pointer.from_json(pointer.to_json(), "store") == pointer


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff garbage", id="garbage"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(FIELDS | {"more": 1}, id="another-field"),
        pytest.param({"version": "x", "previous": []}, id="missing-fields"),
        pytest.param({name: FIELDS[name] for name in FIELDS if name != "previous"}, id="short"),
        pytest.param(FIELDS | {"version": "a" * 15}, id="short-name"),
        pytest.param(FIELDS | {"version": "A" * 16}, id="upper-case"),
        pytest.param(FIELDS | {"version": "a" * 16 + "\n"}, id="line-end"),
        pytest.param(FIELDS | {"version": "../../etc/passwd"}, id="path"),
        pytest.param(FIELDS | {"version": 1}, id="number"),
        pytest.param(FIELDS | {"previous": ["../x"]}, id="previous-path"),
        pytest.param(FIELDS | {"previous": [1]}, id="previous-number"),
        pytest.param(FIELDS | {"previous": 3}, id="previous-no-list"),
    ],
)
def test_pointer_from_json_invalid_is_refused(content: Any) -> None:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(InputError, match=r"s3://b/p/current.json: not a pointer .*aws s3 rm"):
        Pointer.from_json(raw, "s3://b/p")
    with pytest.raises(InputError, match=r"store/current.json: not a pointer .*: rm store"):
        Pointer.from_json(raw, "store")
