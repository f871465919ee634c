"""What the service is told by its environment.

BUNDLE         what to serve (required): the folder of a bundle, or a store of releases
               (s3://bucket/prefix or its folder); what is new there is taken while serving
BUNDLE_POLL_S  seconds between looks at it (default 2)
BUNDLE_CACHE   folder where releases of a store are kept (default: runs/releases)
EVENTS_URL     event store, sqlite:///FILE or postgresql://… (default: sqlite:///events.sqlite)
API_KEYS       comma-separated keys; without any, only this machine (loopback) is served
RATE_LIMIT     requests a second for each key (default: no limit)
CORS_ORIGINS   comma-separated origins of web pages that may ask (default: none)
LOG_REQUESTS   all, errors (default; and what took over a second) or off: one JSON line each
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_URL

DEFAULT_CACHE = "runs/releases"
LOGGED = ("all", "errors", "off")


@dataclass(frozen=True)
class Settings:
    bundle: str
    """Folder of the bundle, or a store of releases."""
    bundle_poll_s: float
    bundle_cache: str
    events_url: str
    """Where histories are kept."""
    api_keys: tuple[str, ...]
    rate_limit: float | None
    """Requests a second."""
    cors_origins: tuple[str, ...]
    log_requests: str

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises InputError for what is missing or makes no sense, by name."""
        bundle = environment.get("BUNDLE", "")
        if not bundle:
            raise InputError("BUNDLE is not set; name a bundle: BUNDLE=bundles/demo bentoml serve")
        logged = environment.get("LOG_REQUESTS") or "errors"
        if logged not in LOGGED:
            raise InputError(f"LOG_REQUESTS is {logged!r}; give one of {', '.join(LOGGED)}")
        return cls(
            bundle,
            _above_0(environment, "BUNDLE_POLL_S") or 2.0,
            environment.get("BUNDLE_CACHE") or DEFAULT_CACHE,
            environment.get("EVENTS_URL") or DEFAULT_URL,
            _listed(environment, "API_KEYS"),
            _above_0(environment, "RATE_LIMIT"),
            cors_origins(environment),
            logged,
        )


def cors_origins(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Needed when service.py is read, before the rest can be checked."""
    return _listed(environment, "CORS_ORIGINS")


def whole_paths(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """BUNDLE, BUNDLE_CACHE and EVENTS_URL as seen from here: a Bento's worker starts elsewhere, in
    its src/."""
    bundle = environment.get("BUNDLE", "")
    found = {"BUNDLE": str(Path(bundle).absolute())} if bundle and "://" not in bundle else {}
    cache = environment.get("BUNDLE_CACHE") or DEFAULT_CACHE
    found["BUNDLE_CACHE"] = str(Path(cache).absolute())
    kind, slashes, file = (environment.get("EVENTS_URL") or DEFAULT_URL).partition(":///")
    if kind == "sqlite" and file:
        found["EVENTS_URL"] = f"{kind}{slashes}{Path(file).absolute()}"
    return found


def _listed(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in environment.get(name, "").split(","))
    return tuple(part for part in parts if part)


def _above_0(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise InputError(f"{name} is {text!r}; give a number above 0")
    return value
