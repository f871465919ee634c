"""A PostgreSQL server for the tests: their own, on a free port, or that of TEST_POSTGRES_URL.

Debian keeps the server's programs off PATH, and they refuse to run as root: a test run as root
starts them as the user `postgres`, which Debian's package makes.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

PASSWORD = "secret-of-the-tests"
USER = "postgres"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where no server is installed."""
    asked = shutil.which("pg_config")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if asked:
        found = subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True)
        places.append(Path(found.stdout.strip()))
    return next((place for place in places if (place / "initdb").is_file()), None)


class Server:
    """One server in a temporary folder; what is committed is on disk, as in production."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._home = Path(tempfile.mkdtemp(prefix="marquee-postgres-"))
        self._as = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        (self._home / "password").write_text(PASSWORD)
        if self._as:
            for path in (self._home, self._home / "password"):
                shutil.chown(path, USER)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self._run("initdb", f"--username={USER}", "--auth=scram-sha-256", "--encoding=UTF8",
                  f"--pwfile={self._home / 'password'}")  # fmt: skip

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={self._home}"
        self._run(
            "pg_ctl", "start", "--wait", f"--log={self._home / 'log'}", f"--options={options}"
        )

    def stop(self) -> None:
        """At once and without a clean end, as a machine that lost its power."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._home)

    def _run(self, program: str, *args: str) -> None:
        command = [*self._as, str(self._bin / program), f"--pgdata={self._home / 'data'}", *args]
        # Into a file: the server that pg_ctl leaves behind would hold a pipe open.
        with (self._home / "said").open("w+") as out:
            done = subprocess.run(command, cwd=self._home, stdout=out, stderr=out, timeout=60)
            out.seek(0)
            assert done.returncode == 0, f"{program}: {out.read()}"


@contextmanager
def server() -> Iterator[Server]:
    """Skips where PostgreSQL is not installed; where it is, not to start is a failure."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql); or set TEST_POSTGRES_URL")
    started = Server(found)
    started.start()
    try:
        yield started
    finally:
        started.remove()


@contextmanager
def schema(url: str) -> Iterator[str]:
    """The URL of an empty schema, dropped afterwards."""
    name = f"marquee_{uuid.uuid4().hex}"
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    given = address.update_query_dict({"options": f"-csearch_path={name}"})
    yield given.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
