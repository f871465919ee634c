"""Run a store of releases, and a service that follows it, through everything that goes wrong.

    make soak ONLY=releases ROUNDS=200               # 3 minutes of CPU
    python -m soak.releases --rounds 14 --seed 7

One fault a round: connections that are cut while a version is pushed, promoted and pulled; a byte
changed in the store, or on the machine; a process killed in the middle; two who promote at once; a
full disk; a store that is away at a start. Pushing is the command in a process of its own, racing
too; the follower is the service's own code (marquee/api/process/model_reloader.py) without HTTP.
During the fault a complete version answers; after it the promoted one does, and every version that
was ever pushed and not pruned is intact. Exit status 1, and the reasons, if anything was otherwise.
moto's server (tests/support/s3_server.py) is behind a proxy that cuts connections
(tests/support/flaky_proxy.py).
"""

import argparse
import asyncio
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from botocore.retries.standard import ExponentialBackoff

from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.model_reloader import ModelReloader, load_first_model
from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS
from marquee.releases import bundle_cache, follower, s3_store, versions
from marquee.releases.open_store import open_store
from marquee.releases.pointer import NAME_LENGTH
from marquee.releases.store import UnreachableError
from tests.support import s3_server
from tests.support.flaky_proxy import UNLIMITED, FlakyProxy, flaky_proxy
from tests.support.full_disk import SmallDisk, small_disk
from tests.support.paths import ROOT
from tests.support.processes import start_together
from tests.support.release_files import damage, version_of, write_named_bundle

PART_BYTES = 512
"""The bundles are small, and so are the parts they are fetched in."""
COMMAND = f"""
import sys, marquee.releases.s3_store as s3_store
from botocore.retries.standard import ExponentialBackoff
ExponentialBackoff.delay_amount = lambda self, context: 0
s3_store.PART_BYTES = {PART_BYTES}
from marquee.promotion.releases_command import main
sys.exit(main())"""
RACER = """
import sys
from marquee.releases import versions
from marquee.releases.open_store import open_store
store = open_store(sys.argv[1])
pointer = versions.current(store)
print("ready", flush=True)
sys.stdin.readline()
versions.promote(store, sys.argv[2], pointer)"""
MAX_VERSIONS = 4
MAX_ATTEMPTS = 100
"""Of a command over connections that are cut, before something is wrong."""
COMMAND_TIMEOUT_S = 120


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chaos(Path(folder), options.seed) as run:
        faults = run.rounds(options.rounds)
    for fault in faults[:20]:
        print(f"FAULT: {fault}")
    print(f"soak of releases: {options.rounds} rounds, {len(faults)} faults")
    return int(bool(faults))


class Service:
    """A server's handling of releases, without HTTP."""

    def __init__(self, url: str, home: Path) -> None:
        self._url, self.cache = url, home
        self.restart()

    def restart(self) -> None:
        """Start as a new process does: only what is on the disk is known."""
        self.source = follower.ReleaseFollower(self._url, self.cache)
        asyncio.run(self._take(load_first_model(self.source)))
        self._reloader = ModelReloader(self.source, self._take, poll_s=0)

    def poll(self) -> None:
        asyncio.run(self._reloader.poll())

    async def _take(self, model: LoadedModel) -> None:
        self.version = model.recommender.model_version[:NAME_LENGTH]

    @property
    def folder(self) -> Path:
        """The folder of the version that answers."""
        (folder,) = self.cache.glob(f"*/{self.version}")
        return folder


class Chaos:
    """One store, one service, and the faults that happen to them."""

    def __init__(self, home: Path, disk: SmallDisk, proxy: FlakyProxy, seed: int) -> None:
        self._home, self._disk, self._proxy = home, disk, proxy
        self._rng = random.Random(seed)
        self.url = f"s3://{s3_server.new_bucket()}/models/tiny"
        self.store = open_store(self.url)
        self.pushed: dict[str, Path] = {}
        """Folder of every version that must be there."""
        self.faults: list[str] = []
        for _ in range(2):
            self.promote(self.push())
        self.service = Service(self.url, disk.folder)

    def rounds(self, count: int) -> list[str]:
        """Run every kind of fault in turn, in a drawn order; return what was wrong."""
        kinds = [self.cut, self.corrupt, self.heal, self.kill, self.race, self.fill, self.away]
        due: list[int] = []
        for n in range(1, count + 1):
            due = due or self._rng.sample(range(len(kinds)), len(kinds))
            summary = kinds[due.pop()]()
            self._proxy.limit()
            self.settle()
            state = f"{len(self.pushed)} versions intact, {self.service.version} answers"
            print(f"round {n}: {summary}; {'FAULT' if self.faults else state}", flush=True)
            if self.faults:
                break
        return self.faults

    def cut(self) -> str:
        """Cut connections after a few hundred bytes: push, promote, pull."""
        bundle, num_cuts = self._new_bundle(), self._proxy.num_cuts
        self._proxy.limit(self._random_budget)
        self._until(lambda: self._run_command("push", str(bundle), self.url), "push")
        version = self._add(bundle)
        self._until(lambda: self._try_promote(version), "promote")
        self._until(lambda: self._poll() == version, "pull")
        return f"{self._proxy.num_cuts - num_cuts} connections cut under {version}"

    def corrupt(self) -> str:
        """Change a byte of the promoted version in the store before it has been fetched."""
        version, previous = self.push(), self.service.version
        name = self._rng.choice([*PARTS, MANIFEST])
        self.promote(version)
        damage(self.store, f"versions/{version}/{name}", self._home)
        if self._poll() != previous:
            self.faults.append(f"{version}: {name} is damaged, and was taken")
        if not any(name in fault for fault in bundle_cache.verify(self.store, version)):
            self.faults.append(f"{version}: verify does not name {name}")
        versions.push(self.pushed[version], self.store, repair=True)
        return f"{name} of {version} damaged in the store, refused, mended"

    def heal(self) -> str:
        """Change a byte of the active version on the machine, which starts again."""
        name = self._rng.choice([*PARTS, MANIFEST])
        path = self.service.folder / name
        content = bytearray(path.read_bytes())
        content[self._rng.randrange(len(content))] ^= 1 << self._rng.randrange(8)
        path.write_bytes(content)
        self.service.restart()
        return f"{name} of {self.service.version} damaged in the cache"

    def kill(self) -> str:
        """Kill a process in the middle of a transfer."""
        verb = self._rng.choice(["push", "pull", "promote"])
        bundle = self._new_bundle()
        if verb == "push":
            args = [str(bundle), self.url]
        else:
            versions.push(bundle, self.store)
            version = self._add(bundle)
            args = [version, self.url]
        if verb == "pull":
            args = [self.url, version, "--cache", str(self.service.folder.parent)]
        self._proxy.limit(self._random_budget, end="hang")
        process = self._start_python(COMMAND, verb, *args)
        while process.poll() is None and not self._proxy.was_cut.wait(0.05):
            pass
        process.kill()
        process.communicate(timeout=COMMAND_TIMEOUT_S)
        self._proxy.limit()
        if verb == "push":  # the same again ends it, whatever was there
            versions.push(bundle, self.store)
            self._add(bundle)
        return f"{verb} killed (status {process.returncode})"

    def race(self) -> str:
        """Let two processes promote what they decided on before either had."""
        candidates = [self.push(), self.push()]
        racers = [self._start_python(RACER, self.url, version) for version in candidates]
        start_together(racers)
        errors = [racer.communicate(timeout=COMMAND_TIMEOUT_S)[1] for racer in racers]
        winners = [
            version
            for version, racer in zip(candidates, racers, strict=True)
            if racer.returncode == 0
        ]
        if len(winners) != 1 or sum("concurrent promotion" in error for error in errors) != 1:
            self.faults.append(f"of two who promote at once {len(winners)} won: {errors}")
        elif self._current() != winners[0]:
            self.faults.append(f"{winners[0]} won, but {self._current()} is promoted")
        return f"{winners} won of {candidates}"

    def fill(self) -> str:
        """Fill the disk before a version is fetched."""
        previous, version = self.service.version, self.push()
        self.promote(version)
        with self._disk.full(self._rng.randrange(3000)):
            if self._poll() != previous:
                self.faults.append(f"{version} was taken from a full disk")
            if list(self.service.cache.glob("*/.part-*")) or not self._is_intact():
                self.faults.append("a full disk left half a version, or damaged a complete one")
        return f"disk full under {version}"

    def away(self) -> str:
        """Start the service while the store does not answer."""
        previous = self.service.version
        self._proxy.limit(lambda: (0, 0))
        self.service.restart()
        if self.service.version != previous or not self.service.source.unavailable:
            self.faults.append(f"{self.service.version} without the store, before it {previous}")
        return f"started with {previous} without the store"

    def settle(self) -> None:
        """Check what must hold when the fault is over."""
        pointer = versions.current(self.store)
        assert pointer is not None
        if pointer.previous[0] in self.pushed and self._rng.random() < 0.3:
            pointer = versions.rollback(self.store)
        if self._poll() != pointer.version:
            self.faults.append(f"{pointer.version} is promoted, {self.service.version} answers")
        if not self._is_intact() or bundle_cache.get_good(self.service.folder.parent) is None:
            self.faults.append(f"{self.service.version} answers and is damaged on the disk")
        protected = {pointer.version, *pointer.previous[:1]}
        for version in versions.prune(self.store, MAX_VERSIONS):
            if version in protected or self.pushed.pop(version, None) is None:
                self.faults.append(f"{version} was pruned")
        self.faults += self._store_faults()

    def push(self) -> str:
        bundle = self._new_bundle()
        versions.push(bundle, self.store)
        return self._add(bundle)

    def promote(self, version: str) -> None:
        versions.promote(self.store, version, versions.current(self.store))

    def _store_faults(self) -> list[str]:
        stored = {release.version for release in versions.list_versions(self.store)}
        faults = [f"{version} is lost" for version in sorted(set(self.pushed) - stored)]
        faults += [f"{version} is there, half" for version in sorted(stored - set(self.pushed))]
        for version in stored:
            faults += bundle_cache.verify(self.store, version)
        return faults

    def _is_intact(self) -> bool:
        folder = self.service.folder
        source = self.pushed[folder.name]
        return all(
            (folder / name).read_bytes() == (source / name).read_bytes()
            for name in (MANIFEST, *PARTS)
        )

    def _new_bundle(self) -> Path:
        return write_named_bundle(self._home / f"bundle-{self._rng.getrandbits(64):x}")

    def _add(self, bundle: Path) -> str:
        """Return the version of a bundle, which must be in the store from now on."""
        self.pushed[version_of(bundle)] = bundle
        return version_of(bundle)

    def _try_promote(self, version: str) -> bool:
        """Return False where a connection was cut; any other error is a fault."""
        try:
            self.promote(version)
        except UnreachableError:
            return False
        except InputError as error:
            self.faults.append(f"there is no other promotion, but: {error}")
        return True

    def _current(self) -> str:
        pointer = versions.current(self.store)
        return "nothing" if pointer is None else pointer.version

    def _poll(self) -> str:
        """Let the service look at the store; return the version that answers then."""
        self.service.poll()
        return self.service.version

    def _until(self, attempt: Callable[[], bool], name: str) -> None:
        if not any(attempt() for _ in range(MAX_ATTEMPTS)):
            self.faults.append(f"{name} over cut connections: no end in {MAX_ATTEMPTS} attempts")

    def _random_budget(self) -> tuple[int, int]:
        """Draw the bytes that go out, and come back, before the end; half have no end."""
        few, unlimited = self._rng.randrange(3000), (UNLIMITED, UNLIMITED)
        return self._rng.choice([(few, UNLIMITED), (UNLIMITED, few), unlimited, unlimited])

    def _run_command(self, *args: str) -> bool:
        """Return whether it succeeded; else it has to say in one line that it was cut off."""
        process = self._start_python(COMMAND, *args)
        error = process.communicate(timeout=COMMAND_TIMEOUT_S)[1].strip()
        is_explained = "\n" not in error and error.startswith("marquee releases: error: s3://")
        if process.returncode and not is_explained:
            self.faults.append(f"{args[0]} over cut connections: {error[-300:]}")
        return process.returncode == 0

    def _start_python(self, program: str, *args: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", program, *args],
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )


@contextmanager
def quiet(name: str) -> Iterator[None]:
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def chaos(home: Path, seed: int) -> Iterator[Chaos]:
    """Yield a Chaos with small parts, and without the waits between attempts."""
    with (
        quiet("bentoml.marquee"),  # a refusal is what is wanted here
        patch.object(s3_store, "PART_BYTES", PART_BYTES),
        patch.object(follower, "RETRY_REFUSED_S", 0.0),
        patch.object(ExponentialBackoff, "delay_amount", lambda self, context: 0),
        s3_server.server() as endpoint,
        quiet("werkzeug"),  # and so is half a request
        flaky_proxy(endpoint) as proxy,
        patch.dict(os.environ, AWS_ENDPOINT_URL=proxy.address),
        small_disk(home / "disk") as disk,
    ):
        yield Chaos(home, disk, proxy, seed)


if __name__ == "__main__":
    sys.exit(main())
