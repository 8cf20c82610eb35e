"""The commands of the connector, its log, and its import."""

import io
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from airbyte_cdk import AirbyteTracedException
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.test.entrypoint_wrapper import discover
from airbyte_cdk.test.models import ExpectedOutcome
from requests_mock import Mocker

from source_tyntec_sms import run
from unit_tests import tyntec
from unit_tests.helpers import catalog, config, errors, logged, records, rows, source, sync
from unit_tests.tyntec import KEY, STREAMS, status

Line = dict[str, Any]
Read = Callable[..., list[Line]]


@pytest.fixture
def read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Read]:
    """Runs a read of the connector with settings. Returns the lines of its output."""
    log, handler = io.StringIO(), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(run, "SourceTyntecSms", source)
    monkeypatch.chdir(tmp_path)

    def execute(*options: str, **settings: Any) -> list[Line]:
        streams = ConfiguredAirbyteCatalogSerializer.dump(catalog("message_status", "contacts"))
        Path("catalog.json").write_text(json.dumps(streams))
        Path("config.json").write_text(json.dumps(config(**settings)))
        files = ["--config", "config.json", "--catalog", "catalog.json"]
        monkeypatch.setattr(sys, "argv", ["source-tyntec-sms", "read", *options, *files])
        with monkeypatch.context() as patch, suppress(AirbyteTracedException):
            patch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(log)])
            run.run()
        printed = capsys.readouterr().out + log.getvalue()
        return [json.loads(line) for line in printed.splitlines()]

    yield execute
    signal.signal(signal.SIGINT, handler)


def test_discover_needs_valid_settings() -> None:
    outcome = ExpectedOutcome.ALLOW_ANY
    failure_type, message = errors(discover(source(), config("a/b"), expected_outcome=outcome))[""]
    assert failure_type == "config_error"
    assert "a/b is not a request id" in message


@pytest.mark.parametrize("names", [tuple(STREAMS), tuple(STREAMS)[::-1]])
def test_streams_are_read_in_the_order_of_the_catalog(api: Mocker, names: tuple[str, ...]) -> None:
    api.get(requests_mock.ANY, **tyntec.EVERYTHING)
    read = sync(streams=names).records
    assert tuple(message.record.stream for message in read if message.record) == names


def test_an_unknown_stream_is_named(api: Mocker) -> None:
    api.get(STREAMS["message_status"], **status())
    output = sync(streams=("sms", "message_status"))
    assert len(records(output)) == 1
    assert list(errors(output)) == ["sms", ""]
    assert "not read in full: sms." in errors(output)[""][1]


def test_another_address_is_logged(api: Mocker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", "http://localhost:8080/")
    api.get("http://localhost:8080/messaging/v1/messages/id-1", **status())
    output = sync()
    assert len(rows(output)) == 1
    assert "TYNTEC_API_URL is set: the API is at http://localhost:8080." in logged(output, "INFO")


# The log


def test_a_log_has_plain_words_alone(api: Mocker, read: Read) -> None:
    api.get(STREAMS["message_status"], [tyntec.UNAVAILABLE, status()])
    api.get(tyntec.CONTACTS, **tyntec.UNAVAILABLE)
    lines = [line["log"]["message"] for line in read() if line["type"] == "LOG"]
    words = "\n".join(lines)
    assert "Attempt 1 of 3 failed: HTTP 503" in words
    assert "Attempt 3" not in words
    assert "1 of 1 message statuses read" in words
    assert not re.search(r"Traceback|Exception|UserDefined|MemoryMonitor|\('|Response", words)


@pytest.mark.parametrize("options", [[], ["--debug"]])
def test_the_key_is_never_printed(api: Mocker, read: Read, options: list[str]) -> None:
    echo = {"message": f"Key {KEY}", "requestId": "id-1"}
    api.get(STREAMS["message_status"], json=echo, headers={"X-Key": KEY})
    api.get(tyntec.CONTACTS, status_code=401, json=echo, headers={"X-Key": KEY})
    lines = read(*options, api_key=f" {KEY} ")
    printed = json.dumps([line for line in lines if line["type"] != "RECORD"])
    assert "Key ****" in printed
    assert KEY not in printed
    assert ("apikey" in printed) == bool(options)


# The process


IMPORT = """
import logging, os, signal, sys, threading, warnings
import pydantic
from airbyte_cdk import AirbyteEntrypoint, AirbyteLogFormatter, HttpStream
from airbyte_cdk.sources.streams.http import HttpClient
from requests import Session

def state():
    loggers = map(logging.getLogger, ("", "airbyte", "urllib3", "requests"))
    return [
        [signal.getsignal(each) for each in signal.valid_signals()],
        [(*each.handlers, *each.filters, each.level) for each in loggers],
        [dict(os.environ), list(warnings.filters), threading.active_count()],
        [sys.stdout, sys.stderr, sys.excepthook, threading.excepthook],
        [dict(vars(each)) for each in (Session, HttpClient, HttpStream, AirbyteLogFormatter)],
    ]

os.environ.clear()  # the parent has imported the package
before = state()
import source_tyntec_sms.run
assert state() == before
"""


def test_an_import_changes_nothing_in_the_process() -> None:
    subprocess.run([sys.executable, "-c", IMPORT], check=True)
