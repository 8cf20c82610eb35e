"""What is measured: whole processes, from their start to their end, and the server they read from."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from typing_extensions import Self

from integration_tests.sandbox_limits import Limit

KEY = "benchmark-key"
ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent
PYTHON = sys.executable
LOW_CODE = str(Path(PYTHON).with_name("source-declarative-manifest"))
SPEC = (PYTHON, "main.py", "spec")
IMPORT_CDK = (PYTHON, "-c", "import airbyte_cdk.entrypoint")
_RECORD = b'{"type":"RECORD"'
_MAXRSS_PER_MB = 2**20 if sys.platform == "darwin" else 2**10


class BenchmarkError(Exception):
    """A process did not do the work that it was measured by."""


@dataclass(frozen=True)
class Run:
    """What one process took: wall and CPU time in seconds, peak memory in MB; and how many records it printed."""

    seconds: float
    cpu: float
    peak: float
    records: int = 0


class Server:
    """`benchmarks.server` as a process of its own while the context lasts.

    cpu, answered, refused, seconds: known when it has ended. Its CPU time in seconds, how many requests for a status
    it let through and refused, and the seconds from the first request to the last answer with a status.
    """

    def __init__(self, delay: float = 0, contacts: int = 0, limit: Limit | None = None) -> None:
        self._command = [PYTHON, "-m", "benchmarks.server", f"--delay={delay}", f"--contacts={contacts}"]
        if limit:
            settings = {each.name: getattr(limit, each.name) for each in fields(limit) if each.init}
            self._command.append(f"--limit={json.dumps(settings)}")
        self.cpu = self.seconds = 0.0
        self.answered = self.refused = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE)
        if self._process.stdout is None or not (port := self._process.stdout.readline().strip()):
            raise BenchmarkError("the server did not start")
        self.url = f"http://127.0.0.1:{int(port)}"  # ignore-https-check: on loopback
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        if self._process.stdout is not None:
            with self._process.stdout as output:
                counts = json.loads(output.read())
            self.answered, self.refused, self.seconds = counts["answered"], counts["refused"], counts["seconds"]
        self.cpu = _ended(self._process).cpu


def request_ids(count: int) -> list[str]:
    """Ids of the form that tyntec gives out."""
    return [f"{number:08x}-77ad-4671-8feb-9bc76b0df188" for number in range(count)]


@dataclass(frozen=True)
class Job:
    """One stream to be read from `server`, by each contender in its own way. `size` is the number of its records."""

    server: Server
    stream: str
    size: int
    workers: int
    folder: Path

    def connector(self, pause: float = 0, complete: bool = True) -> Run:
        """This connector, as the platform runs it. `pause` and `complete` are those of `run`."""
        first, *others = request_ids(self.size) if self.stream == "message_status" else request_ids(1)
        config = self._file(
            "config",
            {
                "api_key": KEY,
                "message_request_id": first,
                "additional_message_request_ids": others,
                "num_workers": self.workers,
            },
        )
        return run(
            PYTHON, "main.py", "read", "--config", config, "--catalog", self._catalog(),
            records=self.size, pause=pause, complete=complete, TYNTEC_API_URL=self.server.url,
        )  # fmt: skip

    def low_code(self) -> Run:
        """The low-code manifest, run by the CDK."""
        manifest = str(FOLDER / "manifest.yaml")
        return run(
            LOW_CODE, "read", "--config", self._plain_config(), "--catalog", self._catalog(),
            "--manifest-path", manifest, records=self.size,
        )  # fmt: skip

    def bare(self) -> Run:
        """`requests` in a pool of threads. Of contacts it only fetches the body."""
        records = self.size if self.stream == "message_status" else 0
        return run(PYTHON, str(FOLDER / "bare_requests.py"), self._plain_config(), records=records)

    def _plain_config(self) -> str:
        ids = request_ids(self.size) if self.stream == "message_status" else []
        return self._file(
            "plain_config",
            {"api_key": KEY, "api_url": f"{self.server.url}/", "num_workers": self.workers, "request_ids": ids},
        )

    def _catalog(self) -> str:
        schema = json.loads((ROOT / "source_tyntec_sms" / "schemas" / f"{self.stream}.json").read_text())
        stream = {"name": self.stream, "json_schema": schema, "supported_sync_modes": ["full_refresh"]}
        configured = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        return self._file("catalog", {"streams": [configured]})

    def _file(self, name: str, content: dict[str, Any]) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return str(path)


def run(*command: str, records: int = 0, pause: float = 0, complete: bool = True, **environment: str) -> Run:
    """Run `command` to its end. Its output goes through a pipe that is read as fast as it comes, and not kept.

    Not keeping it matters: Linux counts what this process holds when it starts another towards the other's peak.

    Args:
        command: the words of the command.
        records: how many records it is expected to print.
        pause: seconds for which nothing is read, as soon as half of the records are there.
        complete: whether it has to succeed, and to print all the records.
        environment: further variables of its environment.

    Raises:
        BenchmarkError: if it fails, or prints another number of records than `records`.
    """
    variables = os.environ | {"NO_PROXY": "127.0.0.1"} | environment
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=variables)
    found = 0
    for count in _records(process):
        found += count
        if pause and found >= records / 2:
            time.sleep(pause)
            pause = 0
    result = replace(_ended(process, start), records=found)
    if complete and (process.returncode or found != records):
        words = f"{' '.join(command)}: exit code {process.returncode}, {found} records where {records} were expected"
        raise BenchmarkError(words)
    if result.peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_PER_MB:
        raise BenchmarkError("this process is larger than the measured one, whose peak memory is therefore unknown")
    return result


def _records(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """How many records each piece of the output completes."""
    if process.stdout is None:
        return
    rest = b""
    with process.stdout as output:
        while chunk := os.read(output.fileno(), 2**20):
            chunk = rest + chunk
            yield chunk.count(_RECORD)
            rest = chunk[-len(_RECORD) + 1 :]


def _ended(process: subprocess.Popen[bytes], start: float = 0) -> Run:
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _MAXRSS_PER_MB)
