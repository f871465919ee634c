"""Load a whole catalog from files into a running service.

    marquee catalog load mine.csv --url http://localhost:3000
    marquee catalog load 'titles/*.parquet' --column movie_id=asset_id --skip synopsis
    marquee catalog load mine.csv --delete-missing

A row is a title. Columns are fields of PUT /movies by their names; titles.de is a title in German;
every other column is an attribute of its name. Lists are separated by "|". An empty cell changes
nothing, with --clear-empty it clears. JSON lines may hold the documents of PUT /movies, in which
null clears. Of two rows with one id the later counts. The key is that of MARQUEE_KEY, or of
--key-file. The same command again is safe, and finishes what was stopped.

Rejected titles are written to a CSV with their reasons; all others are in the catalog. Exit status:
0 done, 2 something that you can mend, more rejected titles than --max-rejected among it, 130
stopped.
"""

import argparse
import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.data.engine.cache import cache_root
from marquee.data.engine.connection import open_connection
from marquee.data.source_tables import explained_errors
from marquee.data.source_tables.paths import files_here
from marquee.online.catalog_load.loader import CatalogLoader
from marquee.online.catalog_load.missing_titles import MissingTitles
from marquee.online.catalog_load.service import PATIENCE_S, Service
from marquee.online.catalog_load.title_file import TitleFile

NAME = "marquee catalog"
URL = "http://127.0.0.1:3000"
MEMORY_LIMIT = "1GB"
REJECTED_COLUMNS = ("file", "line", "movie_id", "code", "message", "title")
NUM_SHOWN = 3


def main(args: list[str]) -> int:
    """Run `marquee catalog load` and return its exit status."""
    return run_command(NAME, lambda: load(_parser().parse_args(args)))


def load(options: argparse.Namespace) -> None:
    """Load the titles of files, and print what became of them."""
    service = Service(options.url, read_key(options.key_file), patience_s=options.wait)
    with scratch_folder() as folder, open_connection(folder, MEMORY_LIMIT) as connection:
        with explained_errors(options.files[0]):
            titles = TitleFile(
                connection, options.files, folder, renamed=renamed_columns(options.column),
                skipped=options.skip, texts=options.text, clears_empty=options.clear_empty,
            )  # fmt: skip
        refuse_overwriting(options.files, options.rejected)
        for note in titles.notes:
            say(note)
        if titles.num_repeated:
            say(f"rows that repeat an id: {titles.num_repeated:,}; the last of each id counts")
        missing = None
        if options.delete_missing:
            missing = find_missing(connection, service, titles, is_forced=options.force)
        load_titles(service, titles, options.rejected, options.max_rejected)
        if missing is not None:
            say(f"{missing.delete():,} titles deleted")


def load_titles(service: Service, titles: TitleFile, rejected: Path, max_rejected: float) -> None:
    """Send all titles; InputError where too many are rejected."""
    loader = CatalogLoader(service)
    try:
        with explained_errors(titles.name):
            loader.load(titles, titles.num_titles)
        titles.source.finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {progress(loader)}") from None
    except InputError as error:
        raise InputError(f"{error}; {progress(loader)}") from error
    finally:
        examples = write_rejected(titles, loader, rejected)
    num_rejected = loader.num_rejected + len(titles.unreadable_lines())
    num_rows = num_rejected + loader.num_accepted
    say(f"{loader.num_accepted:,} of {num_rows:,} titles of {titles.name} are in {service.url}")
    if num_rejected:
        say(f"{num_rejected:,} of {num_rows:,} rows are rejected: see {rejected}")
    if num_rejected > max_rejected * num_rows:
        raise InputError(
            f"{titles.name}: {num_rejected:,} of {num_rows:,} rows are rejected "
            f"({'; '.join(examples)}), expected at most {max_rejected:g} of them; the others are "
            f"in; mend those of {rejected}, or add --max-rejected"
        )


def find_missing(
    connection: duckdb.DuckDBPyConnection, service: Service, titles: TitleFile, *, is_forced: bool
) -> MissingTitles:
    """Return what is to be deleted; InputError for a file that may be wrong or broken."""
    missing = MissingTitles(connection, service)
    counts = f"{missing.num_missing:,} of {missing.num_catalog:,} titles of the catalog"
    say(f"{counts} are not in {titles.name}")
    if not is_forced:
        missing.refuse_above_half(titles.name)
    if titles.unreadable_lines() or titles.num_without_id:
        raise InputError(
            f"{titles.name}: lines whose id cannot be read, expected none with --delete-missing; "
            "mend them"
        )
    return missing


def write_rejected(titles: TitleFile, loader: CatalogLoader, path: Path) -> list[str]:
    """Write rejected rows with file, line and reason; return the first as sentences.

    An older file of the path is removed where nothing is rejected.
    """
    rejected = sorted(loader.rejected, key=lambda reject: reject.row)
    places = titles.source.locate([reject.row for reject in rejected])
    rows = [
        (*place, reject.movie_id, reject.code, reject.message, reject.text)
        for place, reject in zip(places, rejected, strict=True)
    ]
    rows += [
        (file, line, "", "unreadable", reason, raw)
        for file, line, reason, raw in titles.unreadable_lines()
    ]
    if not rows:
        path.unlink(missing_ok=True)
        return []
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(REJECTED_COLUMNS)
        writer.writerows(rows)
    return [f"{file} line {line}: {message}" for file, line, _, _, message, _ in rows[:NUM_SHOWN]]


def refuse_overwriting(files: Sequence[str], rejected: Path) -> None:
    """Raise InputError where the rejected titles would replace a file of titles."""
    if rejected.resolve() in {path.resolve() for file in files for path in files_here(file)}:
        raise InputError(
            f"--rejected {rejected}: a file of titles, expected another path; name one"
        )


def progress(loader: CatalogLoader) -> str:
    """Return a sentence on what a load that ended early has done."""
    if not loader.num_accepted:
        return "no title is in"
    return f"{loader.num_accepted:,} titles are in; the same command loads the rest"


def read_key(file: Path | None) -> str | None:
    """Return the key of a file, else of MARQUEE_KEY; None without."""
    if file is None:
        return os.environ.get("MARQUEE_KEY")
    key = file.read_text("utf-8").strip()
    if not key:
        raise InputError(f"--key-file {file}: empty, expected a key")
    return key


def renamed_columns(texts: Sequence[str]) -> dict[str, str]:
    """Return column by field.

    >>> renamed_columns(["movie_id=item"])
    {'movie_id': 'item'}
    """
    renamed: dict[str, str] = {}
    for text in texts:
        name, sign, column = text.partition("=")
        if not (name and sign and column) or name in renamed:
            raise InputError(
                f"--column {text}: expected FIELD=COLUMN, each field once, such as movie_id=item"
            )
        renamed[name] = column
    return renamed


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder for what does not fit the memory, beside prepared data sets."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".catalog-load-", dir=root) as folder:
        yield Path(folder)


def share(text: str) -> float:
    """Return a share from 0 to 1; ValueError for another number."""
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "load", help="load a whole catalog into a service", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    verb.add_argument("files", nargs="+", metavar="FILE",
                      help="CSV, TSV, JSON lines or Parquet: files, globs, folders, "
                      "s3://BUCKET/KEY")  # fmt: skip
    verb.add_argument("--url", default=os.environ.get("MARQUEE_URL") or URL,
                      help=f"of the service; default: MARQUEE_URL, else {URL}")  # fmt: skip
    verb.add_argument("--key-file", type=Path, metavar="FILE",
                      help="holds the key; default: MARQUEE_KEY has it")  # fmt: skip
    verb.add_argument("--column", action="append", default=[], metavar="FIELD=COLUMN",
                      help="where a field or an attribute has another name; may be "
                      "repeated")  # fmt: skip
    verb.add_argument("--skip", action="append", default=[], metavar="COLUMN",
                      help="a column to leave out; may be repeated")  # fmt: skip
    verb.add_argument("--text", action="append", default=[], metavar="COLUMN",
                      help="an attribute that is text, though it looks like numbers or lists; may "
                      "be repeated")  # fmt: skip
    verb.add_argument("--clear-empty", action="store_true", help="empty cells clear what is there")
    verb.add_argument("--rejected", type=Path, default=Path("rejected-titles.csv"), metavar="FILE",
                      help="takes the rejected titles; default: rejected-titles.csv")  # fmt: skip
    verb.add_argument("--max-rejected", type=share, default=0.0, metavar="SHARE",
                      help="the share of rows that may be rejected; above it the exit status is 2, "
                      "and nothing is deleted; default 0")  # fmt: skip
    verb.add_argument("--delete-missing", action="store_true",
                      help="delete the titles of the catalog that the files do not "
                      "hold")  # fmt: skip
    verb.add_argument("--force", action="store_true",
                      help="with --delete-missing: also where the files hold less than half of "
                      "the catalog")  # fmt: skip
    verb.add_argument("--wait", type=float, default=PATIENCE_S, metavar="SECONDS",
                      help="how long to wait for a service that is away or busy; default "
                      f"{PATIENCE_S:g}")  # fmt: skip
    return parser
