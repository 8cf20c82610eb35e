"""The connector as a process: exit codes, signals, pipes, and the command that Airbyte starts."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import (
    MAIN,
    ROOT,
    SCRIPT,
    arguments,
    config,
    failures,
    ids,
    messages,
    rows,
    run,
    statuses,
)  # fmt: skip
from sandbox import Sandbox
from sandbox.data import STREAMS, TODAYS_ID

IDS = statuses(300)


def test_spec_has_the_form() -> None:
    output = run([*MAIN, "spec"])
    specs: list[Any] = output.spec_messages
    (form,) = (each.spec.connectionSpecification for each in specs)
    assert form["required"] == ["api_key", "message_request_id"]


@pytest.mark.parametrize(
    ("key", "status"), [("sandbox-key", "SUCCEEDED"), ("another-key", "FAILED")]
)
def test_a_check_exits_with_0(sandbox: Sandbox, tmp_path: Path, key: str, status: str) -> None:
    given = arguments(tmp_path, config(api_key=key))[:2]
    output = run([*SCRIPT, "check", *given])
    outcomes: list[Any] = output.connection_status_messages
    assert [each.connectionStatus.status.value for each in outcomes] == [status]
    assert sandbox.requests() == 1


def test_discover_lists_the_streams(sandbox: Sandbox, tmp_path: Path) -> None:
    discovered: Any = run([*MAIN, "discover", *arguments(tmp_path, config())[:2]]).catalog
    assert [stream.name for stream in discovered.catalog.streams] == [*STREAMS]
    assert not sandbox.requests()


def test_a_read_exits_with_0(sandbox: Sandbox, tmp_path: Path) -> None:
    output = run([*MAIN, "read", *arguments(tmp_path, config(*sandbox.statuses))])
    assert ids(output) == sorted(sandbox.statuses)
    for name in STREAMS[1:]:
        assert len(rows(output, name)) == len(sandbox.rows[name])


def test_a_stream_that_fails_exits_with_1(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    start_sandbox(byon=False)
    output = run([*SCRIPT, "read", *arguments(tmp_path, config())], exit_code=1)
    assert failures(output).keys() == {"", *STREAMS[1:]}
    assert ids(output) == [TODAYS_ID]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("fault", ["", "hang", "429"])
def test_a_signal_ends_a_read_at_once(
    start_sandbox: StartSandbox, tmp_path: Path, signum: signal.Signals, fault: str
) -> None:
    """While all workers wait: for tyntec, for a response that does not come, for the limit."""
    faults = {"message_status": fault} if fault else {}
    sandbox = start_sandbox(statuses=IDS, delay=0 if fault else 0.5, faults=faults)
    given = arguments(tmp_path, config(*IDS), "contacts", "message_status")
    with subprocess.Popen(
        [*MAIN, "read", *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while not sandbox.requests("/messaging"):
                time.sleep(0.1)
            signalled = time.monotonic()
            process.send_signal(signum)
            output, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert time.monotonic() - signalled < 5
    assert process.returncode == -signum
    assert output.endswith("\n")
    messages(output, errors)


def test_a_slow_reader_of_a_pipe_gets_every_line(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    start_sandbox(statuses=IDS)
    given = arguments(tmp_path, config(*IDS), "message_status", "phone_numbers")
    with subprocess.Popen(
        [*SCRIPT, "read", *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        lines = bytearray()
        while piece := process.stdout.read(65536):
            lines += piece
            time.sleep(0.05)
        output = messages(lines.decode(), process.stderr.read().decode())
    assert process.returncode == 0
    assert ids(output) == sorted(IDS)
    assert len(rows(output, "phone_numbers")) == 3210


# Runs a command as uid 1000, who may read every file, as Python may be in /root, and write none.
AS_USER = [
    *("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
]


def test_the_command_of_the_platform_reads_all(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    """As Airbyte starts the image: through FIFOs, and by a user with little room for files."""
    sandbox = start_sandbox(statuses=IDS)
    given = " ".join(arguments(tmp_path, config(*IDS, "never-known"), "message_status"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    temporary.chmod(0o777)
    found: dict[str, str] = {}

    def collect(fifo: Path) -> None:
        found[fifo.name] = fifo.read_text()

    fifos = [tmp_path / name for name in ("stdout", "stderr")]
    readers = [threading.Thread(target=collect, args=[fifo], daemon=True) for fifo in fifos]
    for fifo, reader in zip(fifos, readers, strict=True):
        os.mkfifo(fifo)
        fifo.chmod(0o666)
        reader.start()
    variables = {"AIRBYTE_ENTRYPOINT": SCRIPT[0], "LOG_LEVEL": "debug", "TMPDIR": str(temporary)}
    line = f'eval "$AIRBYTE_ENTRYPOINT read {given}" 2>{fifos[1]} >{fifos[0]}'
    is_root = not os.getuid() and not subprocess.run([*AS_USER, "true"], check=False).returncode
    process = subprocess.run(
        [*(AS_USER if is_root else []), "sh", "-c", f"(ulimit -f 200; {line})"],
        cwd=ROOT,
        env=os.environ | variables,
        timeout=60,
        check=False,
    )
    for reader in readers:
        reader.join(10)
    output = messages(found["stdout"], found["stderr"])
    assert process.returncode == 0
    assert ids(output) == sorted(IDS)
    assert '"level":"DEBUG"' in found["stdout"]
    assert sandbox.requests() == 1 + len(IDS)
    assert not [*temporary.iterdir()]
