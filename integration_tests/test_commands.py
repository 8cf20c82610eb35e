"""The four commands, when all is well and when the configuration or the account is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import ROOT, STREAMS, config, run
from integration_tests.sandbox import Sandbox

TODAY = sandbox_data.TODAYS_ID
SAMPLE = json.loads((ROOT / "integration_tests" / "sample_config.json").read_text())


def test_spec_shows_every_setting_with_title_description_and_order() -> None:
    result = run(None, "spec")
    (spec,) = (message["spec"] for message in result.messages)
    schema = spec["connectionSpecification"]
    assert spec["documentationUrl"] == "https://docs.airbyte.com/integrations/sources/tyntec-sms"
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "$ref" not in json.dumps(schema)
    assert schema["required"] == ["api_key", "message_request_id"]
    assert [setting["order"] for setting in schema["properties"].values()] == [0, 1, 2, 3]
    assert all(setting["title"] and setting["description"] for setting in schema["properties"].values())
    assert [name for name, setting in schema["properties"].items() if setting.get("airbyte_secret")] == ["api_key"]


def test_no_command_shows_what_there_is() -> None:
    shown = subprocess.run([sys.executable, "main.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(command in shown.stdout for command in ("spec", "check", "discover", "read"))


def test_check_succeeds_with_one_request_for_one_status(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "check", SAMPLE)
    assert result.connection_status == {"status": "SUCCEEDED"}
    assert [asked.path for asked in sandbox.asked] == [f"/messaging/v1/messages/{TODAY}"]


def test_discover_lists_four_streams_without_a_request(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "discover", SAMPLE)
    (catalog,) = (message["catalog"] for message in result.messages if message["type"] == "CATALOG")
    assert {stream["name"]: stream.get("source_defined_primary_key") for stream in catalog["streams"]} == {
        "message_status": [["requestId"]],
        "contacts": [["contactId"]],
        "phone_numbers": None,
        "phone_registrations": [["requestId"]],
    }
    assert all(stream["supported_sync_modes"] == ["full_refresh"] for stream in catalog["streams"])
    assert not any(stream["is_resumable"] for stream in catalog["streams"])
    assert not sandbox.asked


@pytest.mark.parametrize("workers", [1, 2, 10])
@pytest.mark.parametrize("in_array", [False, True], ids=["object", "array"])
def test_read_emits_every_row_of_every_stream_once(start_sandbox: StartSandbox, workers: int, in_array: bool) -> None:
    sandbox = start_sandbox(in_array=in_array)
    result = run(sandbox.url, "read", {**SAMPLE, "num_workers": workers})
    assert result.exit_code == 0
    assert [result.ended(stream) for stream in STREAMS] == ["COMPLETE"] * 4
    ids = [SAMPLE["message_request_id"], *SAMPLE["additional_message_request_ids"]]
    assert sorted(row["requestId"] for row in result.records("message_status")) == sorted(ids)
    assert [row["contactId"] for row in result.records("contacts")] == [row["contactId"] for row in sandbox.contacts]
    assert result.records("phone_numbers") == sandbox.phone_numbers
    assert result.records("phone_registrations") == sandbox.phone_registrations


def test_declared_types_hold_and_undocumented_fields_pass_through(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", SAMPLE, streams=["message_status", "contacts"])
    statuses = {row["requestId"]: row for row in result.records("message_status")}
    today = statuses[TODAY]
    assert today["ttid"] == "77292"
    assert today["priceEffective"] == today["parts"][0]["priceEffective"] == "2018-06-01T00:00:00+02:00"
    older = statuses[sandbox_data.OLDER_ID]
    assert (older["size"], older["overallPrice"]) == (2, "0.02")
    assert older["submitDate"] == "2018-06-01T00:00:00+02:00"
    assert older["doneDate"] == "2018-05-31T22:00:00+00:00"
    assert statuses[sandbox_data.BUFFERED_ID]["channel"] == {"name": "sms", "priority": 1}
    assert statuses[sandbox_data.HALF_EMOJI_ID]["parts"][0]["statusText"] == "Happy new year to u\ufffd"
    assert statuses[sandbox_data.LEAN_ID] == {"requestId": sandbox_data.LEAN_ID, "status": "REJECTED"}
    contact = result.records("contacts")[0]
    assert contact["timestampUpdated"] == "2018-03-14T14:14:09.011+00:00"
    assert contact["dateCreated"] == 1521036849011


def test_an_empty_account_is_read_as_no_rows(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(contacts=[], phone_numbers=[], phone_registrations=[])
    result = run(sandbox.url, "read")
    assert result.exit_code == 0
    assert [result.ended(stream) for stream in STREAMS] == ["COMPLETE"] * 4
    assert len(result.records("message_status")) == 1


def test_without_byon_statuses_arrive_and_the_lists_say_why_they_fail(start_sandbox: StartSandbox) -> None:
    result = run(start_sandbox(byon=False).url, "read")
    assert result.exit_code == 1
    assert result.ended("message_status") == "COMPLETE"
    assert len(result.records("message_status")) == 1
    for stream in ("contacts", "phone_numbers", "phone_registrations"):
        assert result.ended(stream) == "INCOMPLETE"
        (error,) = result.errors(stream)
        assert error["failure_type"] == "config_error"
        assert "BYON service" in error["message"]
        assert "Deselect this stream" in error["message"]
    assert "3 of 4 streams" in result.error(None)
    assert "AirbyteTracedException" not in result.log()


@pytest.mark.parametrize("command", ["check", "read"])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"api_key": " \n"}, "'Tyntec API Key' (api_key) is empty"),
        ({"api_key": "a key"}, "'Tyntec API Key' (api_key) holds a character"),
        ({"message_request_id": "\t"}, "'SMS Message Request ID' (message_request_id) is empty"),
        ({"message_request_id": "a b"}, '"a b"'),
        ({"message_request_id": ".."}, '".."'),
        ({"additional_message_request_ids": ["good", "a\u0000b"]}, 'entry 2, holds "a\\u0000b"'),
        ({"additional_message_request_ids": [""]}, "(additional_message_request_ids), entry 1, is empty"),
        ({"additional_message_request_ids": "abc"}, "must be a list of texts"),
        ({"num_workers": 41}, "must be a whole number from 1 to 40"),
        ({"message_request_id": None}, "must be a text"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_before_any_request(
    sandbox: Sandbox, command: str, settings: dict[str, object], named: str
) -> None:
    result = run(sandbox.url, command, {**config(), **settings})
    if command == "check":
        assert result.exit_code == 0
        assert result.connection_status["status"] == "FAILED"
        message = result.connection_status["message"]
    else:
        assert result.exit_code == 1
        (error,) = result.errors(None)
        assert error["failure_type"] == "config_error"
        message = error["message"]
    assert named in message
    assert not sandbox.asked


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', '{"message_request_id": "x"}', "\xff"])
@pytest.mark.parametrize("command", ["check", "discover"])
def test_a_configuration_file_that_cannot_be_used_is_refused_in_plain_words(
    tmp_path: Path, command: str, content: str
) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content.encode("latin-1"))
    process = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), command, "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    messages = [json.loads(line) for line in process.stdout.splitlines()]
    if command == "check":
        (message,) = (m["connectionStatus"]["message"] for m in messages if m["type"] == "CONNECTION_STATUS")
    else:
        assert process.returncode == 1
        (message,) = (m["trace"]["error"]["message"] for m in messages if m["type"] == "TRACE")
    assert "configuration file" in message or "'Tyntec API Key' (api_key) is missing" in message
    assert "Error" not in message


def test_an_id_is_percent_encoded_whole_and_reaches_no_other_path(sandbox: Sandbox) -> None:
    ids = ["../sms", "a/../../sms", "a?to=1", "%2e%2e", "a#b", "ü;x=1&y", "...", "a%2Fb"]
    result = run(sandbox.url, "read", config(*ids), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert sorted(asked.path for asked in sandbox.asked) == sorted(
        f"/messaging/v1/messages/{quoted}"
        for quoted in (
            "..%2Fsms", "a%2F..%2F..%2Fsms", "a%3Fto%3D1", "%252e%252e", "a%23b",
            "%C3%BC%3Bx%3D1%26y", "...", "a%252Fb",
        )
    )  # fmt: skip
    assert not any(asked.query for asked in sandbox.asked)


def test_white_space_around_key_and_id_is_removed_and_an_id_given_twice_is_read_once(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", config(f" {TODAY}\n", TODAY, key=" sandbox-key\n"), streams=["message_status"])
    assert result.exit_code == 0
    assert len(sandbox.asked) == 1
    assert sandbox.asked[0].headers["apikey"] == "sandbox-key"


def test_a_key_entered_as_request_id_is_neither_sent_nor_printed(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "check", config("sandbox-key"))
    assert "The API key was entered" in result.connection_status["message"]
    assert not sandbox.asked


def test_a_stream_that_does_not_exist_fails_and_the_others_are_read(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", streams=["contacts", "messages"])
    assert result.exit_code == 1
    assert result.ended("contacts") == "COMPLETE"
    assert result.ended("messages") == "INCOMPLETE"
    assert "Refresh the source schema" in result.error("messages")


@pytest.mark.parametrize(
    "url",
    [
        "http://tyntec.example", "ftp://127.0.0.1", "https://api.tyntec.com/path", "https://user@api.tyntec.com",
        "http://127.0.0.1@tyntec.example", "api.tyntec.com", "", "https://", "http://127.0.0.1:99999", "https://a b",
    ],
)  # fmt: skip
def test_an_address_of_the_api_that_is_not_allowed_is_refused_by_name(url: str) -> None:
    result = run(None, "check", variables={"TYNTEC_API_URL": url})
    assert "environment variable TYNTEC_API_URL" in result.connection_status["message"]


def test_debug_logs_are_json_and_without_the_key(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", SAMPLE, "--debug")
    assert result.exit_code == 0
    assert "Making outbound API request" in result.output
    assert "****" in result.output
