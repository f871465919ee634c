"""From the runs of bench_training.py to the rows of results/bench-training.json.

    table(runs)        # runs: {"ncf-classic-16384": [run of round 1, run of round 2, …], …}

A run is what a child printed: `examples`, `cpu` and `wall` seconds, `steps`, `peak` GB, `value`;
some have `bound`, `evaluation`, `encoder` and `head` beside them. A row's value is the median of
its rounds. A row of a program that was left out, or of a comparison with it, is not there.
"""

import statistics
from typing import Any

from benchmarks.report import Row, row

DRAWN_TARGET, NEXT_TARGET = 0.6, 0.05
"""hit_rate@10 among 99 drawn movies, which popularity alone brings to .46; and ndcg@10 among all
unseen movies, which no model here that ignores the order of a history goes beyond."""
NEUMF = {
    "ncf-classic": "recipe ncf-classic-ml-1m at RecBole's sizes",
    "recbole-neumf": "RecBole 1.2.1",
    "cornac-neumf": "Cornac 3.0.1, PyTorch backend",
    "plain-loop": "an item-wise Dataset, a DataLoader, Adam",
}
SIZES = "NeuMF 64 + 64, layers 128 and 64, 4 negatives"
HISTORY = "recipes/ml-1m.yaml: a target at each entry of windows of 200, 128 wide"
SASREC = "RecBole 1.2.1, its defaults: one target after each 50 entries, 64 wide, batch 2048"
CPU, TARGETS = "examples/CPU s", "targets/CPU s"
Run = dict[str, Any]
Runs = dict[str, list[Run]]


def table(runs: Runs) -> list[Row]:
    """Return the rows of results/bench-training.json."""
    best = {name: best_size(runs, name) for name in NEUMF if sizes_of(runs, name)}
    rows = [each for name, size in best.items() for each in speed_rows(runs, name, size)]
    rows += ratio_rows(runs, best) + history_rows(runs)
    rows += bound_rows("ncf-classic", runs[f"ncf-classic-{best['ncf-classic']}"])
    rows += bound_rows("history", runs["history"])
    return rows + evaluation_rows(runs) + target_rows(runs)


def sizes_of(runs: Runs, name: str) -> list[int]:
    """Return the examples a step that a program was run with, ascending."""
    ends = [key.removeprefix(f"{name}-") for key in runs if key.startswith(f"{name}-")]
    return sorted(int(end) for end in ends if end.isdigit())


def best_size(runs: Runs, name: str) -> int:
    def median(size: int) -> float:
        return statistics.median(speeds(runs[f"{name}-{size}"]))

    return max(sizes_of(runs, name), key=median)


def speeds(runs: list[Run], clock: str = "cpu") -> list[float]:
    return [run["examples"] / run[clock] for run in runs]


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Divide pair by pair: the two of a round ran one after the other."""
    return [a / b for a, b in zip(above, below, strict=True)]


def speed_rows(runs: Runs, name: str, best: int) -> list[Row]:
    sizes = sizes_of(runs, name)
    tried = ", ".join(f"{size:,}" for size in sizes)
    what = f"{NEUMF[name]}: {SIZES}, ml-1m, batch {best:,}, the best of {tried}"
    chosen = runs[f"{name}-{best}"]
    rows = [row(name, what, speeds(chosen), CPU), memory_row(name, chosen)]
    for size in sizes:
        what = f"{NEUMF[name]}: batch {size:,}"
        rows.append(row(f"{name}-{size}", what, speeds(runs[f"{name}-{size}"]), CPU))
    return rows


def memory_row(name: str, runs: list[Run]) -> Row:
    what = "most memory held by the process, libraries and data included"
    return row(f"{name}-memory", what, [run["peak"] for run in runs], "GB")


def ratio_rows(runs: Runs, best: dict[str, int]) -> list[Row]:
    """Compare ours with each peer at its best batch, and with RecBole at each."""
    own_runs = speeds(runs[f"ncf-classic-{best['ncf-classic']}"])
    rows = []
    for peer in [name for name in best if name != "ncf-classic"]:
        peer_runs = speeds(runs[f"{peer}-{best[peer]}"])
        name = "ncf-classic-ratio" if peer == "recbole-neumf" else f"{peer}-ratio"
        what = f"ncf-classic / {peer}, each at its best batch, pair by pair"
        rows.append(row(name, what, ratios(own_runs, peer_runs), "x"))
    for size in sizes_of(runs, "ncf-classic"):
        pair = f"ncf-classic-{size}", f"recbole-neumf-{size}"
        if pair[1] in runs:
            values = ratios(*(speeds(runs[each]) for each in pair))
            rows.append(row(f"{pair[0]}-ratio", f"{pair[0]} / {pair[1]}", values, "x"))
    return rows


def history_rows(runs: Runs) -> list[Row]:
    own_runs = runs["history"]
    rows = [
        row("history", HISTORY, speeds(own_runs), TARGETS),
        row("history-wall", HISTORY, speeds(own_runs, "wall"), "targets/s"),
        memory_row("history", own_runs),
    ]
    if peer_runs := runs.get("recbole-sasrec"):
        what = "history / recbole-sasrec, in targets a CPU second; different networks"
        rows += [
            row("recbole-sasrec", SASREC, speeds(peer_runs), TARGETS),
            memory_row("recbole-sasrec", peer_runs),
            row("history-ratio", what, ratios(speeds(own_runs), speeds(peer_runs)), "x"),
        ]
    return rows


def bound_rows(name: str, runs: list[Run]) -> list[Row]:
    """Compare a step with the least time that it could take, part by part."""
    bounds = [run["bound"] for run in runs]
    step_s = [run["cpu"] / run["steps"] for run in runs]
    times = ratios(step_s, [bound["seconds"] for bound in bounds])
    products = "the step's matrix products alone, each shape at its own rate of torch.mm"
    moved = "what the step must move alone, at the rate of a copy (benchmarks/training/roofline.py)"
    return [
        row(f"{name}-step", "a training step", step_s, "CPU s"),
        row(f"{name}-floor", f"{name}-step / (its products + its bytes)", times, "x"),
        row(f"{name}-products", products, [b["products_s"] for b in bounds], "s"),
        row(f"{name}-bytes", moved, [b["bytes_s"] for b in bounds], "s"),
        row(f"{name}-matmul", "rate of those products", [b["gflops"] for b in bounds], "GFLOP/s"),
        row(f"{name}-copy", "rate of those bytes", [b["gb_s"] for b in bounds], "GB/s"),
    ]


def evaluation_rows(runs: Runs) -> list[Row]:
    """Return the rows of the full ranking of all users of ml-1m.

    It is everything that validation does after training.
    """
    of_all = "all unseen movies of ml-1m ranked for all users"
    own_runs = [run["evaluation"] for each in runs.values() for run in each if is_ours(run)]
    head, encoder = ([run[part] for run in runs["history"]] for part in ("head", "encoder"))
    label = "history network after its user states: movies, logits, ranks"
    rows = [
        row("ncf-classic-evaluation", f"NeuMF of RecBole's sizes: {of_all}", own_runs, "CPU s"),
        row("history-head", f"{label}; {of_all}", head, "CPU s"),
        row("history-encoder", "history network: the states of all users", encoder, "CPU s"),
    ]
    evaluations = [run["evaluation"] for each in runs.values() for run in each if is_recboles(run)]
    if not evaluations:
        return rows
    size = min(evaluations[0], key=lambda size: statistics.median(run[size] for run in evaluations))
    peer_runs = [run[size] for run in evaluations]
    what = f"RecBole's trainer.evaluate of NeuMF, eval_batch_size {int(size):,}: {of_all}"
    rows.append(row("recbole-neumf-evaluation", what, peer_runs, "CPU s"))
    for other in [other for other in evaluations[0] if other != size]:
        what = f"the same with eval_batch_size {int(other):,}"
        values = [run[other] for run in evaluations]
        rows.append(row(f"recbole-neumf-evaluation-{other}", what, values, "CPU s"))
    rows.append(row("evaluation-ratio", "RecBole's best / ours", ratios(peer_runs, own_runs), "x"))
    what = "recbole-neumf-evaluation / history-head"
    return [*rows, row("head-ratio", what, ratios(peer_runs, head), "x")]


def is_ours(run: Run) -> bool:
    return isinstance(run.get("evaluation"), float)


def is_recboles(run: Run) -> bool:
    """Return whether the evaluation is by eval_batch_size, as RecBole's is."""
    return isinstance(run.get("evaluation"), dict)


def target_rows(runs: Runs) -> list[Row]:
    drawn = f"hit_rate@10 {DRAWN_TARGET} of validation beside 99 drawn movies", DRAWN_TARGET
    following = f"ndcg@10 {NEXT_TARGET} of validation among all unseen movies", NEXT_TARGET
    rows = []
    for own_runs, peers, evaluations in (
        ("ncf-classic", [name for name in NEUMF if name != "ncf-classic"], drawn),
        ("history", ["recbole-sasrec"], following),
    ):
        (first,) = runs[f"{own_runs}-to-target"]
        rows.append(target_row(own_runs, first, *evaluations))
        for peer in peers:
            for run in runs.get(f"{peer}-to-target", []):
                rows.append(target_row(peer, run, *evaluations))
                what = f"{peer}-to-target / {own_runs}-to-target"
                what += "" if run["value"] >= evaluations[1] else ", at least"
                rows.append(row(f"{peer}-to-target-ratio", what, [run["cpu"] / first["cpu"]], "x"))
    return rows


def target_row(name: str, run: Run, what: str, target: float) -> Row:
    """Return the row of a single run, which has no spread."""
    end = "reached" if run["value"] >= target else f"not reached, {run['value']:.3f} by then"
    what = f"training until {what}, a third of the users ranked: {end} after {run['examples']:,}"
    return row(f"{name}-to-target", f"{what} examples", [run["cpu"]], "CPU s")
