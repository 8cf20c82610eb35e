"""An API that mixes up messages, fills the memory or watches what it is sent."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import LISTS, ROOT, command_line, config, environment, run, strict_json

IDS = [f"id-{number}" for number in range(12)]
STATUSES = {name: sandbox_data.status(name) for name in IDS}


def test_a_server_that_answers_every_id_with_the_same_status_gives_that_one_record(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(statuses=STATUSES, faults={"message_status": "id-of-another"})
    result = run(sandbox.url, "read", config(*IDS), streams=["message_status"])
    assert [row["requestId"] for row in result.records("message_status")] == ["id-0"]
    assert result.ended("message_status") == "INCOMPLETE"
    assert "the request for id-1 with the status of id-0" in result.log("WARN")


@pytest.mark.parametrize("workers", [1, 10])
def test_answers_that_come_one_late_after_a_failure_reach_no_other_message(
    start_sandbox: StartSandbox, workers: int
) -> None:
    statuses = {name: {**row, "reference": name} for name, row in STATUSES.items()}
    sandbox = start_sandbox(statuses=statuses, faults={"message_status": "late:1"})
    result = run(sandbox.url, "read", config(*IDS, num_workers=workers), streams=["message_status"])
    assert result.exit_code == 0
    assert {row["requestId"]: row["reference"] for row in result.records("message_status")} == dict(
        zip(IDS, IDS, strict=True)
    )


@pytest.mark.parametrize(
    "request_id", [{"id": 1}, ["id-0"], True, "id\n0\u202e"], ids=["object", "list", "true", "control"]
)
def test_a_request_id_that_is_none_fails_its_message_in_plain_words(
    start_sandbox: StartSandbox, request_id: object
) -> None:
    sandbox = start_sandbox(statuses={"id-1": {"requestId": request_id, "status": "DELIVERED"}})
    result = run(sandbox.url, "read", config("id-1"), streams=["message_status"])
    assert not result.records("message_status")
    assert "tyntec answered the request for id-1 with the status of " in result.error("message_status")


@pytest.mark.parametrize("fault", ["endless-102", "bad-version", "bad-status", "bad-chunk", "long-header"])
def test_what_is_not_valid_http_is_asked_for_again_and_told_in_plain_words(
    start_sandbox: StartSandbox, fault: str
) -> None:
    sandbox = start_sandbox(faults={"contacts": fault, "message_status": f"{fault}:2"})
    result = run(sandbox.url, "read", streams=["contacts", "message_status"], time_scale=0.01)
    assert result.errors("contacts")[0]["failure_type"] == "transient_error"
    assert "unexpected" not in result.error("contacts")
    assert len(result.records("message_status")) == 1


@pytest.mark.parametrize("workers", [1, 40])
@pytest.mark.parametrize("fault", ["gzip-bomb", "gzip-bomb-twice", "deflate-bomb", "endless-chunks"])
def test_a_bomb_does_not_fill_the_memory(start_sandbox: StartSandbox, fault: str, workers: int) -> None:
    ids = [f"id-{number}" for number in range(40)]
    sandbox = start_sandbox(faults={"message_status": fault, "contacts": fault})
    result = run(sandbox.url, "read", config(*ids, num_workers=workers), streams=["contacts", "message_status"])
    assert "larger than 256 MB" in result.error("contacts")
    assert "larger than 5 MB" in result.error("message_status")
    assert result.peak_memory < 600


def test_cookies_are_neither_kept_nor_sent(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(statuses=STATUSES, faults={"message_status": "cookies"})
    result = run(sandbox.url, "read", config(*IDS), streams=["message_status"])
    assert result.exit_code == 0
    assert not any("Cookie" in asked.headers for asked in sandbox.asked)


@pytest.mark.parametrize("fault", ["cookies", "bare-header"])
def test_odd_headers_leave_no_warning_in_the_output(start_sandbox: StartSandbox, fault: str) -> None:
    result = run(start_sandbox(faults={"message_status": fault}).url, "read", streams=["message_status"])
    assert result.exit_code == 0
    assert not result.log("WARN", "ERROR")


def test_numbers_and_depths_that_a_strict_parser_refuses_are_not_printed(start_sandbox: StartSandbox) -> None:
    inside: object = "found"
    for _ in range(900):
        inside = [inside]
    status = {**STATUSES["id-0"], "large": 10**400, "larger": -(10**4000), "least": -(2**63), "inside": inside}
    result = run(start_sandbox(statuses={"id-0": status}).url, "read", config("id-0"), streams=["message_status"])
    (row,) = result.records("message_status")
    assert row["large"] == str(10**400)
    assert row["larger"] == str(-(10**4000))
    assert row["least"] == -(2**63)
    assert str(row["inside"]).count("[") == 900


@pytest.mark.parametrize("fault", ["echo", "echo-percent", "echo-base64"])
@pytest.mark.parametrize("flags", [(), ("--debug",)], ids=["normal", "debug"])
def test_a_key_that_the_api_echoes_is_masked_in_every_form(
    start_sandbox: StartSandbox, fault: str, flags: tuple[str, ...]
) -> None:
    key = "s3cr/et+key=1:2"
    sandbox = start_sandbox(key=key, faults={"message_status": fault, "contacts": fault})
    result = run(sandbox.url, "read", config(key=key), *flags, streams=["message_status", "contacts"])
    assert "The key ****" in result.error("contacts")


@pytest.mark.parametrize("key", ["type", "{", ":", "LOG", "message"])
def test_a_key_that_is_a_word_of_the_protocol_breaks_no_line(start_sandbox: StartSandbox, key: str) -> None:
    result = run(start_sandbox(key=key).url, "read", config(key=key), "--debug", streams=[LISTS[0]])
    assert result.exit_code == 0
    assert any(message["type"] == "RECORD" for message in result.messages)


def test_a_key_pasted_with_quotation_marks_into_both_fields_is_not_printed(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    result = run(sandbox.url, "check", config('"my-secret-key"', key='"my-secret-key"'))
    assert result.connection_status["status"] == "FAILED"
    assert "my-secret-key" not in result.output
    assert not sandbox.asked


def test_a_key_inside_a_request_id_is_refused(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    result = run(sandbox.url, "check", config("x-sandbox-key-y"))
    assert "contains the API key" in result.connection_status["message"]
    assert not sandbox.asked


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"},
            "The environment variable REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file",
        ),
        ({"HTTPS_PROXY": "foo://proxy"}, "The environment variable HTTPS_PROXY (or ALL_PROXY) does not name a proxy"),
        ({"HTTPS_PROXY": "http://["}, "The environment variable HTTPS_PROXY (or ALL_PROXY) does not name a proxy"),
        (
            {"HTTPS_PROXY": "http://127.0.0.1:9"},
            "The proxy in the environment variable HTTPS_PROXY (or ALL_PROXY) could not be",
        ),
        (
            {"DEPLOYMENT_MODE": "cloud", "TYNTEC_API_URL": "https://name.invalid"},
            "The connection to name.invalid could",
        ),
        ({"DEPLOYMENT_MODE": "cloud"}, "127.0.0.1 belongs to a private network, which cannot be reached"),
        (
            {"DEPLOYMENT_MODE": "cloud", "TYNTEC_API_URL": "http://127.0.0.1:9"},
            "on Airbyte Cloud TYNTEC_API_URL names this machine",
        ),
        ({"ALL_PROXY": "socks5://127.0.0.1:9"}, "The environment variable HTTPS_PROXY (or ALL_PROXY) names a SOCKS"),
        ({"TYNTEC_API_URL": "https://name.invalid"}, "whether this machine can reach name.invalid: its firewall, DNS"),
    ],
)
def test_what_the_environment_breaks_is_named(variables: dict[str, str], words: str) -> None:
    local = {"TYNTEC_API_URL": "https://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    result = run(None, "check", variables={**local, **variables})
    assert words in result.connection_status["message"]
    result = run(None, "read", streams=["message_status"], variables={**local, **variables})
    assert words in result.error("message_status")
    fixable = "could" not in words and "can reach" not in words
    assert result.errors("message_status")[0]["failure_type"] == ("config_error" if fixable else "transient_error")


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_an_emoji_is_printed_whatever_the_locale_says(start_sandbox: StartSandbox, locale: dict[str, str]) -> None:
    sandbox = start_sandbox(faults={"message_status": "emoji"})
    result = run(sandbox.url, "read", streams=["message_status"], variables=locale)
    assert result.exit_code == 0
    assert not str(result.records("message_status")).isascii()


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("full", ["disk", "file"])
def test_output_that_cannot_be_written_ends_the_process_at_once(start_sandbox: StartSandbox, full: str) -> None:
    ids = [f"id-{number}" for number in range(3000)]
    sandbox = start_sandbox(statuses={name: sandbox_data.status(name) for name in ids}, delay=0.02)
    with tempfile.TemporaryDirectory() as folder:
        path = Path("/dev/full") if full == "disk" else Path(folder) / "output"
        with path.open("wb") as output:
            process = subprocess.run(
                command_line(folder, "read", config(*ids), ["message_status"], time_scale=1),
                env=environment(sandbox.url),
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
                preexec_fn=_small_files if full == "file" else None,
            )
    assert process.returncode != 0
    assert not process.stderr
    assert sandbox.requests() < 1500


INTERRUPT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_BEFORE"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["airbyte_cdk", "requests", "source_tyntec_sms.config", "yaml"])
def test_ctrl_c_before_all_modules_are_there_prints_nothing(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    variables = environment(None, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}", INTERRUPTED_BEFORE=module)
    process = subprocess.run(
        [sys.executable, "main.py", "spec"], cwd=ROOT, env=variables, capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGINT
    assert not process.stderr + process.stdout


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_of_a_check_leaves_neither_a_traceback_nor_half_a_line(
    start_sandbox: StartSandbox, signum: signal.Signals
) -> None:
    sandbox = start_sandbox(faults={"message_status": "hang"})
    with tempfile.TemporaryDirectory() as folder:
        words = command_line(folder, "check", config(), [], time_scale=1)
        for tenths in range(4, 14):
            process = subprocess.Popen(
                words, cwd=ROOT, env=environment(sandbox.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            time.sleep(tenths / 10)
            process.send_signal(signum)
            output, errors = process.communicate(timeout=30)
            assert process.returncode == -signum
            assert not errors
            assert not output or output.endswith(b"\n")
            assert all(strict_json(line.decode()) for line in output.splitlines())
