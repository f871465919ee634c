"""Errors of the event store, and its default address."""

from marquee.core.errors import InputError

DEFAULT_URL = "sqlite:///events.sqlite"


class StoreUnavailable(InputError):  # noqa: N818
    """The database of the event store cannot be asked now; the same may succeed in a second."""
