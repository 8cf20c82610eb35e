"""Runs the connector as the platform does, as a process, and judges it by the messages it prints."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# Waits and time limits of a fiftieth: 16 seconds at most between two attempts become 0.3.
TIME_SCALE = 0.02
STREAMS = ("message_status", "contacts", "phone_numbers", "phone_registrations")
DEFAULT_KEY = "sandbox-key"

Message = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished process: its exit code, the messages it printed, and how long it took."""

    exit_code: int
    messages: list[Message]
    output: str
    seconds: float

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
    first, *others = request_ids or ("e74db8d4-77ad-4671-8feb-9bc76b0df188",)
    return {
        "api_key": key,
        "message_request_id": first,
        "additional_message_request_ids": others,
        **settings,
    }


def catalog(*streams: str) -> Message:
    """A configured catalog of `streams`, all of them by default."""
    return {
        "streams": [
            {
                "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "overwrite",
            }
            for name in streams or STREAMS
        ]
    }


def command_line(folder: str, command: str, configuration: Any, streams: Sequence[str], *flags: str) -> list[str]:
    """The command for main.py, its files written to `folder`."""
    words = [sys.executable, str(ROOT / "main.py"), command, *flags]
    files = {"config": configuration} if command != "spec" else {}
    if command == "read":
        files["catalog"] = catalog(*streams)
    for name, content in files.items():
        path = Path(folder) / f"{name}.json"
        path.write_text(json.dumps(content))
        words += [f"--{name}", str(path)]
    return words


def environment(url: str | None, time_scale: float = TIME_SCALE, **variables: str) -> dict[str, str]:
    """The environment of the process: with waits as short as tests need, and `variables`."""
    address = {"TYNTEC_API_URL": url} if url else {}
    return {**os.environ, **address, "TYNTEC_TIME_SCALE": str(time_scale), **variables}


def run(  # noqa: PLR0913
    url: str | None,
    command: str,
    configuration: Any = None,
    *flags: str,
    streams: Sequence[str] = (),
    time_scale: float = TIME_SCALE,
    variables: Mapping[str, str] | None = None,
    timeout: float = 110,
) -> Run:
    """Run `command` against the API at `url`.

    Whatever it is run for, every line has to be JSON, and the API key must not be in the output.
    """
    configuration = config() if configuration is None else configuration
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        process = subprocess.run(
            command_line(folder, command, configuration, streams, *flags),
            env=environment(url, time_scale, **(variables or {})),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        seconds = time.monotonic() - started
    output = process.stdout + process.stderr
    assert not process.stderr
    key = configuration.get("api_key") if isinstance(configuration, dict) else None
    assert not (isinstance(key, str) and key.strip() and key.strip() in output), "the API key was printed"
    return Run(process.returncode, [json.loads(line) for line in process.stdout.splitlines()], output, seconds)
