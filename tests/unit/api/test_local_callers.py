"""Test which callers are of this machine, and so served without a key."""

from ipaddress import ip_network
from typing import Any

import pytest

from marquee.api.access.local_callers import LocalCallers, is_loopback

TRUSTED = LocalCallers(
    [ip_network("127.0.0.1"), ip_network("10.0.0.0/24")], ("https://app.example",)
)


def scope_of(*headers: str, peer: str | None = "127.0.0.1", version: str = "1.1") -> dict[str, Any]:
    """headers: each as `Name: value`."""
    pairs = [header.encode().split(b": ", 1) for header in headers]
    return {
        "client": peer and (peer, 1),
        "http_version": version,
        "headers": [(name.lower(), value) for name, value in pairs],
    }


def is_served(callers: LocalCallers, *headers: str, **options: Any) -> bool:
    return callers.foreign_sign(scope_of(*headers, **options)) is None


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param("127.0.0.1", True, id="ipv4"),
        pytest.param("127.9.9.9", True, id="ipv4-block"),
        pytest.param("::1", True, id="ipv6"),
        pytest.param("::ffff:127.0.0.1", True, id="mapped"),
        pytest.param("::ffff:10.0.0.7", False, id="mapped-elsewhere"),
        pytest.param("10.0.0.7", False, id="private"),
        pytest.param("testclient", False, id="no-address"),
        pytest.param("", False, id="empty"),
    ],
)
def test_loopback_is_this_machine_only(peer: str, expected: bool) -> None:
    assert is_loopback(peer) is expected
    assert is_served(LocalCallers(), peer=peer) is expected


def test_caller_of_unknown_address_is_refused() -> None:
    assert not is_served(LocalCallers(), peer=None)


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded: for=203.0.113.9",
        "Forwarded: for=127.0.0.1",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-For: ",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 203.0.113.9",
        "X-Real-IP: 127.0.0.1",
        "X-Client-IP: 127.0.0.1",
        "True-Client-IP: 127.0.0.1",
        "CF-Connecting-IP: 127.0.0.1",
        "WL-Proxy-Client-IP: 127.0.0.1",
        "X-Remote-Addr: 127.0.0.1",
        "X_Forwarded_For: 127.0.0.1",
        "X-Azure-ClientIP: 127.0.0.1",
        "X-Vercel-Forwarded-For: 127.0.0.1",
        "Via: 1.1 proxy",
        "CDN-Loop: cloudflare",
        "Host: shop.example",
        "Host: 203.0.113.9:3000",
        "Host: 127.0.0.1:3@shop.example",
        "Origin: https://shop.example",
        "Origin: http://localhost:80@shop.example",
        "Origin: null",
    ],
)
def test_sign_of_a_proxy_or_page_is_refused(header: str) -> None:
    assert not is_served(LocalCallers(), header)


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_header_that_comes_twice_does_not_count_once(name: str) -> None:
    prefix = "http://" if name == "Origin" else ""
    values = [f"{name}: {prefix}shop.example", f"{name}: {prefix}a.localhost"]
    assert not is_served(LocalCallers(), *values)
    assert not is_served(LocalCallers(), *reversed(values))


def test_request_over_http_1_0_is_refused() -> None:
    """A bare `proxy_pass` of nginx before 1.29.7 leaves no other sign."""
    assert not is_served(LocalCallers(), version="1.0")


@pytest.mark.parametrize(
    "header",
    [
        "Host: 127.0.0.1:3000",
        "Host: [::1]:3000",
        "Host: localhost:3000",
        "Host: marquee",
        "Host: 0.0.0.0:3000",
        "Origin: http://localhost:5173",
        "Origin: http://127.0.0.1:8501",
    ],
)
def test_names_of_this_machine_are_served(header: str) -> None:
    assert is_served(LocalCallers(), header)


@pytest.mark.parametrize(
    ("headers", "peer", "expected"),
    [
        pytest.param(["X-Forwarded-For: 127.0.0.1"], "127.0.0.1", True, id="local"),
        pytest.param(["X-Forwarded-For: ::1"], "10.0.0.7", True, id="network"),
        pytest.param(["X-Forwarded-For: 127.0.0.1"], "::ffff:10.0.0.7", True, id="mapped"),
        pytest.param(['Forwarded: for="[::1]:80";proto=http'], "10.0.0.7", True, id="rfc-7239"),
        pytest.param(["X-Forwarded-For: 127.0.0.1, 10.0.0.9"], "127.0.0.1", True, id="two-proxies"),
        pytest.param(
            ["X-Forwarded-For: 127.0.0.1", "Via: 1.1 a", "Host: shop.example"],
            "127.0.0.1",
            True,
            id="further-signs",
        ),
        pytest.param(["X-Forwarded-For: 127.0.0.1"], "10.0.1.7", False, id="another-peer"),
        pytest.param(["X-Forwarded-For: 203.0.113.9"], "127.0.0.1", False, id="client-elsewhere"),
        pytest.param(
            ["X-Forwarded-For: 127.0.0.1, 203.0.113.9"], "127.0.0.1", False, id="forged-first"
        ),
        pytest.param(
            ["X-Forwarded-For: 203.0.113.9, 127.0.0.1"], "127.0.0.1", False, id="elsewhere-first"
        ),
        pytest.param(
            ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 203.0.113.9"], "127.0.0.1", False, id="two"
        ),
        pytest.param(
            ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.9"],
            "127.0.0.1",
            False,
            id="twice",
        ),
        pytest.param(["Forwarded: for=unknown"], "127.0.0.1", False, id="unknown"),
        pytest.param(["Forwarded: proto=https"], "127.0.0.1", False, id="rfc-7239-no-client"),
        pytest.param(['Forwarded: proto="for=127.0.0.1"'], "127.0.0.1", False, id="in-a-value"),
        pytest.param(["Forwarded: x-for=127.0.0.1"], "127.0.0.1", False, id="another-name"),
        pytest.param(
            ["Forwarded: for = 203.0.113.9, for=127.0.0.1"], "127.0.0.1", False, id="with-spaces"
        ),
        pytest.param(
            ["X-Forwarded-For: 127.0.0.1", "X_Forwarded_For: 203.0.113.9"],
            "127.0.0.1",
            False,
            id="underscores",
        ),
        pytest.param(["X-Forwarded-Proto: https"], "127.0.0.1", False, id="no-client"),
        pytest.param(["X-Forwarded-For: "], "127.0.0.1", False, id="empty"),
    ],
)
def test_trusted_proxy_must_name_a_client_of_this_machine(
    headers: list[str], peer: str, expected: bool
) -> None:
    assert is_served(TRUSTED, *headers, peer=peer) is expected


def test_page_of_an_allowed_origin_is_served() -> None:
    assert is_served(TRUSTED, "Origin: https://app.example")
    assert not is_served(TRUSTED, "Origin: https://app.example.evil.example")
