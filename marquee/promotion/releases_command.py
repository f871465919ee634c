"""Releases on the command line; STORE is s3://bucket/prefix or a folder.

    marquee releases push bundles/ml-1m s3://movies/models/ml-1m
    marquee releases list s3://movies/models/ml-1m
    marquee releases promote 46ce893d s3://movies/models/ml-1m --data ml-1m
    marquee releases rollback s3://movies/models/ml-1m

Exit status: 0 done; 1 the gate refuses, or `verify` finds damage; 2 an error that you can mend.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from marquee.core.command import REFUSED, ArgumentParser, fail, run_command, say
from marquee.core.errors import InputError
from marquee.promotion import gate
from marquee.promotion.gate_limits import Limits, Refused
from marquee.recommender.bundle import read_bundle
from marquee.releases import bundle_cache, versions
from marquee.releases.open_store import open_store
from marquee.releases.pointer import POINTER, Pointer
from marquee.releases.store import Store, UnreachableError
from marquee.training.model_card import model_card, results_of

NAME = "marquee releases"
NO_VERSIONS = "{0}: no version yet; marquee releases push BUNDLE {0}"
Verb = Callable[[Store, argparse.Namespace], int]


def main(args: list[str] | None = None) -> int:
    """Run one of push, list, promote, rollback, pull, verify and prune."""
    args = sys.argv[1:] if args is None else args
    return run_command(
        NAME, lambda: run(args), interrupted="stopped; the same command resumes where it was"
    )


def run(args: list[str]) -> int:
    options = _parser().parse_args(args)
    store = open_store(
        options.store, allow_unconditional=options.allow_unconditional, show_progress=True
    )
    verb: Verb = options.verb
    try:
        return verb(store, options)
    except Refused as error:
        return fail(NAME, str(error), REFUSED)


def push(store: Store, options: argparse.Namespace) -> int:
    manifest = read_bundle(options.bundle).manifest
    if options.results and not Path(options.results).is_dir():
        raise InputError(f"--results {options.results}: no such folder, expected results/*.json")
    card = model_card(
        manifest["name"],
        results_of(manifest, options.results or "results"),
        manifest=manifest,
        released=datetime.now(UTC),
    )
    version, is_new = versions.push(options.bundle, store, card, repair=options.repair)
    state = "pushed" if is_new else "sent again" if options.repair else "is there already"
    say(f"{version} {state}: {store.url}")
    return 0


def list_(store: Store, options: argparse.Namespace) -> int:
    pointer = versions.current(store)
    places = {} if pointer is None else {pointer.version: "current"}
    for steps_back, version in enumerate(pointer.previous if pointer else (), start=1):
        places.setdefault(version, f"{steps_back} back")
    releases = versions.list_versions(store)
    if not releases:
        say(NO_VERSIONS.format(store.url))
    for release in releases:
        at = datetime.fromtimestamp(release.pushed, UTC).isoformat(timespec="seconds")
        place = places.get(release.version, "")
        say(f"{release.version}  {at}  {release.size / 1e6:8.1f} MB  {place}")
    return 0


def promote(store: Store, options: argparse.Namespace) -> int:
    previous_pointer = versions.current(store)
    limits = Limits(max_mb=options.max_mb, max_age_days=options.max_age_days)
    try:
        for sentence in gate.examine(store, options.version, options.data, limits):
            say(f"gate: {sentence}")
    except Refused as error:
        if not options.force:
            raise
        print(f"gate: overruled: {error}", file=sys.stderr)
    pointer = versions.promote(store, options.version, previous_pointer)
    if pointer == previous_pointer:
        say(f"{pointer.version} serves already")
    else:
        _say_promoted(pointer, previous_pointer)
    return 0


def rollback(store: Store, options: argparse.Namespace) -> int:
    previous_pointer = versions.current(store)
    if previous_pointer is not None and previous_pointer.previous and not options.force:
        try:
            gate.prove(store, previous_pointer.previous[0])
        except UnreachableError:
            raise
        except InputError as error:
            raise Refused(
                f"{previous_pointer.previous[0]} served before and would be refused: {error}, "
                f"expected one that passes; promote another (marquee releases list {store.url}), "
                "or --force"
            ) from error
    _say_promoted(versions.rollback(store), previous_pointer)
    return 0


def pull(store: Store, options: argparse.Namespace) -> int:
    say(str(bundle_cache.pull(store, options.cache, options.version)))
    return 0


def verify(store: Store, options: argparse.Namespace) -> int:
    """Print the faults of every version; REFUSED if there are any."""
    names = [release.version for release in versions.list_versions(store)]
    num_faults = 0
    try:
        pointer = versions.current(store)
        if pointer is not None and pointer.version not in names:
            raise InputError(
                f"{store.url}/{POINTER}: names {pointer.version}, expected a stored version; "
                f"marquee releases rollback {store.url}, or promote"
            )
    except UnreachableError:
        raise
    except InputError as error:
        say(str(error))
        num_faults += 1
    if not names:
        say(NO_VERSIONS.format(store.url))
    for version in names:
        faults = bundle_cache.verify(store, version)
        num_faults += len(faults)
        say(f"{version}  {'; '.join(faults) or 'intact'}")
    return REFUSED if num_faults else 0


def prune(store: Store, options: argparse.Namespace) -> int:
    for version in versions.prune(store, options.keep):
        say(f"{version} deleted")
    return 0


def amount(text: str) -> float:
    """Parse a finite number above 0: nan would let everything pass."""
    if not 0 < (value := float(text)) < inf:
        raise ValueError
    return value


VERBS: dict[str, tuple[Verb, str]] = {
    "push": (push, "bring a bundle to the store"),
    "list": (list_, "list versions, the newest first"),
    "promote": (promote, "make a version the one that serves"),
    "rollback": (rollback, "go back to the version before"),
    "pull": (pull, "fetch and verify a version (default: the current one)"),
    "verify": (verify, "read every byte of every version"),
    "prune": (prune, "delete old versions; current and previous ones stay"),
}


def _say_promoted(pointer: Pointer, previous_pointer: Pointer | None) -> None:
    previous = "nothing" if previous_pointer is None else previous_pointer.version
    say(f"{pointer.version} promoted (before: {previous})")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = parser.add_subparsers(required=True, metavar="VERB")
    verbs = {name: subparsers.add_parser(name, help=help_) for name, (_, help_) in VERBS.items()}
    verbs["push"].add_argument("bundle", metavar="BUNDLE")
    verbs["promote"].add_argument("version", metavar="VERSION")
    for name, verb in verbs.items():
        verb.set_defaults(verb=VERBS[name][0])
        verb.add_argument("store", metavar="STORE")
        verb.add_argument(
            "--allow-unconditional",
            action="store_true",
            help="also a server without conditional writes: safe only for one promotion at a time",
        )
    verbs["push"].add_argument("--repair", action="store_true", help="send every file again")
    verbs["push"].add_argument(
        "--results", metavar="FOLDER", help="metrics for its model card (default: results)"
    )
    verbs["promote"].add_argument(
        "--data", metavar="NAME", help="compare with the current version on this test part"
    )
    for name, value in vars(Limits()).items():
        flag = f"--{name.replace('_', '-')}"
        verbs["promote"].add_argument(flag, type=amount, default=value, metavar="N")
    for name in ("promote", "rollback"):
        verbs[name].add_argument("--force", action="store_true", help="whatever the gate says")
    verbs["pull"].add_argument("version", nargs="?", metavar="VERSION")
    verbs["pull"].add_argument("--cache", required=True, metavar="FOLDER")
    verbs["prune"].add_argument("--keep", type=int, required=True, metavar="N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
