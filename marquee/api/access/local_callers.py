"""Callers of this machine: a service without keys answers them alone.

A reverse proxy on this machine is a loopback peer like any program here. So a request that shows
a sign of a proxy counts as foreign, unless the peer is one of TRUSTED_PROXIES and names a loopback
client. A proxy that leaves no sign cannot be told from a program: behind a proxy, set API_KEYS.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from starlette.types import Scope

from marquee.api.settings import Network

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
# Names of headers, each with `-` for `_` because some servers read them alike.
CLIENT_HEADER = re.compile(
    r"(.*-)?forwarded(-for)?|.*-(client-?)?(ip|ipv6|addr|address)", re.IGNORECASE
)
PROXY_HEADER = re.compile(r".*forwarded.*|(.*-)?via|cdn-loop|max-forwards", re.IGNORECASE)
HOST_AND_PORT = re.compile(r"(\[[^]]*\]|[^:]*)(:[0-9]*)?")


class LocalCallers:
    """Callers of this machine, by the proxies and pages that the operator trusts."""

    def __init__(
        self, trusted_proxies: Sequence[Network] = (), trusted_origins: Collection[str] = ()
    ) -> None:
        self._trusted_proxies, self._trusted_origins = trusted_proxies, trusted_origins

    def foreign_sign(self, scope: Scope) -> str | None:
        """Return what shows that a request is of elsewhere, as a verb phrase, or None."""
        peer = (scope.get("client") or ("", 0))[0]
        host, origin, proxy_header = _signs(scope)
        if origin and origin not in self._trusted_origins and not is_local_host(origin):
            return "comes from a web page that is not in CORS_ORIGINS"
        if proxy_header:
            is_local = self._is_forwarded_for_this_machine(scope, peer)
            return None if is_local else f"bears the header {proxy_header.title()} of a proxy"
        if not is_loopback(peer):
            return "comes from another machine"
        if scope.get("http_version") == "1.0":
            return "is HTTP/1.0, as nginx forwards"
        if is_domain(host):
            return "has the Host of another machine"
        return None

    def _is_forwarded_for_this_machine(self, scope: Scope, peer: str) -> bool:
        """Return whether a trusted proxy names clients, and each of them is of this machine."""
        clients = list(_named_clients(scope))
        return (
            self._is_trusted(peer)
            and bool(clients)
            and all(
                is_loopback(chain[0]) and all(is_loopback(h) or self._is_trusted(h) for h in chain)
                for chain in clients
            )
        )

    def _is_trusted(self, host: str) -> bool:
        address = parse_address(host)
        return address is not None and any(address in net for net in self._trusted_proxies)


def _signs(scope: Scope) -> tuple[str, str, str]:
    """Return Host, Origin and the name of a proxy's header in one pass; each may be empty.

    Several values of Host or Origin are joined by commas, so that none counts alone.
    """
    host = origin = proxy_header = b""
    for name, value in scope["headers"]:
        if name == b"host":
            host = host + b"," + value if host else value
        elif name == b"origin":
            origin = origin + b"," + value if origin else value
        elif _is_of_proxy(name):
            proxy_header = name
    return str(host, "latin-1"), str(origin, "latin-1"), str(proxy_header, "latin-1")


@lru_cache(maxsize=256)
def _is_of_proxy(name: bytes) -> bool:
    text = str(name, "latin-1").replace("_", "-")
    return bool(PROXY_HEADER.fullmatch(text)) or _names_client(name)


@lru_cache(maxsize=256)
def _names_client(name: bytes) -> bool:
    return bool(CLIENT_HEADER.fullmatch(str(name, "latin-1").replace("_", "-")))


def _named_clients(scope: Scope) -> Iterator[list[str]]:
    """Yield the addresses of each header that names clients, the first client first."""
    for name, value in scope["headers"]:
        if _names_client(name):
            text = str(value, "latin-1")
            nodes = _forwarded_nodes(text) if name == b"forwarded" else text.split(",")
            yield [_without_port(node.strip()) for node in nodes]


def _forwarded_nodes(text: str) -> Iterator[str]:
    """Yield the `for` of each hop in a header Forwarded; empty for a hop that names none."""
    for hop in text.split(","):
        pairs = [pair.partition("=") for pair in hop.split(";")]
        nodes = [value for name, _, value in pairs if name.strip().lower() == "for"]
        for node in nodes or [""]:
            yield node.strip().removeprefix('"').removesuffix('"')


def _without_port(node: str) -> str:
    """Return the host of `HOST`, `HOST:PORT` or `[IPV6]:PORT`; other text as it is."""
    match = HOST_AND_PORT.fullmatch(node)
    return match[1].strip("[]") if match else node


@lru_cache(maxsize=1024)
def parse_address(host: str) -> Address | None:
    """Return an address, one that is mapped into IPv6 as IPv4; None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Return whether a peer's address is this machine; a name is not."""
    address = parse_address(host)
    return address is not None and address.is_loopback


@lru_cache(maxsize=1024)
def is_local_host(text: str) -> bool:
    """Return whether the host of a Host or Origin is localhost or a loopback address."""
    if "," in text:  # of several headers
        return False
    host = _without_port(text.rpartition("://")[2]).lower().rstrip(".")
    address = parse_address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")


@lru_cache(maxsize=1024)
def is_domain(host: str) -> bool:
    """Return whether a Host is a domain or an address of another machine.

    The owner of a domain can resolve it to 127.0.0.1; a page there calls without an Origin.
    """
    return ("." in host or host.startswith("[")) and not is_local_host(host)
