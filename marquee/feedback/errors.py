"""Error and constants of the event store, for processes that do without its libraries."""

from marquee.core.errors import InputError

DEFAULT_EVENTS_URL = "sqlite:///events.sqlite"


class StoreUnavailable(InputError):  # noqa: N818
    """The database does not answer now; the same call may succeed in a second."""
