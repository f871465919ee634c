"""Create or update the tables of an event store; no service has to stop.

    marquee events migrate --events postgresql://marquee:PASSWORD@db.example/marquee
    marquee events migrate --events … --contract      # once no service of an older version runs

The first command expands an older store, as each service does that starts, and fills the new
column of every row. It can be stopped, and goes on when it is run again. The second one does so,
too, and then drops the column that only older services need. After that they fail.
"""

import argparse

from marquee.core.command import ArgumentParser, run_command, say
from marquee.feedback import backfill
from marquee.feedback.database import Database
from marquee.feedback.migrate import is_expanded

NAME = "marquee events"
ROWS_PER_REPORT = 500_000


def main(args: list[str]) -> int:
    """Run `marquee events migrate` and return its exit status."""
    interrupted = "stopped; the same command goes on where it was"
    return run_command(NAME, lambda: run(args), interrupted=interrupted)


def run(args: list[str]) -> None:
    parser = ArgumentParser(
        prog=NAME, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("migrate", help="create or update the tables of an event store")
    verb.add_argument("--events", required=True, help="sqlite:///FILE or postgresql://…")
    verb.add_argument(
        "--contract", action="store_true", help="drop what only services of older versions need"
    )
    options = parser.parse_args(args)
    migrate_store(options.events, contract=options.contract)


def migrate_store(url: str, *, contract: bool) -> None:
    """Bring a store's tables up to date, and print a line for each step."""
    database = Database(url)
    try:
        if _is_expanded(database):
            num_rows = backfill.fill(database, _report())
            say(f"{num_rows:,} rows filled: every row has its movie_key")
            if contract:
                backfill.contract(database)
        if _is_expanded(database):
            say(f"{database.address}: services of older versions may run beside this one; once")
            say(f"none does: marquee events migrate --contract --events {database.address}")
        else:
            say(f"{database.address}: up to date; services of older versions are refused")
    finally:
        database.close()


def _is_expanded(database: Database) -> bool:
    with database.read() as connection:
        return is_expanded(connection)


def _report() -> backfill.Progress:
    """Return a function that prints a line for every ROWS_PER_REPORT rows."""
    reported = dict.fromkeys(backfill.KEYS, 0)

    def report(table: str, num_rows: int) -> None:
        if num_rows - reported[table] >= ROWS_PER_REPORT:
            reported[table] = num_rows
            say(f"{table}: {num_rows:,} rows filled")

    return report
