"""What the measurements come to: tables of medians beside their targets."""

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.contenders import Run, Server
from integration_tests.sandbox_limits import UNITS, Limit

_ABOUT_LIMITS = """\
The time is the server's, from the first request to the last answer. The ideal is rows ÷ limit; of windows longer than a
second, those that have to end before the last row can be asked for. The first of them can be nearly over when the first
request comes, so that the time can be shorter than the ideal."""

Contenders = Mapping[str, Callable[[], Run]]


@dataclass(frozen=True)
class Limited:
    """A rate limit, what is read under it, and the targets.

    time: the most times the ideal time, to which a window is added if windows are longer than a second.
    refusals: the most refused requests for each row.
    """

    limit: Limit
    rows: int
    workers: int
    time: float
    refusals: float

    @property
    def ideal(self) -> float:
        """Seconds that a client would need that is never refused and never waits for too long.

        Of windows longer than a second, those count that have to end before the last row can be asked for.
        """
        if self.limit.seconds > 1:
            return float((self.rows - 1) // self.limit.count * self.limit.seconds)
        seconds, rows = 0, self.rows
        while rows > self.limit.after(seconds):
            rows -= self.limit.after(seconds)
            seconds += 1
        return seconds + rows / self.limit.after(seconds)

    @property
    def longest(self) -> float:
        """The most seconds that it may take."""
        return self.time * self.ideal + (self.limit.seconds if self.limit.seconds > 1 else 0)

    def __str__(self) -> str:
        unit = next((unit for unit, seconds in UNITS.items() if seconds == self.limit.seconds), None)
        words = f"{self.limit.count} a {unit or f'window of {self.limit.seconds} seconds'}"
        if drop := self.limit.drop:
            words += f", dropping to {drop.to} for {drop.seconds} of every {drop.every} seconds"
        words += ", `Retry-After`" if self.limit.retry_after else ", bare 429"
        return f"{words}{', `RateLimit-*` on every answer' * self.limit.headers}, {self.workers} workers"


@dataclass
class Report:
    """Rows of three tables: ratios beside their targets, what they were made from, and rate limits; and notes."""

    ratios: list[tuple[str, ...]] = field(default_factory=list)
    times: list[tuple[str, ...]] = field(default_factory=list)
    limits: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def compare(
        self,
        what: str,
        rounds: int,
        contenders: Contenders,
        targets: Mapping[str, float | None],
        measured: Literal["seconds", "cpu"] = "seconds",
    ) -> None:
        """Run `contenders`, the first of which is measured against each of `targets`, by wall or CPU time."""
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        names = list(contenders)
        for _ in range(rounds):
            for name in names:
                progress(f"{what}: {name}")
                runs[name].append(contenders[name]())
            names = [*names[1:], names[0]]
        ours = next(iter(contenders))
        for other, target in targets.items():
            pairs = zip(runs[ours], runs[other], strict=True)
            ratios = [getattr(a, measured) / getattr(b, measured) for a, b in pairs]
            self._judge(f"{what}: {ours} / {other}", ratios, target, "{:.3f}")
        for name, each in runs.items():
            self._time(f"{what}: {name}", each)

    def memory(self, what: str, rounds: int, contender: Callable[[], Run], target: float) -> None:
        """Run `contender`, whose peak memory is measured."""
        runs = []
        for _ in range(rounds):
            progress(what)
            runs.append(contender())
        self._judge(f"{what}: peak memory", [each.peak for each in runs], target, "{:.0f} MB")
        self._time(what, runs)

    def limited(self, row: Limited, run: Run, server: Server) -> None:
        """Compare what `server` counted while `run` was read with the targets of `row`."""
        refusals = server.refused / row.rows
        missed = {
            "rows": run.records < row.rows,
            "time": server.seconds > row.longest,
            "refusals": refusals > row.refusals,
        }
        window = f" + {row.limit.seconds} s" if row.limit.seconds > 1 else ""
        names = ", ".join(name for name, is_missed in missed.items() if is_missed)
        cells = [
            str(row),
            f"{run.records} of {row.rows}",
            f"{server.seconds:.1f} s",
            f"{row.ideal:.1f} s",
            f"{server.seconds / row.ideal:.2f}",
            f"≤ {row.time:.2f}{window}",
            f"{refusals:.2f}",
            f"≤ {row.refusals:.2f}",
            f"missed: {names}" if names else "reached",
        ]
        self.limits.append(tuple(cells))

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
        parts = []
        if self.ratios:
            parts += [table(("measured", "median", "target", "", "least … most", "rounds"), self.ratios)]
        if self.limits:
            head = ("limit", "rows", "time", "ideal", "time / ideal", "target", "refusals a row", "target", "")
            parts += [table(head, self.limits), _ABOUT_LIMITS]
        parts += [machine()]
        if self.times:
            parts += [table(("wall time", "median", "least … most", "CPU", "peak memory"), self.times)]
        if self.notes:
            server = "The server is `benchmarks/server.py` (aiohttp), a process of its own. Was it the bottleneck?"
            parts += [server, "\n".join(self.notes)]
        return "\n\n".join(parts)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table with columns of even width."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in (head, rule, *rows)
    )


def machine() -> str:
    """The machine and the versions that the times were measured with."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    versions = [f"{name} {version(name)}" for name in ("airbyte-cdk", "requests", "urllib3", "aiohttp")]
    parts = [names[0] if names else platform.processor(), f"{os.cpu_count()} cores", platform.platform()]
    return f"Measured on {', '.join([*parts, f'Python {platform.python_version()}', *versions])}."


def progress(words: str) -> None:
    """Tell whoever waits what is run, apart from the tables."""
    print(words, file=sys.stderr)
