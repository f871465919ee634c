"""Findings of a data set as a report: HTML to read, Markdown to keep, JSON to check.

    marquee findings ml-latest-small --out reports/ml-latest-small     # 5 s
    marquee findings ml-1m --bundle bundles/ml-1m                      # with what the model knows

Writes findings.html, findings.md and findings.json, all or none; the same data gives the same
bytes. Exit status: 0 written, 2 not understood, 130 stopped.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.interactions import build_histories
from marquee.insights.model_view import ties_of, view_of
from marquee.insights.render.html import page
from marquee.insights.render.markdown import markdown
from marquee.insights.report import Report, make_report


def main(given: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(given)
    try:
        dataset = load_dataset(asked.data, asked.root)
        ties = {} if asked.bundle is None else ties_of(asked.bundle, dataset)
        histories = build_histories(dataset, **ties)
        view = None
        if asked.bundle is not None:
            view = view_of(dataset, histories, asked.bundle, asked.seed)
        report = make_report(dataset, histories, view, asked.seed)
        written = write(report, asked.out or Path("reports") / asked.data)
    except InputError as error:
        print(f"insights: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("insights: stopped; nothing was written.", file=sys.stderr)
        return 130
    for finding in report.findings:
        print(f"{'  ' if finding.told else '? '}{finding.title}")
    print(f"Written: {', '.join(str(path) for path in written)}")
    return 0


def write(report: Report, folder: Path) -> list[Path]:
    """The three files, each put in place when all are whole."""
    content = {
        "findings.html": page(report),
        "findings.md": markdown(report),
        "findings.json": json.dumps(report.to_json(), indent=1, sort_keys=True) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".findings-", dir=folder) as workshop:
            for name, text in content.items():
                (Path(workshop) / name).write_text(text, encoding="utf-8", newline="\n")
            for name in content:
                (Path(workshop) / name).replace(folder / name)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}); give another with --out."
        ) from error
    return [folder / name for name in content]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="insights", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", help="a data set, e.g. ml-1m")
    parser.add_argument("--root", help="the folder that holds it; default: DATA_ROOT, else data")
    parser.add_argument("--bundle", type=Path, help="a bundle trained on it; default: none")
    parser.add_argument("--out", type=Path, help="default: reports/DATA")
    parser.add_argument("--seed", type=_seed, default=0, help="of the draws; default: 0")
    return parser


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no seed; give a whole number from 0 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
