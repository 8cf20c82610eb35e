"""Measures the connector and prints what came out: `make bench`, or `python -m benchmarks [--quick] [--only NAME …]`.

Times are measured in pairs. In every round all contenders run one after the other, in an order that turns from round
to round, and the ratio is taken within the round. So what slows the machine down for a while slows both sides.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.contenders import IMPORT_CDK, SPEC, BenchmarkError, Job, Server, run
from benchmarks.report import Contenders, Limited, Report, progress
from integration_tests.sandbox_limits import Drop, Limit

DELAY = 0.1
DELAY_BEHIND_LIMITS = 0.05
PAUSE = 10

LIMITS = {
    "10-a-second": Limited(Limit(10), rows=200, workers=10, time=1.15, refusals=0.20),
    "10-a-second-bare": Limited(Limit(10, retry_after=False), rows=200, workers=10, time=1.25, refusals=0.25),
    "20-a-second": Limited(Limit(20), rows=400, workers=40, time=1.15, refusals=0.25),
    "300-a-minute": Limited(Limit(300, 60), rows=700, workers=10, time=1.10, refusals=0.10),
    "300-a-minute-bare": Limited(Limit(300, 60, retry_after=False), rows=700, workers=10, time=1.25, refusals=0.10),
    "10-a-second-headers": Limited(Limit(10, headers=True), rows=200, workers=10, time=1.10, refusals=0.05),
    "50-a-second-drop": Limited(Limit(50, drop=Drop(5, 20, 30)), rows=900, workers=10, time=1.20, refusals=0.25),
}


@dataclass
class Bench:
    """The measurements. `quick` shows that they run, with numbers too small to mean much."""

    report: Report
    folder: Path
    quick: bool

    def statuses(self, size: int, workers: int, rounds: int, floor: float | None, rival: float | None = None) -> None:
        """Statuses, and whether their server could keep up.

        `floor` and `rival` are the targets: times the bare pool, and times the low-code manifest if it is to run.
        """
        size, rounds = (100, 1) if self.quick else (size, rounds)
        with Server(delay=DELAY) as server:
            job = Job(server, "message_status", size, workers, self.folder)
            contenders = {"connector": job.connector, "bare pool": job.bare}
            targets = {"bare pool": floor}
            if rival is not None:
                contenders["low-code"], targets["low-code"] = job.low_code, rival
            what = f"{size:,} statuses at {DELAY * 1000:.0f} ms, {workers} worker{'s' * (workers > 1)}"
            start = time.perf_counter()
            self.report.compare(what, rounds, contenders, targets)
            seconds = time.perf_counter() - start
        self.report.notes.append(
            f"- With {workers} at a time, at most {workers / DELAY:,.0f} statuses a second can be asked for. The "
            f"server was computing {server.cpu / seconds:.1%} of the time, its own start included."
        )

    def cpu(self) -> None:
        """The CPU time of statuses that are answered at once."""
        size = 300 if self.quick else 8_000
        with Server() as server:
            job = Job(server, "message_status", size, 10, self.folder)
            contenders = {"connector": job.connector, "bare pool": job.bare}
            what = f"CPU time of {size:,} statuses at no latency, 10 workers"
            self.report.compare(what, 1 if self.quick else 5, contenders, {"bare pool": 1.15}, measured="cpu")
            fastest = min(job.bare().seconds for _ in range(1 if self.quick else 3))
        self.report.notes.append(f"- Without a delay, 10 bare threads got {size / fastest:,.0f} statuses a second.")

    def contacts(self) -> None:
        """The list of contacts, and what of the time is the server's."""
        size = 1_000 if self.quick else 100_000
        with Server(contacts=size) as server:
            job = Job(server, "contacts", size, 10, self.folder)
            contenders = {"connector": job.connector, "low-code": job.low_code, "only fetching the body": job.bare}
            targets = {"low-code": 0.78, "only fetching the body": None}
            self.report.compare(f"{size:,} contacts", 2 if self.quick else 5, contenders, targets)
        self.report.notes.append("- Of the contacts, the server's share is within the row 'only fetching the body'.")

    def spec(self) -> None:
        """The start of the process."""
        contenders: Contenders = {
            "spec": partial(run, *SPEC),
            "importing airbyte_cdk.entrypoint": partial(run, *IMPORT_CDK),
        }
        targets = {"importing airbyte_cdk.entrypoint": 1.05}
        self.report.compare("start-up", 3 if self.quick else 11, contenders, targets)

    def memory(self, pause: float) -> None:
        """The peak memory of many ids, read by a process that does not read anything for `pause` seconds."""
        size, pause = (1_000, min(pause, 1)) if self.quick else (100_000, pause)
        with Server() as server:
            job = Job(server, "message_status", size, 10, self.folder)
            words = f", a reader that pauses for {pause:.0f} seconds" if pause else ""
            what = f"{size:,} statuses at no latency, 10 workers{words}"
            self.report.memory(what, 1, partial(job.connector, pause=pause), 160)

    def limit(self, row: Limited) -> None:
        """Statuses under a rate limit. One run: the server's clock sets the pace."""
        if self.quick:
            row = replace(row, limit=replace(row.limit, seconds=min(row.limit.seconds, 3)), rows=row.limit.count + 10)
        progress(str(row))
        with Server(delay=DELAY_BEHIND_LIMITS, limit=row.limit) as server:
            ended = Job(server, "message_status", row.rows, row.workers, self.folder).connector(complete=False)
        self.report.limited(row, ended, server)

    def warm_up(self) -> None:
        """Run each contender once: what is compiled or cached on first use must not count."""
        with Server(contacts=1) as server:
            for job in (Job(server, "message_status", 1, 1, self.folder), Job(server, "contacts", 1, 1, self.folder)):
                for read in (job.connector, job.low_code, job.bare):
                    read()

    def failure(self, measure: Callable[["Bench"], None]) -> str | None:
        """Measure, and say what failed, if something did."""
        try:
            measure(self)
        except BenchmarkError as error:
            return str(error)
        return None


MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    "statuses-1": lambda bench: bench.statuses(300, 1, rounds=1, floor=None),
    "statuses-10": lambda bench: bench.statuses(1_000, 10, rounds=5, floor=1.10, rival=1.02),
    "statuses-40": lambda bench: bench.statuses(5_000, 40, rounds=5, floor=1.08),
    "cpu": Bench.cpu,
    "contacts": Bench.contacts,
    "spec": Bench.spec,
    "memory": partial(Bench.memory, pause=0),
    "memory-pause": partial(Bench.memory, pause=PAUSE),
    **{name: partial(Bench.limit, row=row) for name, row in LIMITS.items()},
}


def main() -> int:
    """Measure and print. The exit code is 1 if a contender failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds of little work: do the measurements run?")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=[*MEASUREMENTS], metavar="NAME",
                        help=f"what to measure: {', '.join(MEASUREMENTS)}")  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Report(), Path(folder), arguments.quick)
        bench.warm_up()
        failures = {name: bench.failure(MEASUREMENTS[name]) for name in arguments.only}
    if arguments.quick:
        print("A quick run: it shows that the measurements run, its numbers mean little.\n")
    print(bench.report)
    for name, words in failures.items():
        if words:
            print(f"\n{name} failed: {words}")
    return int(any(failures.values()))


if __name__ == "__main__":
    sys.exit(main())
