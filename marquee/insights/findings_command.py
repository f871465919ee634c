"""Findings of a data set as a report: HTML to read, Markdown to keep, JSON to check.

    marquee findings ml-latest-small --out reports/ml-latest-small     # 5 s
    marquee findings ml-1m --bundle bundles/ml-1m                      # with the model's findings

Writes findings.html, findings.md and findings.json, all or none. The same data gives the same
bytes. Exit status: 0 written, 2 bad arguments or data, 130 stopped.
"""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.core.files import atomic_path
from marquee.data.dataset import load_dataset
from marquee.data.history_order import build_histories
from marquee.insights.model_view import histories_as_trained, load_bundle, view_of
from marquee.insights.render.documents import html, markdown
from marquee.insights.report import Report, make_report


def main(args: list[str]) -> int:
    """Write the report of one data set; return an exit status."""
    return run_command("findings", lambda: run(args), interrupted="stopped; nothing was written")


def run(args: list[str]) -> None:
    """Read the data and the bundle, write the three files, and list the titles."""
    options = _parser().parse_args(args)
    dataset = load_dataset(options.data, options.root)
    view = None
    if options.bundle is None:
        histories = build_histories(dataset)
    else:
        model = load_bundle(options.bundle, dataset)
        histories = histories_as_trained(dataset, model)
        view = view_of(dataset, histories, model, options.seed)
    report = make_report(dataset, histories, view, options.seed)
    paths = write(report, options.out or Path("reports") / options.data)
    for finding in report.findings:
        say(f"{'  ' if finding.available else '? '}{finding.title}")
    say(f"written: {', '.join(map(str, paths))}")


def write(report: Report, folder: Path) -> list[Path]:
    """Write the three files, each moved into place when all are complete."""
    content = {
        "findings.html": html(report),
        "findings.md": markdown(report),
        "findings.json": json.dumps(report.to_json(), indent=1, sort_keys=True) + "\n",
    }
    try:
        with ExitStack() as stack:
            for name, text in content.items():
                part = stack.enter_context(atomic_path(folder / name))
                part.write_bytes(text.encode())
    except OSError as error:
        raise InputError(
            f"{folder}: not writable ({error.strerror or error}), expected a folder that is; "
            "choose another with --out"
        ) from error
    return [folder / name for name in content]


def _parser() -> ArgumentParser:
    summary = (__doc__ or "").split("\n")[0]
    parser = ArgumentParser(prog="marquee findings", description=summary)
    parser.add_argument("data", help="a data set, e.g. ml-1m")
    parser.add_argument("--root", help="the folder that holds it; default: DATA_ROOT, else data")
    parser.add_argument("--bundle", type=Path, help="a bundle trained on it; default: none")
    parser.add_argument("--out", type=Path, help="default: reports/DATA")
    parser.add_argument("--seed", type=_seed, default=0, help="of the resamples; default: 0")
    return parser


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no seed, expected a whole number from 0 on")
    return int(text)
