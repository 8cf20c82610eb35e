"""Runs the connector in-process or as a process, and checks what holds for every run."""

import json
import logging
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Level, Status
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from airbyte_cdk.test.models import ExpectedOutcome

from sandbox.data import STREAMS, TODAYS_ID, Row, status
from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.client import RetryPolicy

ROOT = Path(__file__).parent.parent
MAIN = (sys.executable, str(ROOT / "main.py"))
SCRIPT = (str(Path(sysconfig.get_path("scripts"), "source-tyntec-sms")),)
KEY = "sandbox-key"
QUICK = RetryPolicy(first_wait=0.001, longest_wait=0.002)
# As the earlier connector, which was low-code, left it.
EARLIER_STATE = [
    {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}}
    for name, state in [
        ("sms", {"__ab_no_cursor_state_message": True}),
        ("messages", {"__ab_full_refresh_sync_complete": True}),
        ("contacts", {}),
    ]
]
# Python's own notation, and words of the libraries below the connector.
JARGON = re.compile(
    r"Traceback|\w(Error|Exception|Warning)\b|<class| object at 0x|\[Errno|urllib3"
    r"|HTTPConnectionPool|Max retries|airbyte_cdk|\bNone\b|[{\[(]'|\\[nux]"
)


def config(*request_ids: str, **settings: Any) -> dict[str, Any]:
    """A configuration with `request_ids`, by default one that the sandbox knows."""
    first, *others = request_ids or (TODAYS_ID,)
    additional = {"message_request_id": first, "additional_message_request_ids": others}
    return {"api_key": KEY, **additional, **settings}


def statuses(count: int) -> dict[str, Row]:
    """Message statuses by request id."""
    ids = [f"{number:08d}-4671-4feb-9bc7-6b0df1880000" for number in range(count)]
    return {request_id: status(request_id) for request_id in ids}


def catalog(*streams: str) -> dict[str, Any]:
    """A configured catalog of `streams`, by default of all."""
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    described = {"json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    return {
        "streams": [{"stream": {"name": name, **described}, **modes} for name in streams or STREAMS]
    }


def arguments(folder: Path, configuration: Any, *streams: str) -> list[str]:
    """The arguments of a read, whose files are written to `folder`."""
    contents = {"config": configuration, "catalog": catalog(*streams), "state": EARLIER_STATE}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return [word for name in contents for word in (f"--{name}", str(folder / f"{name}.json"))]


def read(
    configuration: dict[str, Any], *streams: str, policy: RetryPolicy = QUICK
) -> EntrypointOutput:
    """Read `streams`, by default all, in-process."""
    source = SourceTyntecSms(policy, policy)
    selected = ConfiguredAirbyteCatalogSerializer.load(catalog(*streams))
    any_outcome = ExpectedOutcome.ALLOW_ANY
    return _checked(
        entrypoint_wrapper.read(source, configuration, selected, expected_outcome=any_outcome)
    )


def check(configuration: dict[str, Any], policy: RetryPolicy = QUICK) -> str:
    """Check in-process. Returns the reason for a failure, or an empty text."""
    outcome = SourceTyntecSms(policy, policy).check(logging.getLogger("airbyte"), configuration)
    assert bool(outcome.message) == (outcome.status == Status.FAILED)
    assert not JARGON.search(outcome.message or ""), outcome.message
    assert KEY not in (outcome.message or "")
    return outcome.message or ""


def run(command: Sequence[str], exit_code: int = 0, timeout: float = 100) -> EntrypointOutput:
    """Run a command line as a process."""
    process = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert process.returncode == exit_code, process.stdout
    return messages(process.stdout, process.stderr)


def messages(stdout: str, stderr: str) -> EntrypointOutput:
    """The messages that a process printed: strict JSON, without the key, in plain words."""
    assert not stderr
    assert KEY not in stdout
    for line in stdout.splitlines():
        orjson.loads(line)  # refuses NaN and half an emoji
    output = EntrypointOutput(stdout.splitlines())
    log: list[Any] = output.logs
    for words in (each.log.message for each in log if each.log.level != Level.DEBUG):
        assert not JARGON.search(words), words
    return _checked(output)


def _checked(output: EntrypointOutput) -> EntrypointOutput:
    for kind, words in failures(output).values():
        assert not JARGON.search(words), words
        assert KEY not in words
        assert kind
    return output


def failures(output: EntrypointOutput) -> dict[str, tuple[str, str]]:
    """The failure type and the message of each stream that failed; those of the sync under ""."""
    found: dict[str, tuple[str, str]] = {}
    traces: list[Any] = output.errors
    for error in (trace.trace.error for trace in traces):
        name = error.stream_descriptor.name if error.stream_descriptor else ""
        assert name not in found, "a stream has one error"
        found[name] = error.failure_type.value, error.message
    return found


def rows(output: EntrypointOutput, stream: str = "message_status") -> list[Row]:
    """The records of a stream."""
    records: list[Any] = output.records
    return [each.record.data for each in records if each.record.stream == stream]


def ids(output: EntrypointOutput) -> list[str]:
    """The sorted request ids of the message statuses."""
    return sorted(row["requestId"] for row in rows(output))
