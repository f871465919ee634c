"""The service's settings, read from the environment.

BUNDLE         what to serve (required): the folder of a bundle, or a store of releases
               (s3://bucket/prefix or its folder); a newer one there is taken while serving
BUNDLE_POLL_S  seconds between polls of it (default 2)
BUNDLE_CACHE   folder for the releases of a store (default: runs/releases)
EVENTS_URL     event store, sqlite:///FILE or postgresql://… (default: sqlite:///events.sqlite)
API_KEYS       comma-separated keys; without any, only this machine (loopback) is served
RATE_LIMIT     requests a second for each key (default: no limit)
CORS_ORIGINS   comma-separated origins of web pages that may send requests (default: none)
LOG_REQUESTS   all, errors (default; also requests above a second) or off: one JSON line each
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_EVENTS_URL

DEFAULT_CACHE = "runs/releases"
DEFAULT_POLL_S = 2.0
LOG_LEVELS = ("all", "errors", "off")
COMMAND_NAME = "marquee"
"""Begins the error line on stderr with which the service refuses to start."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one service; see the module's table."""

    bundle: str
    """Folder of the bundle, or a store of releases."""
    bundle_poll_s: float
    bundle_cache: str
    events_url: str
    """Address of the event store."""
    api_keys: tuple[str, ...]
    rate_limit: float | None
    """Requests a second."""
    cors_origins: tuple[str, ...]
    log_requests: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings.

        Raises InputError that names the one that is missing or wrong.
        """
        bundle = environment.get("BUNDLE", "")
        if not bundle:
            raise InputError(
                "BUNDLE is not set, expected a bundle; run BUNDLE=bundles/demo bentoml serve"
            )
        log_requests = environment.get("LOG_REQUESTS") or "errors"
        if log_requests not in LOG_LEVELS:
            raise InputError(
                f"LOG_REQUESTS is {log_requests!r}, expected one of {', '.join(LOG_LEVELS)}"
            )
        return cls(
            bundle=bundle,
            bundle_poll_s=_positive(environment, "BUNDLE_POLL_S") or DEFAULT_POLL_S,
            bundle_cache=environment.get("BUNDLE_CACHE") or DEFAULT_CACHE,
            events_url=environment.get("EVENTS_URL") or DEFAULT_EVENTS_URL,
            api_keys=_comma_separated(environment, "API_KEYS"),
            rate_limit=_positive(environment, "RATE_LIMIT"),
            cors_origins=read_cors_origins(environment),
            log_requests=log_requests,
        )


def read_cors_origins(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return CORS_ORIGINS.

    service.py needs it before the other settings can be checked.
    """
    return _comma_separated(environment, "CORS_ORIGINS")


def absolute_paths(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return BUNDLE, BUNDLE_CACHE and EVENTS_URL with absolute paths.

    The worker of a Bento starts in another folder, its src/.
    """
    bundle = environment.get("BUNDLE", "")
    paths = {"BUNDLE": str(Path(bundle).absolute())} if bundle and "://" not in bundle else {}
    cache = environment.get("BUNDLE_CACHE") or DEFAULT_CACHE
    paths["BUNDLE_CACHE"] = str(Path(cache).absolute())
    scheme, slashes, file = (environment.get("EVENTS_URL") or DEFAULT_EVENTS_URL).partition(":///")
    if scheme == "sqlite" and file:
        paths["EVENTS_URL"] = f"{scheme}{slashes}{Path(file).absolute()}"
    return paths


def _comma_separated(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in environment.get(name, "").split(","))
    return tuple(part for part in parts if part)


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
