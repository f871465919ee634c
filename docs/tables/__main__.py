"""Renew the generated tables and plots of the documentation.

python -m docs.tables              # README.md, docs/{evaluation,ablations,controls}.md and a plot
python -m docs.tables ablations    # one of them: readme, evaluation, ablations or controls
python -m docs.tables --check      # writes nothing; exit status 1 if one differs
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from docs.tables.ablations import ablation_tables
from docs.tables.markdown import replace_section
from docs.tables.rerank_tradeoff import controls_tables, plot_controls
from docs.tables.results import headline_table, published_table, results_tables
from marquee.core.command import REFUSED, ArgumentParser, run_command, say
from marquee.core.files import write_atomic

Renderer = Callable[[Path], str]
"""The folder of results -> Markdown, or an SVG picture."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document with generated tables."""

    path: Path
    sections: dict[str, Renderer]
    """By marker: `headline` stands for the text between its two comments."""
    plot: Renderer | None = None
    """A picture that stands beside the document."""

    def contents(self, path: Path, results: Path) -> dict[Path, str]:
        """Return the document at a path, and its plot, as the results have them today.

        Raises InputError if the document lacks a marker.
        """
        page = path.read_text()
        for marker, render in self.sections.items():
            page = replace_section(page, marker, render(results), path)
        pictures = {path.with_suffix(".svg"): self.plot(results)} if self.plot else {}
        return {path: page, **pictures}


DOCUMENTS = {
    "readme": Document(path=Path("README.md"), sections={"headline": headline_table}),
    "evaluation": Document(
        path=Path("docs/evaluation.md"),
        sections={"results": results_tables, "published": published_table},
    ),
    "ablations": Document(path=Path("docs/ablations.md"), sections={"ablations": ablation_tables}),
    "controls": Document(
        path=Path("docs/controls.md"), sections={"controls": controls_tables}, plot=plot_controls
    ),
}


def main(args: list[str]) -> int:
    """Renew or check the documents, and return the exit status."""
    return run_command("docs.tables", lambda: _run(args))


def _run(args: list[str]) -> int:
    parser = ArgumentParser(prog="python -m docs.tables", description=__doc__)
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
    status = 0
    for name in [options.name] if options.name else DOCUMENTS:
        path = options.document or DOCUMENTS[name].path
        for file, content in DOCUMENTS[name].contents(path, options.results).items():
            if not options.check:
                write_atomic(file, content)
            elif not file.is_file() or file.read_text() != content:
                say(f"{file} differs from {options.results}; run: make doc-tables")
                status = REFUSED
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
