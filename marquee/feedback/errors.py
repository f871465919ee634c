"""Errors of the event store, and its default address."""

from marquee.core.errors import InputError

DEFAULT_EVENTS_URL = "sqlite:///events.sqlite"


class StoreUnavailable(InputError):  # noqa: N818
    """The event store's database does not answer now.

    The same call may succeed in a second.
    """
