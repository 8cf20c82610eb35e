"""The processes that are measured, from start to end, and the job that they do."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from typing_extensions import Self

from benchmarks import server

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
LOW_CODE = f"{Path(PYTHON).with_name('source-declarative-manifest')}"
READ = ("read", "--config", "config.json", "--catalog", "catalog.json")
COMMANDS = {
    "connector": (PYTHON, f"{ROOT}/main.py", *READ),
    "bare pool": (PYTHON, f"{ROOT}/benchmarks/bare_requests.py", "config.json"),
    "low-code": (LOW_CODE, *READ, "--manifest-path", f"{ROOT}/benchmarks/low_code.yaml"),
    "spec": (PYTHON, f"{ROOT}/main.py", "spec"),
    "import of the CDK": (PYTHON, "-c", "import airbyte_cdk.entrypoint"),
}
RSS_PER_MB = 2**20 if sys.platform == "darwin" else 2**10


class BenchmarkError(Exception):
    """A process did not do its job."""


@dataclass(frozen=True)
class Run:
    """What a process needed: wall and processor time in seconds, peak memory in MB."""

    time: float
    processor_time: float
    peak: float


@dataclass
class Job:
    """`rows` records of a stream, and the server that has them while the context lasts.

    Attributes:
        delay, limit: those of `server.run`.
        first, last: the times that the server sends at its end.
    """

    stream: str
    rows: int
    workers: int = 10
    delay: float = 0
    limit: str = ""
    first: float = field(default=0, init=False)
    last: float = field(default=0, init=False)

    def __str__(self) -> str:
        words = f"{self.rows:,} {self.stream}, {self.workers} workers"
        return f"{words}, {self.delay * 1000:.0f} ms" if self.delay else words

    def __enter__(self) -> Self:
        context, contacts = get_context("spawn"), self.rows * (self.stream == "contacts")
        self._pipe, end = context.Pipe()
        arguments = (end, self.delay, contacts, self.limit)
        self._server = context.Process(target=server.run, args=arguments, daemon=True)
        self._server.start()
        self._url = f"http://127.0.0.1:{self._pipe.recv()}"  # ignore-https-check: loopback
        first, *others = (
            f"{number:08x}-77ad-4671-8feb-9bc76b0df188"
            for number in range(1 if contacts else max(1, self.rows))
        )
        config = {
            "api_url": self._url,
            "api_key": "benchmark-key",
            "message_request_id": first,
            "additional_message_request_ids": others,
            "num_workers": self.workers,
        }
        schema = json.loads((ROOT / f"source_tyntec_sms/schemas/{self.stream}.json").read_text())
        modes = ["full_refresh"]
        stream = {"name": self.stream, "json_schema": schema, "supported_sync_modes": modes}
        mode = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        catalog = {"streams": [{"stream": stream, **mode}]}
        self._folder = TemporaryDirectory()
        for name, content in ("config", config), ("catalog", catalog):
            Path(self._folder.name, f"{name}.json").write_text(json.dumps(content))
        return self

    def __exit__(self, *_error: object) -> None:
        self._pipe.send(None)
        self.first, self.last = self._pipe.recv()
        self._server.join()
        self._folder.cleanup()

    def run(self, name: str, pause: float = 0) -> Run:
        """Run one of `COMMANDS`. `pause`: the seconds for which nobody reads its second half.

        Raises:
            BenchmarkError: if it fails, or prints too few or too many records.
        """
        variables = os.environ | {"TYNTEC_API_URL": self._url, "NO_PROXY": "127.0.0.1"}
        start, records, line = time.perf_counter(), 0, b""
        process = subprocess.Popen(
            COMMANDS[name],
            bufsize=2**20,
            stdout=subprocess.PIPE,
            cwd=self._folder.name,
            env=variables,
        )
        with process:
            for line in process.stdout or ():
                records += line.startswith(b'{"type":"RECORD"')
                if pause and records > self.rows / 2:
                    time.sleep(pause)
                    pause = 0
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or records != self.rows:
            words = f"exit code {process.returncode}, {records:,} of {self.rows:,} records"
            raise BenchmarkError(f"{name}: {words}. The last line: {line.decode()[:500]}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / RSS_PER_MB)
