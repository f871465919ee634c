"""Put a bundle that a run has logged into Comet's model registry.

marquee register --bundle bundles/ml-1m --version 1.0.0 --status Production
"""

import argparse
from pathlib import Path

from marquee.core.command import ArgumentParser, run_command, say
from marquee.recommender.bundle import read_bundle
from marquee.training import comet

NAME = "marquee register"


def main(args: list[str]) -> int:
    """Run `marquee register` and return its exit status."""
    return run_command(NAME, lambda: register(build_parser().parse_args(args)))


def build_parser() -> ArgumentParser:
    """Return the parser of the command."""
    parser = ArgumentParser(NAME, description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="a bundle that fit wrote")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--version", help="X.Y.Z; else Comet counts on from the last one")
    parser.add_argument("--status", help="a stage of the registry: Production, …")
    return parser


def register(options: argparse.Namespace) -> None:
    """Register the model of a bundle; InputError if no run has logged it."""
    manifest = read_bundle(options.bundle).manifest
    comet.register(manifest, options.runs, options.version, options.status)
    version = manifest["model_version"][:12]
    say(f"{manifest['name']} {version} is in Comet's model registry")
