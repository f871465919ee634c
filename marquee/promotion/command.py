"""Releases on the command line; STORE is s3://bucket/prefix or a folder.

    marquee releases push bundles/ml-1m s3://movies/models/ml-1m
    marquee releases list s3://movies/models/ml-1m
    marquee releases promote 46ce893d s3://movies/models/ml-1m --data ml-1m
    marquee releases rollback s3://movies/models/ml-1m

Exit status: 0 done, 1 refused or something is wrong in the store, 2 not understood.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from tqdm import tqdm

from marquee.core.errors import InputError
from marquee.promotion import gate
from marquee.promotion.release_card import model_card, results_of
from marquee.recommender.bundle import read_bundle
from marquee.releases import cache, versions
from marquee.releases.pointer import POINTER
from marquee.releases.store import Store, Told, UnreachableError, open_store

EMPTY = "{0}: no version yet; marquee releases push BUNDLE {0}"


def main(given: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(given)
    try:
        store = open_store(asked.store, allow_unconditional=asked.allow_unconditional)
        return int(asked.do(store, asked))
    except InputError as error:
        print(f"releases: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("releases: stopped; the same command goes on where it was", file=sys.stderr)
        return 130


def push(store: Store, asked: argparse.Namespace) -> int:
    manifest = read_bundle(asked.bundle).manifest
    if asked.results and not Path(asked.results).is_dir():
        raise InputError(f"--results {asked.results}: no such folder; needed results/*.json")
    card = model_card(manifest, results_of(manifest, asked.results or "results"))
    version, new = versions.push(
        asked.bundle, store, card, repair=asked.repair, progress=_bar("push")
    )
    done = "pushed" if new else "sent again" if asked.repair else "is there already"
    print(f"{version} {done}: {store.url}")
    return 0


def list_(store: Store, asked: argparse.Namespace) -> int:
    pointer = versions.current(store)
    places = {} if pointer is None else {pointer.version: "current"}
    for back, version in enumerate(pointer.previous if pointer else (), start=1):
        places.setdefault(version, f"{back} back")
    found = versions.releases(store)
    if not found:
        print(EMPTY.format(store.url))
    for one in found:
        at = datetime.fromtimestamp(one.pushed, UTC).isoformat(timespec="seconds")
        print(f"{one.version}  {at}  {one.size / 1e6:8.1f} MB  {places.get(one.version, '')}")
    return 0


def promote(store: Store, asked: argparse.Namespace) -> int:
    before = versions.current(store)
    limits = gate.Limits(asked.max_mb, asked.max_age_days)
    try:
        for sentence in gate.examine(store, asked.version, asked.data, limits):
            print(f"gate: {sentence}")
    except gate.Refused as error:
        if not asked.force:
            raise
        print(f"gate: overruled: {error}", file=sys.stderr)
    pointer = versions.promote(store, asked.version, before)
    if before is not None and pointer.version == before.version:
        print(f"{pointer.version} serves already")
    else:
        print(f"{pointer.version} promoted (before: {before.version if before else 'nothing'})")
    return 0


def rollback(store: Store, asked: argparse.Namespace) -> int:
    before = versions.current(store)
    if before is not None and before.previous and not asked.force:
        try:
            gate.prove(store, before.previous[0])
        except UnreachableError:
            raise
        except InputError as error:
            raise InputError(
                f"{before.previous[0]} was before and would be refused: {error}; promote another "
                f"(marquee releases list {store.url}), or --force"
            ) from error
    pointer = versions.rollback(store)
    print(f"{pointer.version} promoted (before: {before.version if before else 'nothing'})")
    return 0


def pull(store: Store, asked: argparse.Namespace) -> int:
    print(cache.pull(store, asked.cache, asked.version, _bar("pull")))
    return 0


def verify(store: Store, asked: argparse.Namespace) -> int:
    version_ids = [one.version for one in versions.releases(store)]
    faults = 0
    try:
        pointer = versions.current(store)
        if pointer is not None and pointer.version not in version_ids:
            raise InputError(
                f"{store.url}/{POINTER}: names {pointer.version}, which is not there; "
                f"marquee releases rollback {store.url}, or promote"
            )
    except UnreachableError:
        raise
    except InputError as error:
        print(error)
        faults += 1
    if not version_ids:
        print(EMPTY.format(store.url))
    for version in version_ids:
        wrong = cache.verify(store, version)
        faults += len(wrong)
        print(f"{version}  {'; '.join(wrong) or 'whole'}")
    return int(faults > 0)


def prune(store: Store, asked: argparse.Namespace) -> int:
    for version in versions.prune(store, asked.keep):
        print(f"{version} deleted")
    return 0


def amount(text: str) -> float:
    """nan would let everything pass."""
    if not 0 < (found := float(text)) < inf:
        raise ValueError
    return found


def _bar(what: str) -> versions.Progress:
    """A bar a file, where somebody looks."""

    def shown(name: str, size: int) -> Told:
        bar = tqdm(total=size, desc=f"{what} {name}", unit="B", unit_scale=True, disable=None)

        def told(taken: int) -> None:
            bar.update(taken)
            if bar.n >= size:
                bar.close()

        return told

    return shown


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="marquee releases",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: object, does: str, *first: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=does, description=does)
        for argument in (*first, "store"):
            made.add_argument(argument, metavar=argument.upper())
        made.add_argument(
            "--allow-unconditional",
            action="store_true",
            help="also a server without conditional writes: safe only where one person promotes",
        )
        made.set_defaults(do=do)
        return made

    pushing = command("push", push, "bring a bundle to the store", "bundle")
    pushing.add_argument("--repair", action="store_true", help="send every file again")
    pushing.add_argument(
        "--results", metavar="FOLDER", help="figures for its model card (default: results)"
    )
    command("list", list_, "versions, the newest first")
    promoting = command("promote", promote, "make a version the one that serves", "version")
    promoting.add_argument(
        "--data", metavar="NAME", help="compare with the current version on this test part"
    )
    for name, value in vars(gate.Limits()).items():
        flag = f"--{name.replace('_', '-')}"
        promoting.add_argument(flag, type=amount, default=value, metavar="N")
    promoting.add_argument("--force", action="store_true", help="promote whatever the gate says")
    back = command("rollback", rollback, "back to the version before")
    back.add_argument("--force", action="store_true", help="without asking whether it is whole")
    pulling = command("pull", pull, "fetch and verify a version (default: the current one)")
    pulling.add_argument("version", nargs="?", metavar="VERSION")
    pulling.add_argument("--cache", required=True, metavar="FOLDER")
    command("verify", verify, "read every byte of every version")
    pruning = command("prune", prune, "delete old versions; current and previous ones stay")
    pruning.add_argument("--keep", type=int, required=True, metavar="N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
