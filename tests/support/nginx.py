"""An nginx of the tests before a service: on a free port, with a configuration of the test's own.

    with running(f"location /api/ {{ proxy_pass {service_url}/; }}") as url:
        httpx.get(f"{url}/api/livez")

It listens on 127.0.0.1 and on every other address of the machine, so that a test can come from
outside of loopback: `outside(url)`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, wait_until

CONFIGURATION = """
daemon off;
pid {home}/pid;
error_log {home}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {home}/access.log;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {http}
    server {{
        listen {port};
        {server}
    }}
}}
"""
SBIN = "/usr/sbin"  # Debian's folder of it, which is on root's PATH alone


def program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{SBIN}")


@contextmanager
def running(server: str, http: str = "") -> Iterator[str]:
    """Run nginx with these lines in `server {}` and `http {}`; yield its URL on loopback.

    Skips where nginx is not installed; fails where it refuses the configuration.
    """
    nginx = program()
    if nginx is None:
        pytest.skip("nginx is not installed (Debian: nginx-light)")
    with tempfile.TemporaryDirectory(prefix="marquee-nginx-") as name:
        home, port = Path(name), free_port()
        home.chmod(0o755)  # its workers are another user
        configuration = home / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(home=home, port=port, http=http, server=server)
        )
        with (home / "output").open("w+") as output:
            process = subprocess.Popen(
                [nginx, "-p", name, "-c", str(configuration)], stdout=output, stderr=output
            )
            try:
                wait_until(
                    lambda: process.poll() is not None or _accepts(port), "nginx did not start"
                )
                assert process.poll() is None, (home / "output").read_text()
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(timeout=20)


def outside(url: str) -> str:
    """Return a URL with an address of this machine that is not loopback; skip without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no packet is sent: it selects the address
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address = probe.getsockname()[0]
    return url.replace("127.0.0.1", address)


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
