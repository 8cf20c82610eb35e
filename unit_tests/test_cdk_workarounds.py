"""What `run` works around in the CDK is still there. A test that fails here names a workaround that can go.

The CDK is used as it is: its entry point reads the connector's streams, with an API that fails in its own ways.
"""

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import AirbyteLogFormatter
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from requests_mock import Mocker

from source_tyntec_sms.run import CDK_LOGS
from unit_tests.conftest import LOGGER, STATUSES, config, source

ROOT = Path(__file__).parent.parent

# In a process of its own, because the CDK warns of an integer above 64 bits only once.
READ_WITH_THE_CDK = """
import json, logging
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from requests_mock import Mocker
from integration_tests.catalog import configured
from unit_tests.conftest import API, LISTS, STATUSES, config, source

class Handler(logging.Handler):
    def emit(self, record):
        logged.append([record.module, record.getMessage(), bool(record.exc_info)])

def stream(name):
    return {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]}

logged, messages, error = [], [], ""
logging.getLogger().handlers = [Handler()]
connector = source(max_attempts=3)
entrypoint = AirbyteEntrypoint(connector)
catalog = ConfiguredAirbyteCatalogSerializer.load(configured(map(stream, ["no_such", "contacts", "message_status"])))
with Mocker() as api:
    api.get(f"{API}/byon/contacts/v1", status_code=401, json={"message": "Invalid authentication credentials"})
    api.get(f"{STATUSES}/id-1", [{"status_code": 500}, {"json": {"status": "DELIVERED", "large": 2**70}}])
    try:
        for message in entrypoint.read(connector.spec(logging.getLogger("airbyte")), config(), catalog, []):
            messages.append(json.loads(AirbyteEntrypoint.airbyte_message_to_string(message)))
    except Exception as exception:
        error = str(exception)
print(json.dumps({"logged": logged, "messages": messages, "error": error}))
"""


@pytest.fixture(scope="module")
def with_the_cdk() -> dict[str, Any]:
    """What the CDK logs, emits and raises by itself: for an unknown stream, one that fails and one that is retried."""
    process = subprocess.run(
        [sys.executable, "-c", READ_WITH_THE_CDK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(process.stdout)
    return found


@pytest.mark.parametrize("row", CDK_LOGS, ids=lambda row: " ".join(row).strip())
def test_the_cdk_still_logs_what_is_kept_out_of_the_log(with_the_cdk: dict[str, Any], row: tuple[str, str]) -> None:
    module, phrase = row
    assert [message for logger, message, _ in with_the_cdk["logged"] if logger == module and phrase in message]


def test_the_cdk_still_logs_the_traceback_of_a_failed_stream(with_the_cdk: dict[str, Any]) -> None:
    assert {module for module, _, traceback in with_the_cdk["logged"] if traceback} == {"abstract_source"}


def test_the_summary_of_the_cdk_is_still_made_of_repr(with_the_cdk: dict[str, Any]) -> None:
    assert "contacts: AirbyteTracedException(" in with_the_cdk["error"]


def test_the_error_of_the_cdk_for_an_unknown_stream_still_does_not_say_which_there_are(
    with_the_cdk: dict[str, Any],
) -> None:
    errors = [
        message["trace"]["error"] for message in with_the_cdk["messages"] if message.get("trace", {}).get("error")
    ]
    (words,) = [error["message"] for error in errors if error["stream_descriptor"]["name"] == "no_such"]
    assert "message_status" not in words


def test_the_command_line_of_the_cdk_still_takes_what_only_low_code_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        AirbyteEntrypoint.parse_args(["read", "--help"])
    assert "--manifest-path" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_the_cdk_still_raises_no_error_for_users_where_a_file_cannot_be_used(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises((OSError, ValueError)):  # which the connector would call unexpected
        AbstractSource.read_config(str(file))


def test_the_formatter_of_the_cdk_still_breaks_its_own_json_with_a_key_such_as_type() -> None:
    record = logging.LogRecord("airbyte", logging.DEBUG, __file__, 1, "hello", None, None)
    assert json.loads(AirbyteLogFormatter().format(record))["type"] == "DEBUG"
    update_secrets(["type"])
    assert "type" not in json.loads(AirbyteLogFormatter().format(record))


def test_the_formatter_of_the_cdk_still_appends_tracebacks() -> None:
    error = ValueError("hello")
    record = logging.LogRecord("airbyte", logging.ERROR, __file__, 1, "failed", None, (ValueError, error, None))
    assert AirbyteLogFormatter().format(record) != AirbyteLogFormatter().format(
        logging.LogRecord("airbyte", logging.ERROR, __file__, 1, "failed", None, None)
    )


def test_the_check_of_the_cdk_still_shows_repr_to_the_user(api: Mocker) -> None:
    api.get(f"{STATUSES}/id-1", status_code=404, json={"title": "Not Found"})
    message = AbstractSource.check(source(), LOGGER, config()).message or ""
    assert message[0] == message[-1]
    assert message[0] in "'\""


# Prints whether the source code of the CDK's messages is parsed while {module} is imported.
PARSED = """
import inspect

parsed, getsource = [], inspect.getsource
inspect.getsource = lambda cls: parsed.append(cls.__name__) or getsource(cls)
import {module}
print("AirbyteMessage" in parsed)
"""


@pytest.mark.parametrize(("module", "parsed"), [("airbyte_cdk.entrypoint", "True"), ("source_tyntec_sms.run", "False")])
def test_the_source_code_of_the_cdk_is_parsed_at_the_start_but_not_by_the_connector(module: str, parsed: str) -> None:
    words = [sys.executable, "-c", PARSED.format(module=module)]
    process = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == parsed


# Sends Ctrl-C at the moment when a module of the CDK is about to be imported.
INTERRUPTED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "airbyte_cdk.entrypoint":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
import {module}
"""


@pytest.mark.parametrize(("module", "traceback"), [("airbyte_cdk.entrypoint", True), ("source_tyntec_sms.run", False)])
def test_ctrl_c_while_the_cdk_is_imported_prints_a_traceback_but_not_from_the_connector(
    module: str, traceback: bool
) -> None:
    words = [sys.executable, "-c", INTERRUPTED.format(module=module)]
    process = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ("KeyboardInterrupt" in process.stderr) == traceback
    assert bool(process.stderr) == traceback
    assert process.returncode == -signal.SIGINT
