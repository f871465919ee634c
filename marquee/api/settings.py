"""The service's settings, read from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_EVENTS_URL

DEFAULT_CACHE = "runs/releases"
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
    api_keys: tuple[str, ...]
    """Comma-separated; without any, only this machine (loopback) is served."""
    rate_limit: float | None
    """Requests a second for each key; None: no limit."""
    log_requests: str
    """One JSON line for "all" requests, for "errors" (and requests above a second) or "off"."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read all settings; InputError names the one that is missing or wrong."""
        bundle = environment.get("BUNDLE", "")
        if not bundle:
            raise InputError("BUNDLE is not set, expected a bundle, for example bundles/demo")
        log_requests = environment.get("LOG_REQUESTS") or "errors"
        if log_requests not in LOG_LEVELS:
            levels = ", ".join(LOG_LEVELS)
            raise InputError(f"LOG_REQUESTS is {log_requests!r}, expected one of {levels}")
        return cls(
            bundle=bundle,
            bundle_poll_s=_positive(environment, "BUNDLE_POLL_S") or 2.0,
            bundle_cache=environment.get("BUNDLE_CACHE") or DEFAULT_CACHE,
            events_url=environment.get("EVENTS_URL") or DEFAULT_EVENTS_URL,
            api_keys=_comma_separated(environment, "API_KEYS"),
            rate_limit=_positive(environment, "RATE_LIMIT"),
            log_requests=log_requests,
        )


def read_cors_origins(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the origins of web pages that may send requests; needed before Settings."""
    return _comma_separated(environment, "CORS_ORIGINS")


def absolute_paths(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the paths as absolute ones, since a Bento's worker starts in its src/."""
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
