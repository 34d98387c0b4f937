"""`cargo xtask bench peers`: ours and four others over the same data and the same queries, in one run.

    peers [--full] [--decimals] [--rounds N] [--only NAME]... [--queries WORD]... [--data FOLDER]

Each loads in its own best way; the queries run interleaved, round by round, over instances drawn from a seed; answers
are compared with ours first, and a difference fails the run. A peer that does not start is left out with one line.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import queries
from data import Shape, bodies
from servers import ALL

PATIENCE = 0.25  # seconds a query type may take of a round


def main():
    arguments = argparse.ArgumentParser(prog="peers")
    arguments.add_argument("--full", action="store_true", help="1,000 hosts instead of 100")
    arguments.add_argument("--decimals", action="store_true", help="two decimals instead of whole numbers")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", action="append", default=[], help="isopoint and these alone")
    arguments.add_argument("--queries", action="append", default=[], help="only query types whose name holds this")
    arguments.add_argument("--data", default=str(Path(tempfile.gettempdir()) / "isopoint-bench"))
    chosen = arguments.parse_args()

    shape = Shape(1000 if chosen.full else 100, chosen.decimals)
    files = shape.write(chosen.data)
    table, runs, failed = Table(), [], False
    for kind in ALL:
        if chosen.only and kind.name not in ["isopoint", *chosen.only]:
            continue
        try:
            runs.append(load(kind, shape, files, Path(chosen.data) / "run", table))
        except Exception as why:  # noqa: BLE001 whatever keeps a peer from running leaves it out
            if kind.name == "isopoint":
                raise
            print(f"left out: {kind.name}: {why}", flush=True)
    try:
        for run in runs:
            table.row("disk as flushed, bytes a value", run.name, flushed(run, shape))
        for run in runs:
            run.settle()
            table.row("disk settled, bytes a value", run.name, run.disk() / shape.values)
        found = queries.instances(shape.hosts)
        found = {name: some for name, some in found.items() if not chosen.queries or any(word in name for word in chosen.queries)}
        failed = compare(runs, found, shape)
        measure(runs, found, chosen.rounds, table)
    finally:
        for run in runs:
            run.stop()
    for run in runs:
        if run.crashes:
            recover(type(run), shape, files, Path(chosen.data) / "run", table)
    print(table.text([run.name for run in runs], f"{shape.name()}: {shape.values / 1e6:.2f} M values"))
    return 1 if failed else 0


def load(kind, shape, files, folder, table):
    print(f"loading {kind.name}", file=sys.stderr, flush=True)
    run = kind(folder)
    run.create()
    before = run.process.cpu_secs()
    secs = run.load(bodies(files), files / "cpu.csv")
    table.row("ingest, M values/s", run.name, shape.values / secs / 1e6)
    # What it still does in the background belongs to the load.
    time.sleep(2)
    table.row("ingest, CPU-s per M values", run.name, (run.process.cpu_secs() - before) / shape.values * 1e6)
    table.row("peak memory in load, MB", run.name, run.process.peak_bytes() / 1e6)
    if (points := run.points()) != shape.points and kind.name != "VictoriaMetrics":
        raise RuntimeError(f"{points} points of {shape.points}")
    return run


def flushed(run, shape):
    run.flush()
    return run.disk() / shape.values


def compare(runs, found, shape):
    failed = False
    for name, some in found.items():
        for query in some[:2]:
            ours = runs[0].answer(query)
            if query.kind == "raw" and ours["lines"] != shape.points:
                print(f"WRONG: {name}: isopoint gave {ours['lines']} rows of {shape.points}")
                failed = True
            for run in runs[1:]:
                try:
                    theirs = run.answer(query)
                except Exception as why:  # noqa: BLE001
                    print(f"WRONG: {name}: {run.name}: {why!r}"[:300], flush=True)
                    continue
                if query.kind == "raw":
                    why = None if ours == theirs else f"{ours} here, {theirs} there"
                else:
                    inner = (lambda answer: queries.inner(query, answer)) if run.name == "VictoriaMetrics" else (lambda answer: answer)
                    why = queries.differs(inner(ours), inner(theirs))
                if why:
                    print(f"WRONG: {name}: isopoint and {run.name} differ: {why}", flush=True)
                    failed = True
            if query.kind == "raw":
                break
    return failed


def measure(runs, found, rounds, table):
    times = {}
    for _ in range(rounds):
        for name, some in found.items():
            for run in runs:
                spent, taken = 0.0, times.setdefault((name, run.name), [])
                for at in range(50):
                    secs = run.measure(some[at % len(some)])
                    taken.append(secs * 1e3)
                    spent += secs
                    if spent > PATIENCE:
                        break
    for (name, run), taken in times.items():
        table.times(name, run, taken)


def recover(kind, shape, files, folder, table):
    """Killed as soon as the last body is acknowledged; ready when it answers again."""
    run = kind(folder)
    try:
        run.create()
        run.load(bodies(files), files / "cpu.csv")
        run.process.kill()
        table.row("ready after kill -9, ms", run.name, run.start() * 1e3)
        table.row("points lost", run.name, shape.points - run.points())
    finally:
        run.stop()


class Table:
    def __init__(self):
        self.rows, self.queries = {}, {}

    def row(self, what, who, figure):
        self.rows.setdefault(what, {})[who] = figure
        print(f"  {what}: {who}: {figure:.3f}", file=sys.stderr, flush=True)

    def times(self, what, who, taken):
        self.queries.setdefault(what, {})[who] = sorted(taken)

    def text(self, names, title):
        lines = [f"{title}; queries: p50 in ms (p99) over one connection; vs: fastest peer's p50 / ours"]
        lines.append(f"{'':<34}" + "".join(f"{name:>20}" for name in names) + f"{'vs':>8}")
        for what, figures in self.rows.items():
            lines.append(f"{what:<34}" + "".join(f"{figures[name]:>20.3f}" if name in figures else f"{'–':>20}" for name in names))
        for what, figures in self.queries.items():
            middle = {name: statistics.median(taken) for name, taken in figures.items()}
            cell = lambda name: f"{middle[name]:.2f} ({figures[name][min(len(figures[name]) - 1, int(len(figures[name]) * 0.99))]:.1f})"
            peers = [middle[name] for name in names[1:] if name in middle]
            ratio = f"{min(peers) / middle[names[0]]:.2f}" if peers else ""
            lines.append(f"{what:<34}" + "".join(f"{cell(name):>20}" for name in names) + f"{ratio:>8}")
        return "\n".join(lines)


sys.exit(main())
