"""Runs the connector as the platform does, as a process, and judges it by the messages it prints."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import orjson

from integration_tests.catalog import configured
from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.session import RetryPolicy

ROOT = Path(__file__).parent.parent
# Waits and time limits of a fiftieth: 16 seconds at most between two attempts become 0.3.
TIME_SCALE = 0.02
DEFAULT_KEY = "sandbox-key"
DEFAULT_ID = "e74db8d4-77ad-4671-8feb-9bc76b0df188"
# Python's representations of things, and what its libraries say: none of it belongs in a message for users.
JARGON = re.compile(
    r"Traceback|\w(Error|Exception|Warning)\b|<class|<module| object at 0x|\[Errno|urllib3|HTTPConnectionPool"
    r"|Max retries|airbyte_cdk|\bNone\b|[{\[(]'|\\[nux]"
)

Message = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished process: its exit code, what it printed, how long it took, and its most memory in megabytes."""

    exit_code: int
    messages: list[Message]
    output: str
    seconds: float
    peak_memory: float

    def records(self, stream: str) -> list[Message]:
        return [
            message["record"]["data"]
            for message in self.messages
            if message["type"] == "RECORD" and message["record"]["stream"] == stream
        ]

    def _traces(self, kind: str) -> list[Message]:
        name = kind.lower()
        return [
            message["trace"][name]
            for message in self.messages
            if message["type"] == "TRACE" and message["trace"]["type"] == kind
        ]

    def errors(self, stream: str | None) -> list[Message]:
        """The errors of a stream; with None those of no stream, the summary at the end of a sync."""
        return [
            error for error in self._traces("ERROR") if (error.get("stream_descriptor") or {}).get("name") == stream
        ]

    def error(self, stream: str | None) -> str:
        """The message of the one error of a stream."""
        (error,) = self.errors(stream)
        return str(error["message"])

    def ended(self, stream: str) -> str:
        """COMPLETE or INCOMPLETE, which a stream has to end with exactly once."""
        (ended,) = (status for status in self.statuses(stream) if status in {"COMPLETE", "INCOMPLETE"})
        return ended

    def statuses(self, stream: str) -> list[str]:
        return [
            status["status"]
            for status in self._traces("STREAM_STATUS")
            if status["stream_descriptor"]["name"] == stream
        ]

    def reasons(self, stream: str) -> list[str]:
        return [
            reason["type"]
            for status in self._traces("STREAM_STATUS")
            if status["stream_descriptor"]["name"] == stream
            for reason in status.get("reasons") or []
        ]

    def log(self, *levels: str) -> str:
        return "\n".join(
            message["log"]["message"]
            for message in self.messages
            if message["type"] == "LOG" and (not levels or message["log"]["level"] in levels)
        )

    @property
    def connection_status(self) -> Message:
        """The one answer of a check."""
        (status,) = (m["connectionStatus"] for m in self.messages if m["type"] == "CONNECTION_STATUS")
        return dict(status)


def config(*request_ids: str, key: str = DEFAULT_KEY, **settings: Any) -> Message:
    """A configuration that reads `request_ids`."""
    first, *others = request_ids or (DEFAULT_ID,)
    return {
        "api_key": key,
        "message_request_id": first,
        "additional_message_request_ids": others,
        **settings,
    }


STREAMS = tuple(stream.name for stream in SourceTyntecSms().streams(config()))
LISTS = tuple(name for name in STREAMS if name != "message_status")


def catalog(*streams: str) -> Message:
    """A configured catalog of `streams`, all of them by default."""
    return configured(
        {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]} for name in streams or STREAMS
    )


def longest(policy: RetryPolicy) -> float:
    """The most seconds that a request can take if tyntec never limits the rate of requests."""
    waits = sum(policy.wait(attempt) for attempt in range(1, policy.max_attempts))
    return policy.max_attempts * (policy.connect_timeout + policy.answer_timeout) + waits


def command_line(
    folder: str,
    command: str,
    configuration: Any,
    streams: Sequence[str],
    *flags: str,
    time_scale: float = TIME_SCALE,
    policy: Mapping[str, float] | None = None,
) -> list[str]:
    """The command for main.py, or with waits as short as tests need, its files written to `folder`.

    time_scale: the factor for all durations of the retry policy. policy: those that are not to be scaled.
    """
    durations = [f"{name}={value}" for name, value in (policy or {}).items()]
    entry = ["-m", "integration_tests.scaled", str(time_scale), *durations]
    if time_scale == 1 and not policy:
        entry = [str(ROOT / "main.py")]
    words = [sys.executable, *entry, command, *flags]
    files = {"config": configuration} if command != "spec" else {}
    if command == "read":
        files["catalog"] = catalog(*streams)
    for name, content in files.items():
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(content))
        words += [f"--{name}", str(path)]
    return words


def environment(url: str | None, **variables: str) -> dict[str, str]:
    """The environment of the process: with the address of the API, and `variables`."""
    address = {"TYNTEC_API_URL": url} if url else {}
    return {**os.environ, **address, "PYTHONPATH": str(ROOT), **variables}


def run(
    url: str | None,
    command: str,
    configuration: Any = None,
    *flags: str,
    streams: Sequence[str] = (),
    time_scale: float = TIME_SCALE,
    policy: Mapping[str, float] | None = None,
    variables: Mapping[str, str] | None = None,
    timeout: float = 110,
) -> Run:
    """Run `command` against the API at `url`, and check what holds for every run; see `checked`."""
    configuration = config() if configuration is None else configuration
    with tempfile.TemporaryDirectory() as folder:
        words = command_line(folder, command, configuration, streams, *flags, time_scale=time_scale, policy=policy)
        return checked(words, environment(url, **(variables or {})), configuration, timeout)


def checked(
    words: Sequence[str], environment: Mapping[str, str], configuration: Any = None, timeout: float = 110
) -> Run:
    """Run a command line.

    Whatever it is run for, stderr has to stay empty, every line has to be JSON to a strict parser, the API key must not
    be in the output in any form, and what is said to the user has to be in plain words.
    """
    started = time.monotonic()
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=ROOT
    ) as process:
        peak = [0.0]
        watcher = threading.Thread(target=_watch_memory, args=(process, peak))
        watcher.start()
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
            watcher.join()
    seconds = time.monotonic() - started
    assert not errors
    key = configuration.get("api_key") if isinstance(configuration, dict) else None
    # A key as short as a word of JSON cannot be told from it.
    if isinstance(key, str) and len(key.strip()) >= 8:
        assert not [form for form in forms(key.strip()) if form in output], "the API key was printed"
    messages = [strict_json(line) for line in output.splitlines()]
    for said in _said(messages):
        assert not JARGON.search(said), said
    return Run(process.returncode, messages, output, seconds, peak[0])


def forms(key: str) -> list[str]:
    """The key as it is, percent-encoded, and in base64."""
    return [key, quote(key, safe=""), b64encode(key.encode()).decode().rstrip("=")]


def strict_json(line: str) -> Message:
    """The JSON object in a line, which neither Python's parser nor a stricter one may refuse."""
    orjson.loads(line)  # refuses a lone surrogate
    message: Message = json.loads(line, parse_constant=_refuse)
    return message


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _said(messages: Sequence[Message]) -> list[str]:
    """What is said to the user: the log but for its debug level, errors, and the outcome of a check."""
    said = []
    for message in messages:
        if message["type"] == "LOG" and message["log"]["level"] != "DEBUG":
            said.append(message["log"]["message"])
        elif message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
            said.append(message["trace"]["error"]["message"])
        elif message["type"] == "CONNECTION_STATUS":
            said.append(message["connectionStatus"].get("message") or "")
    return said


def _watch_memory(process: "subprocess.Popen[str]", peak: list[float]) -> None:
    """Note the most memory that the process has had resident so far, until it ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.returncode is None:
        try:
            found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        except OSError:
            return
        peak[0] = max(peak[0], int(found[1]) / 1000 if found else 0)
        time.sleep(0.02)
