"""A PgBouncer in transaction mode before a PostgreSQL of the tests.

    with postgres.server() as server, pgbouncer.running(server) as url: …

A pool of two connections for any number of clients, so that a statement or a setting which one
client leaves behind meets another client.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import PASSWORD, USER, Server
from tests.support.processes import free_port, wait_until

SETTINGS = """
[databases]
postgres = host=127.0.0.1 port={server_port} dbname=postgres user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {home}/users
pool_mode = {mode}
default_pool_size = {pool_size}
max_client_conn = 200
server_login_retry = 1
logfile = {home}/log
pidfile = {home}/pid
"""
SBIN = "/usr/sbin"


def program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{SBIN}")


@contextmanager
def running(server: Server, mode: str = "transaction", pool_size: int = 2) -> Iterator[str]:
    """Run PgBouncer; yield its URL. Skips where it is not installed."""
    command = program()
    if command is None:
        pytest.skip("PgBouncer is not installed (Debian: pgbouncer)")
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="marquee-pgbouncer-") as name:
        home, port = Path(name), free_port()
        settings = home / "settings.ini"
        settings.write_text(
            SETTINGS.format(
                server_port=server.port,
                user=USER,
                password=PASSWORD,
                port=port,
                home=home,
                mode=mode,
                pool_size=pool_size,
            )
        )
        (home / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        if as_user:
            for path in (home, *home.iterdir()):
                shutil.chown(path, USER)
        process = subprocess.Popen(
            [*as_user, command, str(settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        try:
            wait_until(
                lambda: process.poll() is not None or _answers(url), "PgBouncer did not start"
            )
            assert process.poll() is None, (home / "log").read_text()
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
