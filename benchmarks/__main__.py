"""Measure the connector: `make bench`, or `python -m benchmarks [--quick] [--only NAME …]`.

A ratio is the median of pairs. The two processes of a pair run one after the other, in alternating
order, so that whatever slows the machine down for a while affects both. The limits are measured at
the same time, and so is the memory, because neither depends on how fast the machine is.
"""

import argparse
import os
import platform
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from benchmarks.processes import RSS_PER_MB, BenchmarkError, Job
from sandbox.limits import UNITS, Limit


class Row(NamedTuple):
    """A line of the report."""

    measured: str
    result: str
    target: str = ""
    verdict: str = ""

    def __str__(self) -> str:
        return f"| {self.measured:85} | {self.result:40} | {self.target:18} | {self.verdict:7} |"


def judge(value: float, target: float) -> str:
    """Whether the target is reached."""
    return "reached" if value <= target else "missed"


@dataclass(frozen=True)
class Compared:
    """A process compared with a base, both with the same job, in `rounds` pairs.

    attribute: the one of `Run` that is compared. target: the highest ratio.
    """

    job: Job
    process: str
    base: str
    rounds: int
    target: float
    attribute: str = "time"

    def measure(self) -> Row:
        """Run the pairs."""
        names, get, pairs = [self.process, self.base], attrgetter(self.attribute), []
        with self.job as job:
            for _ in range(self.rounds):
                names.reverse()
                pair = {name: get(job.run(name)) for name in names}
                pairs.append((pair[self.process], pair[self.base]))
        ratios = [value / base for value, base in pairs]
        value, base = (median(values) for values in zip(*pairs, strict=True))
        ratio = median(ratios)
        spread = f"{min(ratios):.2f} … {max(ratios):.2f}"
        what = f"{self.attribute.replace('_', ' ')} of {self.process} / {self.base}"
        return Row(
            f"{what}: {job}" if job.rows else what,
            f"{ratio:.2f} ({spread}): {value:.2f} s / {base:.2f} s",
            f"≤ {self.target}",
            judge(ratio, self.target),
        )


@dataclass(frozen=True)
class Memory:
    """The peak memory of a job in MB, if its output is not read for `pause` seconds."""

    job: Job
    pause: float
    target: float = 160

    def measure(self) -> Row:
        """Run the job once."""
        with self.job as job:
            peak = job.run("connector", self.pause).peak
        # Linux counts the memory of the process that starts another one as a part of its peak.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / RSS_PER_MB
        result = f"{peak:.0f} MB" if peak > own else f"unknown, at most {own:.0f} MB"
        what = f"peak memory of {job}, a pause of {self.pause:.0f} s"
        return Row(what, result, f"≤ {self.target:.0f} MB", judge(peak, self.target))


@dataclass(frozen=True)
class Limited:
    """Processes that do the same job under a rate limit.

    target: how many times the ideal time they may take, and a window more.
    """

    job: Job
    processes: int = 1
    target: float = 1.2

    def measure(self) -> Row:
        """Compare the time from the first request to the last status with the ideal.

        Ideal is a client that sends each request as soon as its window opens.
        """
        with self.job as job, ThreadPoolExecutor(self.processes) as pool:
            list(pool.map(job.run, ["connector"] * self.processes))
        limit = Limit.parse(job.limit)
        window = UNITS[limit.unit]
        windows = (job.rows * self.processes - 1) // limit.count
        ideal = max(1, windows * window - job.first % window)
        seconds = job.last - job.first
        return Row(
            f"time / ideal of {job}, {job.limit}, processes: {self.processes}",
            f"{seconds / ideal:.2f}: {seconds:.1f} s / {ideal:.1f} s",
            f"≤ {self.target}, + {window} s",
            judge(seconds, self.target * ideal + window),
        )


def statuses(rows: int, workers: int = 10, delay: float = 0, limit: str = "") -> Job:
    """Message statuses, to be read one by one."""
    return Job("message_status", rows, workers, delay, limit)


def limited(
    limit: str, rows: int, workers: int, processes: int = 1, target: float = 1.2
) -> Limited:
    """Statuses that take 50 ms."""
    return Limited(statuses(rows, workers, 0.05, limit), processes, target)


# By name, what is measured at the same time.
MEASUREMENTS: dict[str, list[Compared | Memory | Limited]] = {
    "statuses-10": [Compared(statuses(1_000, 10, 0.1), "connector", "bare pool", 3, 1.12)],
    "statuses-40": [Compared(statuses(5_000, 40, 0.1), "connector", "bare pool", 3, 1.08)],
    "cpu": [Compared(statuses(8_000), "connector", "bare pool", 5, 1.15, "processor_time")],
    "contacts": [Compared(Job("contacts", 100_000), "connector", "low-code", 5, 0.85)],
    "spec": [Compared(Job("contacts", 0), "spec", "import of the CDK", 7, 1.1)],
    "memory": [Memory(statuses(100_000), pause) for pause in (0, 10)],
    "limits": [
        limited("10/second:retry-after", 400, 10),
        limited("10/second:none", 400, 10),
        limited("20/second:retry-after", 800, 40),
        limited("20/second:none", 800, 40),
        limited("300/minute:retry-after", 700, 10),
        limited("300/minute:none", 700, 10),
        limited("300/minute:kong-1", 700, 10, target=1.05),
        limited("10/second:none", 300, 10, processes=2, target=1.5),
        limited("10/second:none", 200, 40, processes=4, target=1.5),
    ],
}


def main() -> None:
    """Measure and print, one row after another."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at most 30 records: does it work?")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=MEASUREMENTS,
        default=MEASUREMENTS,
        metavar="NAME",
        help=f"what to measure: {', '.join(MEASUREMENTS)}",
    )
    arguments = parser.parse_args()
    packages = [f"{name} {version(name)}" for name in ("airbyte-cdk", "requests", "aiohttp")]
    machine = [f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *packages]
    print(f"{', '.join(machine)}\n\n{Row('measured', 'result', 'target')}")
    print(Row("-", "-", "-", "-"), flush=True)
    for name in arguments.only:
        together = MEASUREMENTS[name]
        if arguments.quick:
            together = [
                replace(each, job=replace(each.job, rows=min(30, each.job.rows)))
                for each in together
            ]
        with ThreadPoolExecutor(len(together)) as pool:
            for future in [pool.submit(each.measure) for each in together]:
                try:
                    print(future.result(), flush=True)
                except BenchmarkError as error:
                    print(Row(name, str(error), verdict="failed"), flush=True)


if __name__ == "__main__":
    main()
