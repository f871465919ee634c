"""Renew the generated tables and plots of the documentation.

marquee doc-tables              # README.md, docs/ablations.md, docs/controls.md and its plot
marquee doc-tables ablations    # one of them: readme, ablations or controls
marquee doc-tables --check      # writes nothing; exit status 1 if one differs
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marquee.core.command import REFUSED, ArgumentParser, run_command, say
from marquee.core.files import write_atomic
from marquee.evaluation.doc_tables.ablations import render_ablations
from marquee.evaluation.doc_tables.readme import render_readme
from marquee.evaluation.doc_tables.rerank_tradeoff import plot_controls, render_controls


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document with generated tables."""

    path: Path
    render: Callable[[str, Path], str]
    """Its text and the folder of results -> its text of today."""
    plot: Callable[[Path], str] | None = None
    """The folder of results -> an SVG picture, which stands beside the document."""


DOCUMENTS = {
    "readme": Document(path=Path("README.md"), render=render_readme),
    "ablations": Document(path=Path("docs/ablations.md"), render=render_ablations),
    "controls": Document(path=Path("docs/controls.md"), render=render_controls, plot=plot_controls),
}


def main(args: list[str]) -> int:
    """Renew or check the documents, and return the exit status."""
    return run_command("doc-tables", lambda: _run(args))


def _run(args: list[str]) -> int:
    parser = ArgumentParser(prog="marquee doc-tables", description=__doc__)
    parser.add_argument("name", nargs="?", choices=DOCUMENTS, help="one document; else all")
    parser.add_argument("--check", action="store_true", help="compare; write nothing")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--document", type=Path, help="another path of the one document")
    options = parser.parse_args(args)
    if options.document and not options.name:
        parser.error(
            f"--document {options.document}: no document's name, expected one of "
            f"{', '.join(DOCUMENTS)}"
        )
    names = [options.name] if options.name else list(DOCUMENTS)
    renew = check_document if options.check else write_document
    statuses = [
        renew(DOCUMENTS[name], options.document or DOCUMENTS[name].path, options.results)
        for name in names
    ]
    return max(statuses)


def check_document(document: Document, path: Path, results: Path) -> int:
    """Compare a document and its plot with the results.

    Prints a line for each that differs; returns status 1 if one does.
    """
    differing = [
        file for file, content in _contents(document, path, results) if _read(file) != content
    ]
    for file in differing:
        say(f"{file} differs from {results}; run: marquee doc-tables")
    return REFUSED if differing else 0


def write_document(document: Document, path: Path, results: Path) -> int:
    """Write a document and its plot anew from the results."""
    for file, content in _contents(document, path, results):
        write_atomic(file, content)
    return 0


def _contents(document: Document, path: Path, results: Path) -> list[tuple[Path, str]]:
    contents = [(path, document.render(path.read_text(), results))]
    if document.plot:
        contents.append((path.with_suffix(".svg"), document.plot(results)))
    return contents


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
