"""`make app`: run the service and the app together on this machine, until ctrl-C.

    python -m deploy.app_server --bundle bundles/demo --events sqlite:///events.sqlite --port 8501

The service takes a free port, because only the app calls it. The app's address is printed as soon
as both answer.
"""

import argparse
import sys

from deploy.local_processes import run_app, run_service
from marquee.core.command import UNFORESEEN, ArgumentParser, Terminated, fail, run_command, say


def main(args: list[str] | None = None) -> int:
    """Run service and app, and return the exit status: 0 after ctrl-C or SIGTERM."""
    parser = ArgumentParser(description="Run service and app together, until ctrl-C.")
    parser.add_argument("--bundle", default="bundles/demo")
    parser.add_argument("--events", default="sqlite:///events.sqlite")
    parser.add_argument("--port", type=int, default=8501)
    return run_command("app", lambda: run(parser.parse_args(args)))


def run(args: argparse.Namespace) -> int:
    """Serve until a signal stops it; an app that ends by itself is an error."""
    try:
        say(f"app: loading {args.bundle}")
        with (
            run_service(args.bundle, args.events) as url,
            run_app(args.port, {"MARQUEE_URL": url}) as (address, process),
        ):
            say(f"app: {address} (ctrl-C stops it; the service behind it: {url})")
            process.wait()
    except (KeyboardInterrupt, Terminated):
        say("\napp: stopped")
        return 0
    return fail("app", "the app has ended by itself", UNFORESEEN)


if __name__ == "__main__":
    sys.exit(main())
