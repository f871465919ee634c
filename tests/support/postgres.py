"""A PostgreSQL server for the tests: their own, on a free port, or that of TEST_POSTGRES_URL.

Debian keeps the server's programs off PATH, and they refuse to run as root: a test run as root
starts them as the user `postgres`, which Debian's package makes.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.processes import free_port

PASSWORD = "secret-of-the-tests"
USER = "postgres"
STARTS = 3


def programs() -> Path | None:
    """Return the folder of initdb and pg_ctl; None where no server is installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if pg_config := shutil.which("pg_config"):
        run = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(run.stdout.strip()))
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


class Server:
    """A server in a temporary folder, durable as in production."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        self._home = Path(tempfile.mkdtemp(prefix="marquee-postgres-"))
        self._as = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        (self._home / "password").write_text(PASSWORD)
        if self._as:
            for path in (self._home, self._home / "password"):
                shutil.chown(path, USER)
        self.port = free_port()
        self._run("initdb", f"--username={USER}", "--auth=scram-sha-256", "--encoding=UTF8",
                  f"--pwfile={self._home / 'password'}")  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start_on_free_port(self) -> None:
        """Start for the first time; another program may take the port first, then on a next."""
        for _ in range(STARTS - 1):
            try:
                return self.start()
            except AssertionError:
                self.port = free_port()
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={self._home}"
        self._run(
            "pg_ctl", "start", "--wait", f"--log={self._home / 'log'}", f"--options={options}"
        )

    def stop(self) -> None:
        """Stop at once and without a clean end, as a machine that lost its power."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self._home)

    def _run(self, program: str, *args: str) -> None:
        command = [*self._as, str(self._bin / program), f"--pgdata={self._home / 'data'}", *args]
        # Into a file: the server that pg_ctl leaves behind would hold a pipe open.
        with (self._home / "output").open("w+") as out:
            run = subprocess.run(command, cwd=self._home, stdout=out, stderr=out, timeout=60)
            out.seek(0)
            assert run.returncode == 0, f"{program}: {out.read()}"


@contextmanager
def server() -> Iterator[Server]:
    """Run a server; skip where PostgreSQL is not installed, fail where it does not start."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql); or set TEST_POSTGRES_URL")
    postgres = Server(bin_folder)
    postgres.start_on_free_port()
    try:
        yield postgres
    finally:
        postgres.remove()


@contextmanager
def schema(url: str) -> Iterator[str]:
    """Yield the URL of an empty schema, dropped afterwards."""
    name = f"marquee_{uuid.uuid4().hex}"
    address = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    schema_url = address.update_query_dict({"options": f"-csearch_path={name}"})
    yield schema_url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
