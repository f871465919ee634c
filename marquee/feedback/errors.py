"""Error and constants of the event store, for processes that do without its libraries."""

from marquee.core.errors import InputError

DEFAULT_EVENTS_URL = "sqlite:///events.sqlite"
MAX_ID_CHARS = 128  # of an event_id, and of a user_id


class StoreUnavailable(InputError):  # noqa: N818
    """The database does not answer now; the same call may succeed in a second."""
