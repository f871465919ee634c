"""The parent process of `bentoml serve`: it starts the workers and answers no request.

It imports service.py as the workers do, but needs neither numpy, ONNX Runtime nor SQLAlchemy: half
a second and 65 MB. A module that only a worker needs is imported under `if not IS_SUPERVISOR`, one
that only the supervisor needs under `if IS_SUPERVISOR`.
"""

import ipaddress
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from bentoml import server_context

from marquee.api.process.shared_state import share_with_workers
from marquee.api.settings import COMMAND_NAME, MAX_PORT, Settings, absolute_paths, read_workers
from marquee.core.command import INPUT_ERROR, fail
from marquee.core.errors import InputError

# BentoML's own mark of a process of its command line (serve, build). A worker has another, and a
# test that serves in its own process, too.
IS_SUPERVISOR = server_context.service_type == "cli"
if IS_SUPERVISOR:
    import circus.watcher
    from bentoml._internal.configuration.containers import BentoMLContainer

    from marquee.api.process.service_watcher import ServiceWatcher, end_service

PREFLIGHT_NICENESS = 10  # the worker becomes ready first, where both need one core
ROOT = Path(__file__).resolve().parents[3]  # a Bento's src/, or the clone
OPTIONS = {"api_workers": "WORKERS", "timeout_keep_alive": "KEEP_ALIVE_S"}  # of `bentoml serve`

log = logging.getLogger("bentoml.marquee")


def count_workers() -> int:
    """Return the number of workers; a wrong setting is refused later."""
    return max(_options().get("api_workers") or read_workers(), 1)


def prepare_workers() -> None:
    """Check the settings, set what the workers inherit, and start the preflight.

    The supervisor calls this once, before it starts a worker. Bad settings and a port in use end
    the process at once; a bad bundle or event store ends it with status 2. A worker alone would be
    started for ever.
    """
    try:
        _merge_options()
        Settings.from_environment()
        check_address(*_address())
        _check_certificate()
    except InputError as error:
        sys.exit(fail(COMMAND_NAME, str(error), INPUT_ERROR))
    os.environ.update(absolute_paths() | share_with_workers())
    # Two threads on a product as small as one request's wait for each other (62,000 movies, busy
    # machine: 12 ms instead of 4).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # In an image BentoML sets this, and then replaces no dead worker: one of two stays away while
    # /readyz is content.
    os.environ.pop("BENTOML_CONTAINERIZED", None)
    circus.watcher.Watcher = ServiceWatcher  # which BentoML looks up when it creates its own
    sys.excepthook = _end_on_exception
    threading.Thread(target=_end_if_refused, daemon=True).start()


def check_address(host: str, port: int) -> None:
    """Raise InputError where the service cannot listen."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        message = f"--host is {host!r}, expected an IP address, for example 127.0.0.1 or 0.0.0.0"
        raise InputError(message) from None
    if not 1 <= port <= MAX_PORT:
        raise InputError(f"--port is {port}, expected a number from 1 to {MAX_PORT}")
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            raise InputError(
                f"port {port} of {host} cannot be listened on ({error.strerror}), expected a free "
                "port; name another with --port, or end the program that has it"
            ) from None


def _check_certificate() -> None:
    """Raise InputError where the files of TLS cannot be used."""
    names = ("ssl_certfile", "ssl_keyfile", "ssl_keyfile_password")
    certificate, key, password = (_options().get(name) for name in names)
    if not (certificate or key):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            certificate or "", key, lambda: password or ""
        )
    except OSError as error:
        raise InputError(
            f"--ssl-certfile {certificate} and --ssl-keyfile {key} cannot be used "
            f"({error.strerror or error}), expected a certificate and its key as PEM files"
        ) from None


def _options() -> dict[str, Any]:
    """Return the options of `bentoml serve`; none in another process."""
    context = click.get_current_context(silent=True)
    return {} if context is None else context.params


def _merge_options() -> None:
    """Turn options that have a setting into that; refuse two values."""
    for option, setting in OPTIONS.items():
        value, set_value = _options().get(option), os.environ.get(setting)
        if value is None:
            continue
        if set_value and set_value != str(value):
            name = option.replace("_", "-")
            message = f"{setting} is {set_value!r} and --{name} is {value}, expected one of them"
            raise InputError(message)
        os.environ[setting] = str(value)


def _address() -> tuple[str, int]:
    """Return where BentoML is going to listen."""
    host, port = _options().get("host"), _options().get("port")
    http = BentoMLContainer.http
    return http.host.get() if host is None else host, http.port.get() if port is None else port


def _end_if_refused() -> None:
    command = [sys.executable, "-m", "marquee.api.process.worker"]
    preflight = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, preflight.pid, PREFLIGHT_NICENESS)
    # The message decides, not the exit status: circus reaps every child of this process, and the
    # status is lost where circus is first.
    _, output = preflight.communicate()
    lines, mark = output.splitlines(), f"{COMMAND_NAME}: error: "
    refusals = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    if not refusals and "Traceback (most recent call last):" in lines:  # of an import
        log.debug("%s", output)
        refusals = lines[-1:]
    if refusals:
        end_service(refusals[-1])
    print(output, end="", file=sys.stderr, flush=True)


def _end_on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    log.debug("the service ends", exc_info=(kind, error, trace))
    end_service(f"{kind.__name__}: {error} (not foreseen; BENTOML_DEBUG=true logs where)")
