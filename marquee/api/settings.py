"""The service's settings, read from the environment."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from marquee.api.access.keys import Keys, parse_keys, read_key_file
from marquee.api.process.shared_state import MAX_WORKERS
from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_EVENTS_URL

DEFAULT_CACHE = "runs/releases"
DEFAULT_KEEP_ALIVE_S = 75.0
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
    r"(:(?P<port>[1-9][0-9]{0,4}))?"
)
DEFAULT_PORTS = {"http": "80", "https": "443"}
MAX_PORT = 65_535
RESTRICTIONS = ("country", "max_age")  # by which titles are hidden from viewers
LOG_LEVELS = ("all", "errors", "off")
COMMAND_NAME = "marquee"  # begins the error line with which the service refuses to start


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one service; the variable of each is its name in capitals."""

    bundle: str
    """Required: the folder of a bundle, or a store of releases (s3://bucket/prefix or its folder);
    a newer one there is taken while serving."""
    bundle_poll_s: float
    """Seconds between polls of it."""
    bundle_cache: str
    """Folder for the releases of a store."""
    events_url: str
    """Event store, sqlite:///FILE or postgresql://…"""
    api_keys: Keys
    """Comma-separated KEY or KEY:SCOPE+SCOPE; without any, only this machine is served."""
    api_keys_file: Path | None
    """A file of more keys, an entry a line, read again on change."""
    trusted_proxies: tuple[Network, ...]
    """Without keys: addresses and networks of proxies that may name a client of this machine."""
    cors_origins: tuple[str, ...]
    """Origins of web pages that may send requests; "*" for any, with keys alone."""
    viewer_required: tuple[str, ...]
    """Names that every request for a list must give of its viewer: country, max_age, or both."""
    rate_limit: float | None
    """Requests a second for each key; None: no limit."""
    workers: int
    """Processes that answer requests, each on one core."""
    keep_alive_s: float
    """Seconds until an idle connection is closed; more than a proxy keeps it (60 s), or the proxy
    sends a request on a connection that is being closed."""
    log_requests: str
    """One JSON line for "all" requests, for "errors" (and requests above a second) or "off"."""

    @property
    def has_keys(self) -> bool:
        return bool(self.api_keys or self.api_keys_file)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings; InputError names the one that is missing or wrong."""
        bundle = environment.get("BUNDLE", "")
        if not bundle:
            raise InputError("BUNDLE is not set, expected a bundle, for example bundles/demo")
        if "://" in bundle and not bundle.startswith("s3://"):
            raise InputError(f"BUNDLE is {bundle!r}, expected a folder or s3://BUCKET/PREFIX")
        log_requests = environment.get("LOG_REQUESTS") or "errors"
        if log_requests not in LOG_LEVELS:
            levels = ", ".join(LOG_LEVELS)
            raise InputError(f"LOG_REQUESTS is {log_requests!r}, expected one of {levels}")
        return cls(
            bundle=bundle,
            bundle_poll_s=_positive(environment, "BUNDLE_POLL_S") or 2.0,
            bundle_cache=environment.get("BUNDLE_CACHE") or DEFAULT_CACHE,
            events_url=environment.get("EVENTS_URL") or DEFAULT_EVENTS_URL,
            api_keys=_api_keys(environment),
            api_keys_file=_api_keys_file(environment),
            trusted_proxies=_trusted_proxies(environment),
            cors_origins=_cors_origins(environment),
            viewer_required=_viewer_required(environment),
            rate_limit=_positive(environment, "RATE_LIMIT"),
            workers=_workers(environment),
            keep_alive_s=_positive(environment, "KEEP_ALIVE_S") or DEFAULT_KEEP_ALIVE_S,
            log_requests=log_requests,
        )


def read_workers(environment: Mapping[str, str] = os.environ) -> int:
    """Return WORKERS, or 1 where it is wrong; Settings refuses that later."""
    try:
        return _workers(environment)
    except InputError:
        return 1


def absolute_paths(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the paths as absolute ones, since a Bento's worker starts in its src/."""
    bundle = environment.get("BUNDLE", "")
    paths = {"BUNDLE": str(Path(bundle).absolute())} if bundle and "://" not in bundle else {}
    cache = environment.get("BUNDLE_CACHE") or DEFAULT_CACHE
    paths["BUNDLE_CACHE"] = str(Path(cache).absolute())
    if keys_file := environment.get("API_KEYS_FILE"):
        paths["API_KEYS_FILE"] = str(Path(keys_file).absolute())
    scheme, slashes, file = (environment.get("EVENTS_URL") or DEFAULT_EVENTS_URL).partition(":///")
    if scheme == "sqlite" and file not in ("", ":memory:"):  # which is refused later
        paths["EVENTS_URL"] = f"{scheme}{slashes}{Path(file).absolute()}"
    return paths


def _comma_separated(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in environment.get(name, "").split(","))
    return tuple(part for part in parts if part)


def _api_keys(environment: Mapping[str, str]) -> Keys:
    entries = _comma_separated(environment, "API_KEYS")
    if "API_KEYS" in environment and not entries:
        raise InputError(
            "API_KEYS is set without a key, expected KEY or KEY,KEY; unset it to serve only "
            "this machine"
        )
    return parse_keys(enumerate(entries, 1), "API_KEYS is unusable: key", may_be_hashed=False)


def _api_keys_file(environment: Mapping[str, str]) -> Path | None:
    """Return the file, which can be read now."""
    if not environment.get("API_KEYS_FILE"):
        return None
    file = Path(environment["API_KEYS_FILE"])
    read_key_file(file)
    return file


def _viewer_required(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = _comma_separated(environment, "VIEWER_REQUIRED")
    for name in names:
        if name not in RESTRICTIONS:
            expected = ", ".join(RESTRICTIONS)
            raise InputError(f"VIEWER_REQUIRED is {name!r}, expected names among {expected}")
    return names


def _trusted_proxies(environment: Mapping[str, str]) -> tuple[Network, ...]:
    return tuple(_network(part) for part in _comma_separated(environment, "TRUSTED_PROXIES"))


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        message = f"{error}, expected an address or a network, as in 10.0.0.7,10.1.0.0/16"
        raise InputError(f"TRUSTED_PROXIES is invalid: {message}") from None
    if network.prefixlen == 0:
        raise InputError(
            f"TRUSTED_PROXIES is {text!r}, expected the proxies alone; every caller could name "
            "itself a client of this machine"
        )
    return network


def _cors_origins(environment: Mapping[str, str]) -> tuple[str, ...]:
    parts = _comma_separated(environment, "CORS_ORIGINS")
    if "*" not in parts:
        return tuple(_origin(part) for part in parts)
    if parts != ("*",):
        raise InputError("CORS_ORIGINS is '*' and more, expected '*' alone or origins")
    if not (environment.get("API_KEYS") or environment.get("API_KEYS_FILE")):
        raise InputError(
            "CORS_ORIGINS is '*' without API_KEYS, expected API_KEYS; else every page that is "
            "opened on this machine reads what is stored"
        )
    return parts


def _origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, without the scheme's own port."""
    match = ORIGIN.fullmatch(text)
    if match is None or int(match["port"] or 0) > MAX_PORT:
        bare = re.match(r"[^/]*://[^/?#]+", text)
        remedy = f"; leave out what follows {bare[0]}" if bare and bare[0] != text else ""
        raise InputError(
            f"CORS_ORIGINS is {text!r}, expected scheme://host or scheme://host:port{remedy}"
        )
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), match["port"]
    return f"{scheme}://{host}" + (f":{port}" if port and DEFAULT_PORTS.get(scheme) != port else "")


def _workers(environment: Mapping[str, str]) -> int:
    text = environment.get("WORKERS") or "1"
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_WORKERS:
        raise InputError(f"WORKERS is {text!r}, expected a whole number from 1 to {MAX_WORKERS}")
    return int(text)


def _positive(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{name} is {text!r}, expected a number above 0")
    return value
