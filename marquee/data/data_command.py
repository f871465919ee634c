"""Data sets of one's own: add, show, list.

    marquee data add mine --interactions plays.parquet --user account_id --item asset_id \\
        --time started_at --items titles.csv --title name --genres "genres:;"
    marquee data add mine --from mine.yaml    # the same options, in a file
    marquee data show mine                    # what was found; --json: profile.json
    marquee data list

`add` reads and checks everything, prepares the tables in DATA_CACHE, and then writes
DATA_ROOT/NAME/dataset.yaml: all or nothing. It reads about a million rows a second. MovieLens data
sets need no options: `marquee data add ml-1m`. Exit status: 0 done, 2 bad options or data, 130
stopped.
"""

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.data.data_report import data_table, profile_lines
from marquee.data.dataset import SPEC_FILE, cached_folder
from marquee.data.engine import cache
from marquee.data.engine.profile import PROFILE
from marquee.data.movielens.download import data_root
from marquee.data.movielens.presets import PRESETS
from marquee.data.prepare import prepare_locked, request_of
from marquee.data.spec import OPTIONS, DatasetSpec, option_of
from marquee.data.spec_file import as_read_from, public_spec, read_spec, spec_of, write_spec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STOPPED = "stopped; nothing was written"


def main(args: list[str]) -> int:
    """Run `add`, `show` or `list`; return an exit status."""
    return run_command("data", lambda: run(args), interrupted=STOPPED)


def run(args: list[str]) -> None:
    options = _parser().parse_args(args)
    if options.action == "add":
        add(options.name, options.root, options.source, _settings(options), options.replace)
    elif options.action == "show":
        show(options.name, options.root, options.json)
    else:
        say(data_table(data_root(options.root)))


def add(
    name: str,
    root: str | None,
    source: Path | None,
    settings: dict[str, Any],
    is_replaced: bool = False,
) -> None:
    """Prepare a data set and write its dataset.yaml; print what was found.

    source: a file of options, which `settings`, options by name, override. Without both, `name`
    is a MovieLens data set, downloaded if it is missing. Raises InputError, one sentence.
    """
    _check_name(name)
    if source is None and not settings:
        say(f"reading {name}")
        return _say_result(name, cached_folder(name, root))
    folder = data_root(root) / name
    _check_place(name, folder, is_replaced)
    spec = as_read_from(_spec(source, settings), folder)
    shown = public_spec(spec).interactions
    say(f"reading {shown[0]}" + (f" and {len(shown) - 1} more" if len(shown) > 1 else ""))
    with cache.locked(name):
        _check_place(name, folder, is_replaced)  # of another process, meanwhile
        prepared = prepare_locked(request_of(name, spec, folder), spec, None)
        _write(spec, folder)
    _say_result(name, prepared.folder)
    if public_spec(spec) != spec:
        say(f"{folder / SPEC_FILE} holds no password: PGPASSWORD or ~/.pgpass has it next time")


def show(name: str, root: str | None, is_json: bool) -> None:
    """Print the profile of a data set, prepared first if it is not."""
    folder = cached_folder(name, root)
    if is_json:
        say((folder / PROFILE).read_text("utf-8").rstrip("\n"))
    else:
        say("\n".join(profile_lines(folder)))


def _spec(source: Path | None, settings: dict[str, Any]) -> DatasetSpec:
    """Return the options of the file, those of the command line in their place."""
    if source is None:
        return spec_of(settings)
    spec = read_spec(source)
    if not settings:
        return spec
    named = spec_of({"interactions": list(spec.interactions), "kind": spec.kind,
                     "items": list(spec.items), "users": list(spec.users)} | settings)  # fmt: skip
    fields = {name for name in OPTIONS if option_of(name).removeprefix("--") in settings}
    return replace(spec, **{name: getattr(named, name) for name in fields})


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(
            f"data set {name!r}: not a name, expected at most 100 letters, digits, dots, dashes "
            "and underscores, the first a letter or digit"
        )


def _check_place(name: str, folder: Path, is_replaced: bool) -> None:
    """Refuse a name that is taken, and a folder that cannot be written, before hours of reading."""
    if name in PRESETS:
        raise InputError(
            f"data set {name!r}: the name of a MovieLens data set, expected another; or leave the "
            "options out to get that one"
        )
    if (folder / SPEC_FILE).exists() and not is_replaced:
        raise InputError(
            f"data set {name!r}: {folder / SPEC_FILE} exists, expected a new name; add --replace "
            "to make it anew"
        )
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(
            f"{there}: not writable, expected a folder that is; point DATA_ROOT (--root) to another"
        )


def _write(spec: DatasetSpec, folder: Path) -> None:
    try:
        write_spec(spec, folder / SPEC_FILE)
    except OSError as error:
        raise InputError(
            f"{folder / SPEC_FILE}: not written ({error.strerror or error}), expected a writable "
            "folder with space; free some, or point DATA_ROOT (--root) to another"
        ) from error


def _say_result(name: str, folder: Path) -> None:
    say("\n".join(profile_lines(folder)))
    say(f"next: make train DATA={name}")


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the command line by name, only those that are given."""
    values = {name: getattr(options, name) for name in OPTIONS}
    return {
        option_of(name).removeprefix("--"): value
        for name, value in values.items()
        if value not in (None, False, [])
    }


def _parser() -> ArgumentParser:
    summary = (__doc__ or "").split("\n")[0]
    parser = ArgumentParser(prog="marquee data", description=summary)
    actions = parser.add_subparsers(dest="action", required=True, metavar="add | show | list")
    adding = actions.add_parser("add", help="read, check and keep a data set", allow_abbrev=False)
    adding.add_argument("name", help="letters, digits, dots, dashes; or a MovieLens data set")
    adding.add_argument("--from", dest="source", type=Path, metavar="FILE.yaml",
                        help="a file of these options; options given beside it count")  # fmt: skip
    adding.add_argument("--replace", action="store_true", help="if the name exists, make it anew")
    for name, field in OPTIONS.items():
        text = field.metadata["help"].replace("%", "%%")
        arguments: dict[str, Any] = {"dest": name, "help": text, "default": None}
        if isinstance(field.default, bool):
            arguments["action"] = "store_true"
        else:
            arguments["metavar"] = field.metadata["metavar"]
        if isinstance(field.default, tuple):
            arguments |= {"nargs": "+", "action": "extend"}
        adding.add_argument(option_of(name), **arguments)
    showing = actions.add_parser("show", help="print what a data set holds", allow_abbrev=False)
    showing.add_argument("name")
    showing.add_argument("--json", action="store_true", help="profile.json as it is")
    listing = actions.add_parser("list", help="print all data sets", allow_abbrev=False)
    for action in (adding, showing, listing):
        action.add_argument("--root", help="the folder of all data sets; default: DATA_ROOT, data")
    return parser
