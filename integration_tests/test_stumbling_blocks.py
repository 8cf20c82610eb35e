"""What somebody runs into who tries the connector for the first time."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import DEFAULT_ID, ROOT, STREAMS, Run, catalog, checked, config, environment, run
from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_data import BUFFERED_ID, OLDER_ID


def read_with(sandbox: Sandbox, tmp_path: Path, content: Any, command: str = "read") -> Run:
    """Run the connector with a catalog file of this content."""
    (tmp_path / "config.json").write_text(json.dumps(config()))
    path = tmp_path / "catalog.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    words = [sys.executable, "main.py", command, "--config", str(tmp_path / "config.json"), "--catalog", str(path)]
    return checked(words, environment(sandbox.url), config())


@pytest.mark.parametrize(
    "entries",
    [
        [f"{OLDER_ID},{BUFFERED_ID}"],
        [f"{OLDER_ID}; {BUFFERED_ID};"],
        [f"\n{OLDER_ID}\n{BUFFERED_ID}\t"],
        [OLDER_ID, BUFFERED_ID],
    ],
)
def test_ids_are_read_as_people_paste_them(sandbox: Sandbox, entries: list[str]) -> None:
    settings = config(additional_message_request_ids=entries)
    result = run(sandbox.url, "read", settings, streams=["message_status"])
    assert {row["requestId"] for row in result.records("message_status")} == {DEFAULT_ID, OLDER_ID, BUFFERED_ID}


@pytest.mark.parametrize("command", ["check", "read"])
def test_an_unknown_setting_is_named_with_the_nearest_known_one(sandbox: Sandbox, command: str) -> None:
    result = run(sandbox.url, command, config(additional_message_request_id=["x"]))
    assert result.exit_code == 0
    assert "Did you mean additional_message_request_ids?" in result.log("WARN")


@pytest.mark.parametrize("command", ["check", "discover", "read"])
def test_a_null_setting_counts_as_left_out(sandbox: Sandbox, command: str) -> None:
    result = run(sandbox.url, command, config(num_workers=None, additional_message_request_ids=None))
    assert result.exit_code == 0
    assert command != "check" or result.connection_status["status"] == "SUCCEEDED"


def test_settings_of_the_earlier_connector_point_to_the_migration_guide(sandbox: Sandbox) -> None:
    settings = {**config(), "to": "+49123", "from": "me", "message": "hello"}
    log = run(sandbox.url, "check", settings).log("WARN")
    assert all(f"The setting {name} is unknown and ignored." in log for name in ("to", "from", "message"))
    assert log.count("migration guide") == 3


@pytest.mark.parametrize("code", ["400", "410", "422"])
def test_one_refused_id_is_skipped_and_named_with_what_tyntec_said(start_sandbox: StartSandbox, code: str) -> None:
    sandbox = start_sandbox(faults={OLDER_ID: code})
    result = run(sandbox.url, "read", config(DEFAULT_ID, OLDER_ID), streams=["message_status"])
    assert result.exit_code == 0
    assert f"Request ids not read: {OLDER_ID}. Reason: refused by tyntec: it answered {code}" in result.log("WARN")


def test_there_is_one_line_of_progress_at_the_end(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    result = run(sandbox.url, "read", config(DEFAULT_ID, "gone"), streams=["message_status"])
    assert result.log("INFO").count("2 of 2 request ids asked: 1 read, 1 unknown.") == 1


def test_no_connection_names_the_host_and_what_to_check_first() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        message = run(f"http://127.0.0.1:{held.getsockname()[1]}", "check").connection_status["message"]
    assert "Check first whether this machine can reach 127.0.0.1: its firewall, DNS and proxy." in message
    assert "If it can, tyntec may be down" in message


def test_a_proxy_that_refuses_is_told_without_a_word_of_firewalls_and_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = proxy.accept()
                    with connection:
                        connection.recv(10_000)
                        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        address = f"http://user:pr0xy-password@127.0.0.1:{proxy.getsockname()[1]}"
        variables = {"HTTPS_PROXY": address, "NO_PROXY": "", "no_proxy": ""}
        result = run(None, "check", None, "--debug", variables=variables)
        proxy.shutdown(socket.SHUT_RDWR)
    message = result.connection_status["message"]
    assert message.startswith("The proxy in the environment variable HTTPS_PROXY (or ALL_PROXY) could not be reached")
    assert "firewall" not in message
    assert "pr0xy-password" not in result.output


def test_the_output_of_discover_is_no_catalog_and_said_to_be_none(sandbox: Sandbox, tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "main.py", "discover", "--config", str(ROOT / "integration_tests/sample_config.json")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (message,) = (json.loads(line) for line in printed.splitlines() if '"CATALOG"' in line)
    for content in (printed, json.dumps(message), json.dumps(message["catalog"])):
        result = read_with(sandbox, tmp_path, content)
        assert result.exit_code == 1
        assert "holds the output of discover. It must hold a configured catalog" in result.error(None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"streams": [\n  {"stream": }\n]}', "is not JSON: see line 2, column 14"),
        ("[]", "holds something else"),
        ('{"streams": 5}', "holds something else"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_fault(
    sandbox: Sandbox, tmp_path: Path, content: str | None, words: str
) -> None:
    result = read_with(sandbox, tmp_path, content)
    assert result.exit_code == 1
    assert f"The file {tmp_path / 'catalog.json'} {words}. It must hold a configured catalog" in result.error(None)
    assert not sandbox.asked


@pytest.mark.parametrize("command", ["check", "read"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n "api_key": "k",\n "message_request_id"\n}', "is not JSON: see line 4, column 1"),
        (b"", "is not JSON: see line 1, column 1"),
        ('{"api_key": "ü"}'.encode("latin-1"), "holds something else"),
        (None, "cannot be read: No such file or directory"),
    ],
    ids=["broken", "empty", "latin", "missing"],
)
def test_a_configuration_that_cannot_be_used_is_told_by_its_fault(
    sandbox: Sandbox, tmp_path: Path, command: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / "my-config.json"
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "catalog.json").write_text(json.dumps(catalog()))
    more = ["--catalog", str(tmp_path / "catalog.json")] if command == "read" else []
    line = [sys.executable, "main.py", command, "--config", str(path), *more]
    result = checked(line, environment(sandbox.url))
    said = result.connection_status["message"] if command == "check" else result.error(None)
    assert said == f"The file {path} {words}. It must hold the settings as a JSON object."
    assert result.exit_code == (0 if command == "check" else 1)


def test_a_folder_is_no_file_that_can_be_read(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "catalog.json").mkdir()
    assert "cannot be read: Is a directory" in read_with(sandbox, tmp_path, None).error(None)


def test_an_unknown_stream_names_the_ones_there_are(sandbox: Sandbox) -> None:
    assert f"It has {', '.join(STREAMS)}." in run(sandbox.url, "read", streams=["messages"]).error("messages")


def test_an_incremental_sync_and_an_empty_catalog_are_warned_of(sandbox: Sandbox, tmp_path: Path) -> None:
    incremental = catalog("message_status")
    incremental["streams"][0]["sync_mode"] = "incremental"
    result = read_with(sandbox, tmp_path, incremental)
    assert result.exit_code == 0
    assert "tyntec has no incremental sync: the stream message_status is read in full." in result.log("WARN")
    assert "selects no stream" in read_with(sandbox, tmp_path, {"streams": []}).log("WARN")


def test_a_null_setting_is_missing(sandbox: Sandbox) -> None:
    message = run(sandbox.url, "check", {**config(), "message_request_id": None}).connection_status["message"]
    assert "'SMS Message Request ID' (message_request_id) is missing" in message


@pytest.mark.parametrize("words", [["--help"], ["read", "--help"], []])
def test_help_shows_an_example_and_only_what_this_connector_takes(words: list[str]) -> None:
    shown = subprocess.run(
        [sys.executable, "main.py", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "example: source-tyntec-sms read --config config.json" in shown
    assert "manifest" not in shown


def sandbox_process(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "integration_tests.sandbox", *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_sandbox_on_a_port_in_use_says_so_in_one_line(sandbox: Sandbox) -> None:
    process = sandbox_process("--port", str(sandbox.port))
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1
    assert str(sandbox.port) in process.stderr


def test_a_sandbox_serves_while_a_command_runs_and_ends_with_its_exit_code() -> None:
    ask = "import os, sys, requests; sys.exit(requests.get(os.environ['TYNTEC_API_URL']).status_code - 400)"
    assert sandbox_process("--port", "0", "--", sys.executable, "-c", ask).returncode == 1


def test_a_sandbox_says_if_there_is_no_such_command() -> None:
    process = sandbox_process("--port", "0", "--", "no-such-command")
    assert process.returncode == 2
    assert "there is no command no-such-command" in process.stderr


@pytest.mark.parametrize(
    ("fault", "known"),
    [("nowhere=500", "contacts"), ("contacts=no-such-fault", "gzip-bomb"), ("contacts", "phone_numbers")],
)
def test_a_sandbox_refuses_what_it_does_not_know_and_lists_what_it_does(fault: str, known: str) -> None:
    process = sandbox_process("--port", "0", "--fault", fault)
    assert process.returncode == 2
    assert known in process.stderr
