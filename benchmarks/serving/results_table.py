"""Turn the runs of bench_serving.py into rows: medians over rounds, ratios round by round."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.report import Row, row

Run = dict[str, Any]
Runs = dict[str, list[Run]]

PARTS = ("encoder", "items", "top_k", "stars")
"""Of a list, beside the no-op endpoint; list_parts.py describes them."""
REQUESTS = {
    "history": "/recommend, k = 10, history of 50 movies",
    "known": "/recommend, k = 10, a cached user",
    "large": "/recommend, k = 10, history of 50 movies, 62,423 movies",
}
PROGRAMS = {
    "ours": "the service",
    "large": "the service",
    "noop": "a no-op BentoML endpoint, same body and answer",
    "parts": "the no-op with the four parts of a list",
    "largeparts": "the no-op with the four parts of a list",
    "fastapi": "a no-op FastAPI endpoint, same body and answer",
}
PROGRAMS |= {
    large + part: f"the no-op with one part of a list, {part}"
    for large in ("", "large")
    for part in PARTS
}


def table(runs: Runs) -> list[Row]:
    rows = [*_requests(runs), *_parts(runs), *_ratios(runs), *_starts(runs), *_memory(runs)]
    return rows + _growth(runs)


def _requests(runs: Runs) -> list[Row]:
    rows = []
    for name in (name for name in runs if name.endswith(("-8", "-1")) and "growth" not in name):
        program, kind, clients = name.split("-")
        what = f"{PROGRAMS[program]}; {REQUESTS[kind]}; {clients} client{'s' * (clients != '1')}"
        units = {"cpu_us": "CPU us", "p50_ms": "ms", "p99_ms": "ms", "rate": "requests/s"}
        for key, unit in units.items():
            rows.append(row(f"{name}-{key.split('_')[0]}", what, _of(runs[name], key), unit))
    each = [run["cpu_us"] / run["users"] for run in runs["ours-batch"]]
    return [*rows, row("ours-batch-cpu", "/recommend_batch of 256, a user", each, "CPU us")]


def _parts(runs: Runs) -> list[Row]:
    rows = []
    whats = {
        "encoder": "one run of the encoder, 50 movies, alone",
        "items": "one pass of the item matrix, alone",
        "top_k": "one selection of the ten best, alone",
        "stars": "stars of the ten, the short-list head, alone",
        "in_turn": "the four parts in turn, user after user",
        "whole": "Recommender.recommend, in process",
    }
    for name in ("ours", "large"):
        for part, what in whats.items():
            values = _of(runs[f"{name}-parts"], part)
            rows.append(row(f"{name}-part-{part.replace('_', '-')}", what, values, "CPU us"))
    return rows


def _ratios(runs: Runs) -> list[Row]:
    rows = []
    for name, kind in (("ours", "history"), ("large", "large")):
        for key, parts, how in (
            ("parts", PARTS, "each alone"),
            ("in-turn", ("in_turn",), "in turn"),
        ):
            what = f"CPU of {REQUESTS[kind]} / (the no-op + encoder, items, top k, stars, {how})"
            ratios = _pairs(
                lambda run, noop, part, parts=parts: (
                    run["cpu_us"] / (noop["cpu_us"] + sum(part[each] for each in parts))
                ),
                *(runs[f"{name}-{kind}-8"], runs[f"noop-{kind}-8"], runs[f"{name}-parts"]),
            )
            rows.append(row(f"{name}-{key}-ratio", what, ratios, "x"))
        large = "large" * (name == "large")
        what = f"CPU of {REQUESTS[kind]} / (the no-op + what each part adds to it, one at a time)"
        ratios = _pairs(
            lambda run, noop, *alone: (
                run["cpu_us"]
                / (noop["cpu_us"] + sum(part["cpu_us"] - noop["cpu_us"] for part in alone))
            ),
            *(runs[f"{name}-{kind}-8"], runs[f"noop-{kind}-8"]),
            *(runs[f"{large}{part}-{kind}-8"] for part in PARTS),
        )
        rows.append(row(f"{name}-served-parts-ratio", what, ratios, "x"))
        what = f"CPU of {REQUESTS[kind]} / that of the no-op with the four parts in it"
        pair = runs[f"{name}-{kind}-8"], runs[f"{large}parts-{kind}-8"]
        ratios = _pairs(lambda run, parts: run["cpu_us"] / parts["cpu_us"], *pair)
        rows.append(row(f"{name}-together-ratio", what, ratios, "x"))
    for kind in ("known", "history"):
        for key in ("cpu_us", "p99_ms"):
            what = f"{key.split('_')[0]} of {REQUESTS[kind]}, 8 clients / the no-op's"
            pair = runs[f"ours-{kind}-8"], runs[f"noop-{kind}-8"]
            ratios = _pairs(lambda run, noop, key=key: run[key] / noop[key], *pair)
            rows.append(row(f"{kind}-{key.split('_')[0]}-ratio", what, ratios, "x"))
    what = "users a CPU second of /recommend_batch of 256 / of /recommend, histories of 50"
    pair = runs["ours-history-8"], runs["ours-batch"]
    ratios = _pairs(lambda one, batch: one["cpu_us"] * batch["users"] / batch["cpu_us"], *pair)
    return [*rows, row("batch-ratio", what, ratios, "x")]


def _starts(runs: Runs) -> list[Row]:
    rows = []
    for key, unit in (("ready_s", "s"), ("cpu_s", "CPU s")):
        for name in ("ours", "large", "noop", "fastapi"):
            what = f"{PROGRAMS[name]}: process start to the first 200 of /readyz"
            values = _of(runs[f"{name}-start"], key)
            rows.append(row(f"{name}-{key.replace('_s', '')}-start", what, values, unit))
            if name in ("ours", "large"):
                pair = runs[f"{name}-start"], runs["noop-start"]
                ratios = _pairs(lambda run, noop, key=key: run[key] / noop[key], *pair)
                what = f"{key} of the start / the no-op's"
                rows.append(row(f"{name}-{key.replace('_s', '')}-start-ratio", what, ratios, "x"))
    return rows


def _memory(runs: Runs) -> list[Row]:
    rows = []
    for name, rounds in runs.items():
        if name.endswith("-memory"):
            what = f"{PROGRAMS[name.split('-')[0]]}: memory of the worker after the rounds"
            rows.append(row(name, what, _of(rounds, "memory_mb"), "MB"))
    for name in ("ours", "large"):
        arrays = runs[f"{name}-arrays"][0]["memory_mb"]
        rows.append(row(f"{name}-arrays", "the bundle's arrays", [arrays], "MB"))
        noop = runs["noop-memory"][0]["memory_mb"]
        over = runs[f"{name}-memory"][0]["memory_mb"] - noop - 100 - 2 * arrays
        what = (
            "memory above the no-op's + 100 MB + twice the bundle's arrays (the limit: 0 or less)"
        )
        rows.append(row(f"{name}-memory-over", what, [over], "MB"))
    for name, rounds in runs.items():
        if name.startswith("ours-after-"):
            what = (
                f"memory of a fresh worker after {rounds[0]['requests']:,} requests, one in ten new"
            )
            rows.append(row(name, what, _of(rounds, "memory_mb"), "MB"))
    return rows


def _growth(runs: Runs) -> list[Row]:
    rows = []
    for name, rounds in runs.items():
        if name.startswith("growth-"):
            _, kind, at = name.split("-")
            size = f"{int(at):,} movies" if kind == "movies" else f"history of {int(at):,}"
            for part in ("whole", *PARTS):
                what = f"in process, {size}: {'one list' if part == 'whole' else part}"
                rows.append(row(f"{name}-{part}", what, _of(rounds, part), "CPU us"))
    return rows


def _of(runs: Sequence[Run], key: str) -> list[float]:
    return [run[key] for run in runs]


def _pairs(ratio: Callable[..., float], *runs: Sequence[Run]) -> list[float]:
    """Return the ratio of each round."""
    return [ratio(*each) for each in zip(*runs, strict=True)]
