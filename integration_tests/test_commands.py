"""The four commands, when all is well and when the configuration or the account is not."""

import json
import subprocess
import sys
from typing import Any

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import LISTS, ROOT, STREAMS, checked, config, environment, run
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


def test_check_succeeds_with_one_request_for_one_status(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "check", SAMPLE)
    assert result.connection_status == {"status": "SUCCEEDED"}
    assert [asked.path for asked in sandbox.asked] == [f"/messaging/v1/messages/{TODAY}"]


def test_discover_lists_the_streams_with_their_keys_without_a_request(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "discover", SAMPLE)
    (catalog,) = (message["catalog"] for message in result.messages if message["type"] == "CATALOG")
    keys = {stream["name"]: stream.get("source_defined_primary_key") for stream in catalog["streams"]}
    assert keys.keys() == {"message_status", *sandbox_data.LISTS}
    assert keys["message_status"] == keys["phone_registrations"] == [["requestId"]]
    assert keys["contacts"] == [["contactId"]]
    assert keys["phone_numbers"] is None
    assert all(stream["supported_sync_modes"] == ["full_refresh"] for stream in catalog["streams"])
    assert not any(stream["is_resumable"] for stream in catalog["streams"])
    assert not sandbox.asked


def test_the_sample_catalog_selects_the_stream_that_every_account_has(sandbox: Sandbox) -> None:
    folder = ROOT / "integration_tests"
    words = [sys.executable, "main.py", "read", "--config", f"{folder}/sample_config.json"]
    result = checked([*words, "--catalog", f"{folder}/configured_catalog.json"], environment(sandbox.url))
    assert result.exit_code == 0
    assert len(result.records("message_status")) == 6
    assert not sandbox.requests("/byon")


def test_a_configured_catalog_is_made_of_what_discover_prints(sandbox: Sandbox) -> None:
    discovered = run(sandbox.url, "discover", SAMPLE).output
    command = [sys.executable, "-m", "integration_tests.catalog"]
    made = subprocess.run(command, input=discovered, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [configured["stream"]["name"] for configured in json.loads(made.stdout)["streams"]] == list(STREAMS)
    command.append("no_such")
    failed = subprocess.run(command, input=discovered, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert f"no stream no_such: there are {', '.join(STREAMS)}" in " ".join(failed.stderr.split())


@pytest.mark.parametrize("workers", [1, 2, 10])
@pytest.mark.parametrize("in_array", [False, True], ids=["object", "array"])
def test_read_emits_every_row_of_every_stream_once(start_sandbox: StartSandbox, workers: int, in_array: bool) -> None:
    sandbox = start_sandbox(in_array=in_array)
    result = run(sandbox.url, "read", {**SAMPLE, "num_workers": workers})
    assert result.exit_code == 0
    assert {result.ended(stream) for stream in STREAMS} == {"COMPLETE"}
    ids = [SAMPLE["message_request_id"], *SAMPLE["additional_message_request_ids"]]
    assert sorted(row["requestId"] for row in result.records("message_status")) == sorted(ids)
    for stream in LISTS:
        assert [row.keys() for row in result.records(stream)] == [row.keys() for row in sandbox.rows[stream]]
    contact_ids = [row["contactId"] for row in sandbox.rows["contacts"]]
    assert [row["contactId"] for row in result.records("contacts")] == contact_ids
    assert result.records("phone_numbers") == sandbox.rows["phone_numbers"]
    assert result.records("phone_registrations") == sandbox.rows["phone_registrations"]


def test_streams_are_read_one_after_another_and_the_lists_first(sandbox: Sandbox) -> None:
    run(sandbox.url, "read", SAMPLE, streams=STREAMS)
    assert [asked.path.startswith(sandbox_data.STATUS_PATH) for asked in sandbox.asked[-6:]] == [True] * 6
    assert not any(asked.path.startswith(sandbox_data.STATUS_PATH) for asked in sandbox.asked[:-6])


def test_declared_types_hold_and_undocumented_fields_pass_through(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", SAMPLE, streams=["message_status", "contacts"])
    statuses = {row["requestId"]: row for row in result.records("message_status")}
    today = statuses[TODAY]
    assert today["ttid"] == "77292"
    assert today["priceEffective"] == today["parts"][0]["priceEffective"] == "2018-05-31T22:00:00Z"
    older = statuses[sandbox_data.OLDER_ID]
    assert (older["size"], older["overallPrice"]) == (2, "0.02")
    assert older["submitDate"] == "2018-05-31T22:00:00Z"
    assert older["doneDate"] == "2018-05-31T22:00:00Z"
    assert statuses[sandbox_data.BUFFERED_ID]["channel"] == {"name": "sms", "priority": 1}
    assert statuses[sandbox_data.HALF_EMOJI_ID]["parts"][0]["statusText"] == "Happy new year to u\ufffd"
    assert statuses[sandbox_data.LEAN_ID] == {"requestId": sandbox_data.LEAN_ID, "status": "REJECTED"}
    contact = result.records("contacts")[0]
    assert contact["timestampUpdated"] == "2018-03-14T14:14:09.011Z"
    assert contact["dateCreated"] == 1521036849011


def test_an_empty_account_is_read_as_no_rows(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(rows={name: [] for name in sandbox_data.LISTS})
    result = run(sandbox.url, "read")
    assert result.exit_code == 0
    assert {result.ended(stream) for stream in STREAMS} == {"COMPLETE"}
    assert not any(result.records(stream) for stream in LISTS)
    assert len(result.records("message_status")) == 1


def test_without_byon_statuses_arrive_and_the_lists_say_why_they_fail(start_sandbox: StartSandbox) -> None:
    result = run(start_sandbox(byon=False).url, "read")
    assert result.exit_code == 1
    assert result.ended("message_status") == "COMPLETE"
    assert len(result.records("message_status")) == 1
    for stream in LISTS:
        assert result.ended(stream) == "INCOMPLETE"
        (error,) = result.errors(stream)
        assert error["failure_type"] == "config_error"
        assert "BYON service" in error["message"]
        assert "Deselect this stream" in error["message"]
    assert result.error(None).startswith(f"Streams not read in full: {', '.join(LISTS)}.")


ADDITIONAL = "'Additional SMS Message Request IDs' (additional_message_request_ids)"
UNUSABLE: list[tuple[dict[str, Any], list[str]]] = [
    ({"api_key": " \n", "message_request_id": "\t", "num_workers": 41},
     ["'Tyntec API Key' (api_key) is empty", "'SMS Message Request ID' (message_request_id) is empty",
      "'Number of Concurrent Workers' (num_workers) must be a whole number from 1 to 40"]),
    ({"api_key": "a key", "message_request_id": "..", "num_workers": True},
     ["(api_key) contains a character that no key has", "(message_request_id) is not a request id",
      "(num_workers) must be a whole number from 1 to 40"]),
    ({"api_key": None, "message_request_id": None, "additional_message_request_ids": "abc"},
     ["'Tyntec API Key' (api_key) is missing", "'SMS Message Request ID' (message_request_id) is missing",
      f"{ADDITIONAL} must be a list of strings"]),
    ({"message_request_id": "id-1 id-2", "additional_message_request_ids": ["a", 2], "num_workers": "10"},
     ["(message_request_id) takes one request id. Enter the others in the setting 'Additional SMS Message Request IDs'",
      f"{ADDITIONAL}, entry 2, must be a string", "(num_workers) must be a whole number from 1 to 40"]),
    ({"message_request_id": "id-1;id-2", "additional_message_request_ids": ["good", "a\u0000b", ""]},
     ["(message_request_id) takes one request id", f"{ADDITIONAL}, entry 2, is not a request id",
      f"{ADDITIONAL}, entry 3, is empty"]),
    ({"message_request_id": 4711, "additional_message_request_ids": [["a"]], "num_workers": 2.5},
     ["(message_request_id) must be a string", f"{ADDITIONAL}, entry 1, must be a string",
      "(num_workers) must be a whole number from 1 to 40"]),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "named"), UNUSABLE)
def test_every_setting_that_cannot_be_used_is_named_before_any_request(
    sandbox: Sandbox, settings: dict[str, object], named: list[str]
) -> None:
    result = run(sandbox.url, "check", {**config(), **settings})
    assert result.exit_code == 0
    assert result.connection_status["status"] == "FAILED"
    assert [words for words in named if words not in result.connection_status["message"]] == []
    assert not sandbox.asked


@pytest.mark.parametrize("command", ["discover", "read"])
def test_a_setting_that_cannot_be_used_fails_a_command_with_one_error(sandbox: Sandbox, command: str) -> None:
    settings, named = UNUSABLE[0]
    result = run(sandbox.url, command, {**config(), **settings})
    assert result.exit_code == 1
    assert result.errors(None)[0]["failure_type"] == "config_error"
    assert [words for words in named if words not in result.error(None)] == []
    assert not sandbox.asked


def test_an_id_is_percent_encoded_whole_and_reaches_no_other_path(sandbox: Sandbox) -> None:
    ids = ["../sms", "a/../../sms", "a?to=1", "%2e%2e", "a#b", "ü:x=1&y", "...", "a%2Fb"]
    result = run(sandbox.url, "read", config(*ids), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert sorted(asked.path for asked in sandbox.asked) == sorted(
        f"/messaging/v1/messages/{quoted}"
        for quoted in (
            "..%2Fsms", "a%2F..%2F..%2Fsms", "a%3Fto%3D1", "%252e%252e", "a%23b",
            "%C3%BC%3Ax%3D1%26y", "...", "a%252Fb",
        )
    )  # fmt: skip
    assert not any(asked.query for asked in sandbox.asked)


def test_white_space_around_key_and_id_is_removed_and_an_id_given_twice_is_read_once(sandbox: Sandbox) -> None:
    result = run(sandbox.url, "read", config(f" {TODAY}\n", TODAY, key=" sandbox-key\n"), streams=["message_status"])
    assert result.exit_code == 0
    assert len(sandbox.asked) == 1
    assert sandbox.asked[0].headers["apikey"] == "sandbox-key"


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
