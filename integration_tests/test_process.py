"""The process around the connector: how it is stopped, where the key goes, and what of the machine it needs."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import ROOT, command_line, config, environment, run
from integration_tests.sandbox import Sandbox

IDS = [f"id-{number}" for number in range(500)]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("fault", ["500", "hang", None])
def test_a_signal_ends_a_parallel_read_within_seconds_and_with_whole_lines(
    start_sandbox: StartSandbox, signum: signal.Signals, fault: str | None
) -> None:
    sandbox = start_sandbox(
        statuses={name: {"status": "DELIVERED"} for name in IDS},
        faults={"message_status": fault} if fault else {},
        delay=0 if fault else 0.2,
    )
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command_line(folder, "read", config(*IDS), ["message_status", "contacts"], time_scale=1),
            env=environment(sandbox.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while sandbox.requests("/messaging") < 10:
            time.sleep(0.05)
        time.sleep(0.3)
        signalled = time.monotonic()
        process.send_signal(signum)
        output, errors = process.communicate(timeout=30)
    assert time.monotonic() - signalled < 3.5  # seconds: it did not have to be forced
    assert process.returncode == -signum
    assert not errors
    assert output.endswith("\n")
    messages = [json.loads(line) for line in output.splitlines()]
    assert messages[-1]["log"]["message"].startswith(f"Stopped by {signum.name}")
    assert "Traceback" not in output


# The connector, with threads that log all the time while it checks.
BUSY = """
import threading, time
from source_tyntec_sms.run import run
from source_tyntec_sms.source import SourceTyntecSms

def check(logger, config):
    def log():
        while True:
            logger.info("busy")

    for _ in range(4):
        threading.Thread(target=log, daemon=True).start()
    time.sleep(60)

source = SourceTyntecSms()
source.check = check
run(source)
"""


def test_a_signal_ends_the_process_at_once_while_threads_log() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config()))
        process = subprocess.Popen(
            [sys.executable, "-c", BUSY, "check", "--config", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        output, _ = process.communicate(timeout=30)
    assert time.monotonic() - signalled < 3.5
    assert process.returncode == -signal.SIGTERM
    assert json.loads(output.splitlines()[-1])["log"]["message"].startswith("Stopped by SIGTERM")


def test_a_reader_that_goes_away_ends_the_process(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(statuses={name: {"status": "DELIVERED"} for name in IDS}, delay=0.1)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command_line(folder, "read", config(*IDS), ["message_status"], time_scale=1),
            env=environment(sandbox.url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) != 0
        assert process.stderr
        assert not process.stderr.read()
        process.stderr.close()


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_slow_reader_of_an_output_that_does_not_block_gets_every_line(
    start_sandbox: StartSandbox, variables: dict[str, str]
) -> None:
    count = 5000
    rows = [{"contactId": str(number), "companyName": "x" * 200} for number in range(count)]
    sandbox = start_sandbox(rows={**{name: [] for name in sandbox_data.LISTS}, "contacts": rows})
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with tempfile.TemporaryDirectory() as folder:
        words = command_line(folder, "read", config(), ["contacts"], time_scale=1)
        process = subprocess.Popen(
            words, env=environment(sandbox.url, **variables), stdout=writing, stderr=subprocess.PIPE
        )
        os.close(writing)
        lines = bytearray()
        while piece := os.read(reading, 10_000):
            lines += piece
            time.sleep(0.001)
        os.close(reading)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert not errors
    assert sum(json.loads(line)["type"] == "RECORD" for line in lines.splitlines()) == count


def test_a_closed_output_ends_the_process_without_a_traceback() -> None:
    process = subprocess.run(
        ["sh", "-c", f"{sys.executable} main.py spec >&-"], cwd=ROOT, capture_output=True, check=False
    )
    assert process.returncode == 1
    assert not process.stderr


@pytest.fixture
def other_host() -> Iterator[tuple[int, list[bytes]]]:
    """A port on loopback, and all that was sent to it."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(10_000))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], received
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_key_to_no_other_host(
    start_sandbox: StartSandbox, other_host: tuple[int, list[bytes]], code: int
) -> None:
    port, received = other_host
    sandbox = start_sandbox(faults={"message_status": str(code), "contacts": str(code)})
    sandbox.location = f"http://127.0.0.1:{port}/messaging/v1/sms"
    result = run(sandbox.url, "read", streams=["message_status", "contacts"])
    assert result.ended("contacts") == "INCOMPLETE"
    assert received == []


def test_a_proxy_is_used_for_https_and_sees_no_key(other_host: tuple[int, list[bytes]]) -> None:
    port, received = other_host
    variables = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": "", "no_proxy": ""}
    result = run(None, "check", variables=variables)
    assert result.connection_status["status"] == "FAILED"
    assert received[0].startswith(b"CONNECT api.tyntec.com:443 ")
    assert not any(b"sandbox-key" in sent for sent in received)


def test_a_proxy_does_not_see_what_goes_to_loopback(sandbox: Sandbox, other_host: tuple[int, list[bytes]]) -> None:
    port, received = other_host
    proxy = f"http://127.0.0.1:{port}"
    result = run(sandbox.url, "check", variables={"HTTP_PROXY": proxy, "http_proxy": proxy, "ALL_PROXY": proxy})
    assert result.connection_status["status"] == "SUCCEEDED"
    assert received == []


def test_no_netrc_credential_is_added(sandbox: Sandbox, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\ndefault login somebody password secret\n")
    netrc.chmod(0o600)
    result = run(sandbox.url, "check", variables={"HOME": str(tmp_path), "NETRC": str(netrc)})
    assert result.connection_status["status"] == "SUCCEEDED"
    assert "Authorization" not in sandbox.asked[0].headers


@pytest.mark.parametrize("command", ["check", "read"])
def test_a_key_that_the_api_echoes_is_masked(start_sandbox: StartSandbox, command: str) -> None:
    sandbox = start_sandbox(faults={"message_status": "echo", "contacts": "echo"})
    result = run(sandbox.url, command, config("id-1", key=" sandbox-key\n"), "--debug")
    assert "The key **** is not welcome" in result.output


READ_ONLY = """
import errno, os, sys

def refuse(event, arguments):
    named = event == "open" and not isinstance(arguments[0], int) and arguments[0] != os.devnull
    writes = named and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event in ("os.mkdir", "os.rename", "os.remove", "tempfile.mkdtemp", "tempfile.mkstemp"):
        raise OSError(errno.EROFS, "Read-only file system")

sys.addaudithook(refuse)
"""


def test_neither_a_writable_file_system_nor_home_is_needed(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(READ_ONLY)
    with tempfile.TemporaryDirectory() as folder:
        command = command_line(folder, "read", config(), [])
        variables = environment(sandbox.url, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
        for name in ("HOME", "USER", "LOGNAME", "TMPDIR"):
            variables.pop(name, None)
        process = subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False)
        probe = subprocess.run(
            [command[0], "-c", "open('x', 'w')"], env=variables, cwd=folder, capture_output=True, text=True, check=False
        )
    assert "Read-only file system" in probe.stderr
    assert process.returncode == 0
    assert not process.stderr
    assert process.stdout.count('"type":"RECORD"') == 1 + sum(map(len, sandbox.rows.values()))
