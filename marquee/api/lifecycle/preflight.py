"""Check the bundle and the event store of the settings, without serving.

    BUNDLE=bundles/demo python -m marquee.api.lifecycle.preflight

Exit status 0, or 2 with one line `marquee: error: …` on stderr.
"""

import sys

from marquee.api.lifecycle.bundle_source import open_source
from marquee.api.lifecycle.model_reloader import load_first_model
from marquee.api.settings import COMMAND_NAME, Settings
from marquee.core.command import INPUT_ERROR, fail
from marquee.core.errors import InputError
from marquee.feedback.store import EventStore


def main() -> int:
    """Load the bundle that the service would start with, and open its event store."""
    try:
        settings = Settings.from_environment()
        load_first_model(open_source(settings.bundle, settings.bundle_cache))
        EventStore(settings.events_url).close()
    except InputError as error:
        return fail(COMMAND_NAME, str(error), INPUT_ERROR)
    return 0


if __name__ == "__main__":
    sys.exit(main())
