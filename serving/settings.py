"""What the service is told by its environment.

BUNDLE      folder of the bundle to serve (required)
EVENTS_URL  event store of people's histories, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DB
            (default: sqlite:///events.sqlite)
API_KEYS    comma-separated keys; without any, only this machine (loopback) is served
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from catalogue.errors import UserError
from serving.events import DEFAULT_URL


@dataclass(frozen=True)
class Settings:
    bundle: str
    """Folder of the bundle."""
    events_url: str
    """Where histories are kept."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises UserError where BUNDLE is not set."""
        bundle = environment.get("BUNDLE", "")
        if not bundle:
            raise UserError("BUNDLE is not set; name a bundle: BUNDLE=bundles/demo bentoml serve")
        return cls(bundle, environment.get("EVENTS_URL") or DEFAULT_URL)


def api_keys(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The keys of API_KEYS; () where it is unset or empty."""
    keys = (key.strip() for key in environment.get("API_KEYS", "").split(","))
    return tuple(key for key in keys if key)
