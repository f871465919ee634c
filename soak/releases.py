"""A store of releases under everything that goes wrong, and a service that follows it.

    make soak ONLY=releases ROUNDS=200               # 3 minutes of CPU
    python -m soak.releases --rounds 14 --seed 7

One trouble a round: connections that are cut while a version is pushed, promoted and pulled; a byte
changed in the store, or on the machine; a process killed in the middle; two who promote at once; a
full disk; a store that is away at a start. Pushing is the command in a process of its own, racing
too; the follower is the service's own code (marquee/api/lifecycle/model_reloader.py) without HTTP.
During the trouble a whole version answers; after it the promoted one does, every version that was
ever pushed and not pruned is whole, and no upload is left over. Exit status 1, and the reasons, if
anything was otherwise. moto's server, as in tests/s3_server.py, behind a line that can be cut
(tests/support/flaky_proxy.py).
"""

import argparse
import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import boto3
import moto.s3.models
from botocore.retries.standard import ExponentialBackoff

from marquee.api.handlers import LoadedModel
from marquee.api.lifecycle.model_reloader import ModelReloader, load_first_model
from marquee.core.errors import InputError
from marquee.recommender.bundle import MANIFEST, PARTS, write_bundle
from marquee.releases import bundle_cache, follower, s3_store, versions
from marquee.releases.open_store import open_store
from marquee.releases.pointer import NAME_LENGTH
from marquee.releases.store import UnreachableError
from tests.support import s3_server
from tests.support.flaky_proxy import WHOLE, Line, line
from tests.support.full_disk import Disk, disk
from tests.support.paths import ROOT
from tests.support.release_files import damage
from tests.support.tiny_bundle import tiny_parts, write_tiny

PART_BYTES, BLOCK_BYTES = 512, 128
"""The bundles are small, and so are the pieces they go in."""
COMMAND = f"""
import sys, marquee.releases.s3_store as s3_store
from botocore.retries.standard import ExponentialBackoff
ExponentialBackoff.delay_amount = lambda self, context: 0
s3_store.PART_BYTES, s3_store.BLOCK_BYTES = {PART_BYTES}, {BLOCK_BYTES}
from marquee.promotion.releases_command import main
sys.exit(main())"""
RACER = """
import sys
from marquee.releases import versions
from marquee.releases.open_store import open_store
store = open_store(sys.argv[1])
seen = versions.current(store)
print("ready", flush=True)
sys.stdin.readline()
versions.promote(store, sys.argv[2], seen)"""
KEPT = 4
ATTEMPTS = 100
"""Of a command over a line that is cut, before something is wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chaos(Path(folder), chosen.seed) as trouble:
        faults = trouble.rounds(chosen.rounds)
    for fault in faults[:20]:
        print(f"FAULT: {fault}")
    print(f"soak of releases: {chosen.rounds} rounds, {len(faults)} faults")
    return int(bool(faults))


class Service:
    """What a server does with releases, without HTTP."""

    def __init__(self, url: str, home: Path) -> None:
        self._url, self.cache = url, home
        self.restart()

    def restart(self) -> None:
        """As a new process: only what is on the disk is known."""
        self.source = follower.ReleaseFollower(self._url, self.cache)
        self._take(load_first_model(self.source))
        self._watch = ModelReloader(self.source, self._take, poll_s=0)

    def poll(self) -> None:
        asyncio.run(self._watch.poll())

    def _take(self, model: LoadedModel) -> None:
        self.version = model.recommender.model_version[:NAME_LENGTH]

    @property
    def folder(self) -> Path:
        """Of the version that answers."""
        (found,) = self.cache.glob(f"*/{self.version}")
        return found


class Chaos:
    """One store, one service, and what happens to them."""

    def __init__(self, place: Path, small: Disk, wire: Line, seed: int) -> None:
        self._place, self._disk, self._wire = place, small, wire
        self._chance = random.Random(seed)
        self._bucket = s3_server.new_bucket()
        self.url = f"s3://{self._bucket}/models/tiny"
        self.store = open_store(self.url)
        self.pushed: dict[str, Path] = {}
        """Folder of every version that must be there."""
        self.faults: list[str] = []
        for _ in range(2):
            self._promote(self._push())
        self.service = Service(self.url, small.folder)

    def rounds(self, number: int) -> list[str]:
        """Every trouble in turn, the order drawn -> what was wrong."""
        troubles = [self.cut, self.corrupt, self.heal, self.kill, self.race, self.fill, self.away]
        due: list[int] = []
        for n in range(1, number + 1):
            due = due or self._chance.sample(range(len(troubles)), len(troubles))
            said = troubles[due.pop()]()
            self._wire.mend()
            self._settle()
            whole = f"{len(self.pushed)} versions whole, {self.service.version} answers"
            print(f"round {n}: {said}; {'FAULT' if self.faults else whole}", flush=True)
            if self.faults:
                break
        return self.faults

    def cut(self) -> str:
        """Connections that last for a few hundred bytes: push, promote, pull."""
        bundle, before = self._new(), self._wire.cuts
        self._wire.trouble(self._some_bytes)
        self._until(lambda: self._commanded("push", str(bundle), self.url), "push")
        version = self._known(bundle)
        self._until(lambda: self._promoted(version), "promote")
        self._until(lambda: self._looked() == version, "pull")
        return f"{self._wire.cuts - before} connections cut under {version}"

    def corrupt(self) -> str:
        """A byte of the promoted version changes in the store before it has been fetched."""
        version, before = self._push(), self.service.version
        name = self._chance.choice([*PARTS, MANIFEST])
        self._promote(version)
        damage(self.store, f"versions/{version}/{name}", self._place)
        if self._looked() != before:
            self.faults.append(f"{version}: {name} is damaged, and was taken")
        if not any(name in wrong for wrong in bundle_cache.verify(self.store, version)):
            self.faults.append(f"{version}: verify does not name {name}")
        versions.push(self.pushed[version], self.store, repair=True)
        return f"{name} of {version} damaged in the store, refused, mended"

    def heal(self) -> str:
        """A byte of what answers changes on the machine, which starts again."""
        name = self._chance.choice([*PARTS, MANIFEST])
        path = self.service.folder / name
        content = bytearray(path.read_bytes())
        content[self._chance.randrange(len(content))] ^= 1 << self._chance.randrange(8)
        path.write_bytes(content)
        self.service.restart()
        return f"{name} of {self.service.version} damaged in the cache"

    def kill(self) -> str:
        """A process dies in the middle of a transfer."""
        what = self._chance.choice(["push", "pull", "promote"])
        bundle = self._new()
        if what == "push":
            given = [str(bundle), self.url]
        else:
            versions.push(bundle, self.store)
            version = self._known(bundle)
            given = [version, self.url]
        if what == "pull":
            given = [self.url, version, "--cache", str(self.service.folder.parent)]
        self._wire.trouble(self._some_bytes, silent=True)
        process = self._python(COMMAND, what, *given)
        while process.poll() is None and not self._wire.ended.wait(0.05):
            pass
        process.kill()
        process.communicate()
        self._wire.mend()
        if what == "push":  # the same again ends it, whatever was there
            versions.push(bundle, self.store)
            self._known(bundle)
        return f"{what} killed (status {process.returncode})"

    def race(self) -> str:
        """Two processes promote what they decided on before either had."""
        versions = [self._push(), self._push()]
        racers = [self._python(RACER, self.url, version) for version in versions]
        for racer in racers:
            assert racer.stdout and racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("go\n")
            racer.stdin.flush()
        said = [racer.communicate()[1] for racer in racers]
        won = [v for v, racer in zip(versions, racers, strict=True) if racer.returncode == 0]
        if len(won) != 1 or sum("concurrent promotion" in each for each in said) != 1:
            self.faults.append(f"of two who promote at once {len(won)} won: {said}")
        elif self._current() != won[0]:
            self.faults.append(f"{won[0]} won, but {self._current()} is promoted")
        return f"{won} won of {versions}"

    def fill(self) -> str:
        """The disk is full when a version is to be fetched."""
        before, version = self.service.version, self._push()
        self._promote(version)
        with self._disk.full(self._chance.randrange(3000)):
            if self._looked() != before:
                self.faults.append(f"{version} was taken from a full disk")
            if list(self.service.cache.glob("*/.part-*")) or not self._is_whole():
                self.faults.append("a full disk left half a version, or took a whole one away")
        return f"disk full under {version}"

    def away(self) -> str:
        """The store does not answer at a start."""
        before = self.service.version
        self._wire.trouble(lambda: (0, 0))
        self.service.restart()
        if self.service.version != before or not self.service.source.unavailable:
            self.faults.append(f"{self.service.version} without the store, before it {before}")
        return f"started with {before} without the store"

    def _settle(self) -> None:
        """The trouble is over: what must be so now."""
        pointer = versions.current(self.store)
        assert pointer is not None
        if pointer.previous[0] in self.pushed and self._chance.random() < 0.3:
            pointer = versions.rollback(self.store)
        if self._looked() != pointer.version:
            self.faults.append(f"{pointer.version} is promoted, {self.service.version} answers")
        if not self._is_whole() or bundle_cache.get_good(self.service.folder.parent) is None:
            self.faults.append(f"{self.service.version} answers and is not whole on the disk")
        kept = {pointer.version, *pointer.previous[:1]}
        for gone in versions.prune(self.store, KEPT):
            if gone in kept or self.pushed.pop(gone, None) is None:
                self.faults.append(f"{gone} was pruned")
        self.faults += self._lost()

    def _lost(self) -> list[str]:
        found = {one.version for one in versions.list_versions(self.store)}
        faults = [f"{version} is lost" for version in sorted(set(self.pushed) - found)]
        faults += [f"{version} is there, half" for version in sorted(found - set(self.pushed))]
        for version in found:
            faults += bundle_cache.verify(self.store, version)
        left = boto3.client("s3").list_multipart_uploads(Bucket=self._bucket).get("Uploads", [])
        return faults + [f"an upload of {each['Key']} is left over" for each in left]

    def _is_whole(self) -> bool:
        folder = self.service.folder
        manifest = (self.pushed[folder.name] / MANIFEST).read_bytes()
        return (folder / MANIFEST).read_bytes() == manifest and all(
            (folder / name).read_bytes() == (self.pushed[folder.name] / name).read_bytes()
            for name in PARTS
        )

    def _new(self) -> Path:
        """A bundle that nobody has pushed."""
        folder = self._place / f"bundle-{self._chance.getrandbits(64):x}"
        write_tiny(folder)
        golden = json.loads((folder / "golden.json").read_text())
        parts = tiny_parts()
        manifest = parts["manifest"] | {"name": folder.name}
        manifest["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_bundle(folder, **parts | {"manifest": manifest, "golden": golden})
        return folder

    def _push(self) -> str:
        bundle = self._new()
        versions.push(bundle, self.store)
        return self._known(bundle)

    def _known(self, bundle: Path) -> str:
        """From now on this version must be there."""
        version = str(json.loads((bundle / MANIFEST).read_text())["model_version"])
        self.pushed[version[:NAME_LENGTH]] = bundle
        return version[:NAME_LENGTH]

    def _promote(self, version: str) -> None:
        versions.promote(self.store, version, versions.current(self.store))

    def _promoted(self, version: str) -> bool:
        """False where the line was cut; anything else is somebody's fault."""
        try:
            self._promote(version)
        except UnreachableError:
            return False
        except InputError as error:
            self.faults.append(f"nobody else promotes, but: {error}")
        return True

    def _current(self) -> str:
        pointer = versions.current(self.store)
        return "nothing" if pointer is None else pointer.version

    def _looked(self) -> str:
        """What answers after the service has looked."""
        self.service.poll()
        return self.service.version

    def _until(self, done: Callable[[], bool], what: str) -> None:
        if not any(done() for _ in range(ATTEMPTS)):
            self.faults.append(f"{what} over a line that is cut: no end after {ATTEMPTS} attempts")

    def _some_bytes(self) -> tuple[int, int]:
        """That go out, and that come back, before the end; half of all connections last."""
        few = self._chance.randrange(3000)
        return self._chance.choice([(few, WHOLE), (WHOLE, few), (WHOLE, WHOLE), (WHOLE, WHOLE)])

    def _commanded(self, *given: str) -> bool:
        """Whether it was done; where not, it has to say in one line that the line was cut."""
        process = self._python(COMMAND, *given)
        said = process.communicate()[1].strip()
        if process.returncode and ("\n" in said or not said.startswith("releases: s3://")):
            self.faults.append(f"{given[0]} over a line that is cut: {said[-300:]}")
        return process.returncode == 0

    def _python(self, program: str, *given: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", program, *given],
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )


@contextmanager
def quiet(name: str) -> Iterator[None]:
    log = logging.getLogger(name)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def chaos(place: Path, seed: int) -> Iterator[Chaos]:
    """With small pieces, and without the waits between attempts."""
    with (
        quiet("bentoml.marquee"),  # a refusal is what is wanted here
        patch.object(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", PART_BYTES),
        patch.object(s3_store, "PART_BYTES", PART_BYTES),
        patch.object(s3_store, "BLOCK_BYTES", BLOCK_BYTES),
        patch.object(follower, "RETRY_REFUSED_S", 0.0),
        patch.object(ExponentialBackoff, "delay_amount", lambda self, context: 0),
        s3_server.server() as endpoint,
        quiet("werkzeug"),  # and so is half a request
        line(endpoint) as wire,
        patch.dict(os.environ, AWS_ENDPOINT_URL=wire.address),
        disk(place / "disk") as small,
    ):
        yield Chaos(place, small, wire, seed)


if __name__ == "__main__":
    sys.exit(main())
