"""`make app`: the service and the app together, on this machine, until ctrl-C.

    python -m deploy.app_server --bundle bundles/demo --events sqlite:///events.sqlite --port 8501

The service takes a free port, since only the app asks it; the app's address is printed once both
answer.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import httpx

from deploy.demo import service

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10


def main() -> int:
    parser = argparse.ArgumentParser(description="Service and app together, until ctrl-C.")
    parser.add_argument("--bundle", default="bundles/demo")
    parser.add_argument("--events", default="sqlite:///events.sqlite")
    parser.add_argument("--port", type=int, default=8501)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        print(f"app: loading {chosen.bundle}", flush=True)
        with (
            service(chosen.bundle, chosen.events) as url,
            app(chosen.port, MARQUEE_URL=url) as (address, process),
        ):
            print(f"app: {address} (ctrl-C stops it; the service behind it: {url})", flush=True)
            process.wait()
    except KeyboardInterrupt:
        print("\napp: stopped")
        return 0
    print("app: the app has ended by itself", file=sys.stderr)
    return 1


@contextmanager
def app(port: int, **settings: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A running app: its address and its process."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    process = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, start_new_session=True
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_ready(address, process)
        yield address, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/_stcore/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(
        f"app: nothing answers at {address}; is the port taken (APP_PORT=8600 takes another), and "
        "is streamlit there (make setup)?"
    )


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends it as ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
