"""Measures the connector, in pairs, and prints what came out: `make bench`, or `python -m benchmarks [--quick]`.

In every round all contenders run one after the other, in an order that turns from round to round, and the ratio is
taken within the round. So what slows the machine down for a while slows both sides of a ratio.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.contenders import IMPORT_CDK, SPEC, Job, Run, Server, run

Contenders = Mapping[str, Callable[[], Run]]

DELAY = 0.1


@dataclass
class Report:
    """Rows of two tables: ratios beside their targets, and what they were made from. `notes` is about the server."""

    ratios: list[tuple[str, ...]] = field(default_factory=list)
    times: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def compare(self, what: str, rounds: int, contenders: Contenders, targets: Mapping[str, float | None]) -> None:
        """Run `contenders`, the first of which is measured against each of `targets`, by time."""
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        names = list(contenders)
        for _ in range(rounds):
            for name in names:
                progress(f"{what}: {name}")
                runs[name].append(contenders[name]())
            names = [*names[1:], names[0]]
        ours = next(iter(contenders))
        for other, target in targets.items():
            ratios = [a.seconds / b.seconds for a, b in zip(runs[ours], runs[other], strict=True)]
            self._judge(f"{what}: {ours} / {other}", ratios, target, "{:.3f}")
        for name, each in runs.items():
            self._time(f"{what}: {name}", each)

    def memory(self, rounds: int, small: Job, large: Job, target: float) -> None:
        """Run the connector for both jobs; what grows is its peak memory."""
        runs: dict[int, list[Run]] = {small.size: [], large.size: []}
        for _ in range(rounds):
            for job in (small, large):
                progress(f"memory: {job.size} ids")
                runs[job.size].append(job.connector())
        growth = [b.peak - a.peak for a, b in zip(runs[small.size], runs[large.size], strict=True)]
        self._judge(f"4. peak memory: {large.size:,} ids - {small.size:,} ids", growth, target, "{:.1f} MB")
        for size, each in runs.items():
            self._time(f"4. {size:,} statuses, no delay, {small.workers} workers: connector", each)

    def _judge(self, what: str, values: list[float], target: float | None, form: str) -> None:
        middle = median(values)
        limit, verdict = "none", ""
        if target is not None:
            limit = "≤ " + form.format(target)
            verdict = "reached" if middle <= target else f"missed by {form.format(middle - target)}"
        spread = f"{form.format(min(values))} … {form.format(max(values))}"
        self.ratios.append((what, form.format(middle), limit, verdict, spread, str(len(values))))

    def _time(self, what: str, runs: list[Run]) -> None:
        seconds = [each.seconds for each in runs]
        cells = f"{median(seconds):.2f} s", f"{min(seconds):.2f} … {max(seconds):.2f} s"
        cpu, peak = median(each.cpu for each in runs), median(each.peak for each in runs)
        self.times.append((what, *cells, f"{cpu:.2f} s", f"{peak:.0f} MB"))

    def __str__(self) -> str:
        ratios = table(("ratio", "median", "target", "", "least … most", "rounds"), self.ratios)
        times = table(("wall time", "median", "least … most", "CPU", "peak memory"), self.times)
        server = "The server is `benchmarks/server.py` (aiohttp), a process of its own. Was it the bottleneck?"
        return "\n".join([*ratios, "", machine(), "", *times, "", server, "", *self.notes])


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a Markdown table with columns of even width."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in (head, rule, *rows)
    ]


def machine() -> str:
    """The machine and the versions that the times were measured with."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    versions = [f"{name} {version(name)}" for name in ("airbyte-cdk", "requests", "urllib3", "aiohttp")]
    parts = [names[0] if names else platform.processor(), f"{os.cpu_count()} cores", platform.platform()]
    return f"Measured on {', '.join([*parts, f'Python {platform.python_version()}', *versions])}."


def progress(words: str) -> None:
    """Tell whoever waits what is run, apart from the tables."""
    print(words, file=sys.stderr)


def measure(folder: Path, quick: bool) -> Report:
    """All four measurements; `quick` shows that they run, with numbers too small to mean much."""
    report = Report()
    statuses(report, folder, quick)
    contacts(report, folder, 1_000 if quick else 100_000, 2 if quick else 5)
    start_up: Contenders = {
        "spec": lambda: run(*SPEC),
        "importing airbyte_cdk.entrypoint": lambda: run(*IMPORT_CDK),
    }
    report.compare("3. start-up", 3 if quick else 11, start_up, {"importing airbyte_cdk.entrypoint": 1.1})
    with Server() as server:
        small, large = (Job(server, "message_status", size, 10, folder) for size in (500, 8_000))
        report.memory(1 if quick else 3, small, large, 40)
    return report


def statuses(report: Report, folder: Path, quick: bool) -> None:
    """Statuses with 1, 10 and 40 workers, and whether their server could keep up."""
    size = 100 if quick else 1_000
    with Server() as server:
        job = Job(server, "message_status", size, 10, folder)
        for read in (job.connector, job.low_code):
            read()  # what is compiled or cached on first use must not count
        burst = Job(server, "message_status", 5 * size, 10, folder)
        without_delay = burst.size / min(burst.bare().seconds for _ in range(3))
    for workers, rounds, floor, rival in ((1, 1, None, None), (10, 5, 1.2, 1.02), (40, 5, None, None)):
        with Server(delay=DELAY) as server:
            job = Job(server, "message_status", size, workers, folder)
            contenders = {"connector": job.connector, "bare pool": job.bare, "low-code": job.low_code}
            what = f"1. {size:,} statuses, {workers} worker{'s' * (workers > 1)}"
            start = time.perf_counter()
            report.compare(what, 1 if quick else rounds, contenders, {"bare pool": floor, "low-code": rival})
            seconds = time.perf_counter() - start
        report.notes.append(
            f"- With {workers} at a time, at most {workers / DELAY:,.0f} statuses a second can be asked for; without "
            f"the delay, 10 bare threads got {without_delay:,.0f} a second. The server was computing "
            f"{server.cpu / seconds:.1%} of the time, its own start included."
        )


def contacts(report: Report, folder: Path, size: int, rounds: int) -> None:
    """The list of contacts, and what of the time is the server's."""
    with Server(contacts=size) as server:
        job = Job(server, "contacts", size, 10, folder)
        contenders = {"connector": job.connector, "low-code": job.low_code, "only fetching the body": job.bare}
        report.compare(f"2. {size:,} contacts", rounds, contenders, {"low-code": 0.95, "only fetching the body": None})
    report.notes.append("- Of the contacts, the server's share is within the row 'only fetching the body'.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds of little work: do the measurements run?")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), quick)
    if quick:
        print("A quick run: it shows that the measurements run, its numbers mean little.\n")
    print(report)


if __name__ == "__main__":
    main()
