"""Test the service behind the nginx of docs/behind-a-proxy.md, from this machine and outside."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support import nginx
from tests.support.docs_pages import blocks
from tests.support.nginx import outside
from tests.support.paths import ROOT
from tests.support.processes import free_port, running

PAGE = ROOT / "docs" / "behind-a-proxy.md"
KEY = {"Authorization": "Bearer a"}
FORGED = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Real-IP": "::1"},
    {"Forwarded": "for=127.0.0.1"},
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def with_keys(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(bundle_folder, tmp_path_factory.mktemp("keys"), API_KEYS="a") as (url, _):
        yield url


@pytest.fixture(scope="module")
def without_keys(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that would believe every X-Forwarded-For, were uvicorn asked."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "FORWARDED_ALLOW_IPS": "*"}
    with running(bundle_folder, tmp_path_factory.mktemp("none"), **settings) as (url, _):
        yield url


@contextmanager
def documented_nginx(service: str) -> Iterator[str]:
    """Run the page's example before a service; yield the address of its prefix."""
    (block,) = blocks("nginx", [PAGE])
    port = free_port()
    replaced = {"127.0.0.1:3000": service.removeprefix("http://"), "listen 80;": f"listen {port};"}
    text = block.text
    for old, new in replaced.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    with nginx.running("return 404;", http=text):
        yield f"http://127.0.0.1:{port}/api"


def bare_nginx(service: str) -> AbstractContextManager[str]:
    return nginx.running(f"location / {{ proxy_pass {service}; }}")


def statuses(url: str, headers: dict[str, str] | None = None) -> list[int]:
    """Read a history, ask for a list and send events."""
    with httpx.Client(base_url=url, headers=headers) as client:
        return [
            client.get("/users/42/history").status_code,
            client.post("/recommend", json={}).status_code,
            client.delete("/users/nobody").status_code,
        ]


def test_documented_nginx_with_keys_serves_who_has_one(with_keys: str) -> None:
    with documented_nginx(with_keys) as url:
        for address in (url, outside(url)):
            assert statuses(address, KEY) == [200, 200, 200]
            for headers in ({}, *FORGED):
                assert statuses(address, headers) == [401, 401, 401]
            assert httpx.get(f"{address}/readyz").status_code == 200
            assert httpx.get(f"{address}/metrics").status_code == 404
        body = b" " * (1 << 20) + b"{}"
        assert httpx.post(f"{url}/recommend", content=body, headers=KEY).status_code == 413


def test_bare_nginx_with_keys_serves_who_has_one(with_keys: str) -> None:
    """The seen fault: a loopback peer read without a key, and nginx is one."""
    with bare_nginx(with_keys) as url:
        for headers in ({}, *FORGED):
            assert statuses(outside(url), headers) == [401, 401, 401]
        assert statuses(outside(url), KEY) == [200, 200, 200]


def test_bare_nginx_without_keys_serves_nobody(without_keys: str) -> None:
    with bare_nginx(without_keys) as url:
        for address in (url, outside(url)):
            assert statuses(address) == [401, 401, 401]


def test_trusted_nginx_without_keys_serves_this_machine(without_keys: str) -> None:
    with documented_nginx(without_keys) as url:
        for headers in ({}, *FORGED):
            assert statuses(url, headers) == [200, 200, 200]
            assert statuses(outside(url), headers) == [401, 401, 401]


def test_forged_headers_without_nginx_name_no_local_client(without_keys: str) -> None:
    assert statuses(without_keys) == [200, 200, 200]
    for headers in FORGED:
        assert statuses(outside(without_keys), headers) == [401, 401, 401]
