"""What each answer of the API means to `check` and to `read`. The table in the README is checked against ROWS."""

import re
from dataclasses import dataclass

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import STREAMS, config, run
from integration_tests.sandbox_data import TODAYS_ID, status

CONFIG_ERROR, TRANSIENT_ERROR, SYSTEM_ERROR = "config_error", "transient_error", "system_error"


@dataclass(frozen=True)
class Row:
    """One answer: its fault in the sandbox, and what becomes of a status and of a list.

    status, contacts: the failure type; None where the stream is read all the same.
    words: what the user is told, retried: whether the request was repeated.
    """

    fault: str
    status: str | None
    contacts: str | None
    words: str
    retried: bool = False


ROWS = [
    Row("401", CONFIG_ERROR, CONFIG_ERROR, "tyntec rejected the API key"),
    Row("rejected", CONFIG_ERROR, CONFIG_ERROR, '"Invalid authentication credentials"'),
    Row("403", CONFIG_ERROR, CONFIG_ERROR, "tyntec Business Center under API settings"),
    Row("no-service", CONFIG_ERROR, CONFIG_ERROR, '"You cannot consume this service"'),
    Row("404", CONFIG_ERROR, CONFIG_ERROR, "tyntec "),
    Row("no-route", CONFIG_ERROR, CONFIG_ERROR, '"no Route matched with those values"'),
    Row("429", TRANSIENT_ERROR, TRANSIENT_ERROR, "limits the rate of requests", retried=True),
    Row("408", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 408", retried=True),
    Row("500", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 500", retried=True),
    Row("502", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 502", retried=True),
    Row("503", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 503", retried=True),
    Row("504", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 504", retried=True),
    Row("html", TRANSIENT_ERROR, TRANSIENT_ERROR, "but not with JSON", retried=True),
    Row("301", SYSTEM_ERROR, SYSTEM_ERROR, "redirected the request"),
    Row("302", SYSTEM_ERROR, SYSTEM_ERROR, "redirected the request"),
    Row("304", SYSTEM_ERROR, SYSTEM_ERROR, "redirected the request"),
    Row("308", SYSTEM_ERROR, SYSTEM_ERROR, "must not reach another address"),
    Row("400", SYSTEM_ERROR, SYSTEM_ERROR, "tyntec refused the request: it answered 400"),
    Row("410", SYSTEM_ERROR, SYSTEM_ERROR, "tyntec refused the request: it answered 410"),
    Row("422", SYSTEM_ERROR, SYSTEM_ERROR, "tyntec refused the request: it answered 422"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_an_answer_fails_its_stream_and_no_other(start_sandbox: StartSandbox, row: Row) -> None:
    sandbox = start_sandbox(faults={"message_status": row.fault, "contacts": row.fault})
    result = run(sandbox.url, "read")
    assert result.exit_code == 1
    for stream, failure_type in (("message_status", row.status), ("contacts", row.contacts)):
        assert result.ended(stream) == "INCOMPLETE"
        assert not result.records(stream)
        (error,) = result.errors(stream)
        assert error["failure_type"] == failure_type
        assert row.words in error["message"]
    for stream in ("phone_numbers", "phone_registrations"):
        assert result.ended(stream) == "COMPLETE"
        assert result.records(stream)
    assert sandbox.requests("/messaging") == sandbox.requests("/byon/contacts") == (8 if row.retried else 1)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_an_answer_fails_the_check_in_plain_words(start_sandbox: StartSandbox, row: Row) -> None:
    sandbox = start_sandbox(faults={"message_status": row.fault})
    result = run(sandbox.url, "check")
    assert result.exit_code == 0
    assert result.connection_status["status"] == "FAILED"
    message = result.connection_status["message"]
    assert row.words in message
    assert "http" not in message
    assert not re.search(r"\w(Error|Exception)\b|[{}<>\\\n]", message)
    assert sandbox.requests() == (3 if row.retried else 1)


def test_an_unknown_id_is_named_by_check(start_sandbox: StartSandbox) -> None:
    message = run(start_sandbox().url, "check", config("gone")).connection_status["message"]
    assert "does not know the SMS request id gone" in message
    assert "three months" in message


def test_an_unknown_id_is_skipped_and_named_in_the_log(start_sandbox: StartSandbox) -> None:
    result = run(start_sandbox().url, "read", config("gone", TODAYS_ID), streams=["message_status"])
    assert result.exit_code == 0
    assert [row["requestId"] for row in result.records("message_status")] == [TODAYS_ID]
    assert "id gone is skipped" in result.log("WARN")


def test_the_gateways_404_for_a_status_is_no_unknown_id(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={"away": "no-route"})
    result = run(sandbox.url, "read", config("away", TODAYS_ID), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert len(result.records("message_status")) == 1
    assert "1 of 2 SMS request ids could not be read: away." in result.error("message_status")


def test_not_one_known_id_fails_the_stream(start_sandbox: StartSandbox) -> None:
    result = run(start_sandbox().url, "read", config("gone", "gone too"[:4] + "-2"), streams=["message_status"])
    assert result.exit_code == 1
    assert result.errors("message_status")[0]["failure_type"] == "config_error"
    assert "knows none of the 2 SMS request ids" in result.error("message_status")
    assert "newer message" in result.error("message_status")


def test_the_words_for_a_list_without_byon_say_what_to_do(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={"contacts": "404", "phone_numbers": "no-route"})
    result = run(sandbox.url, "read", streams=["contacts", "phone_numbers"])
    assert "has no such list" in result.error("contacts")
    assert '"Contact not found"' in result.error("contacts")
    assert "BYON service" in result.error("phone_numbers")


@pytest.mark.parametrize(
    "fault", ["500:2", "502:2", "503:2", "504:2", "408:2", "429:2", "html:2", "reset-before:2", "cut:2", "empty:2"]
)
def test_a_fault_that_passes_costs_no_record(start_sandbox: StartSandbox, fault: str) -> None:
    sandbox = start_sandbox(faults=dict.fromkeys(STREAMS, fault))
    result = run(sandbox.url, "read")
    assert result.exit_code == 0
    assert [len(result.records(stream)) for stream in STREAMS] == [1, 3, 3210, 2]
    assert ("RATE_LIMITED" in result.reasons("contacts")) == (fault == "429:2")


def test_one_failed_stream_reports_one_error_however_many_ids_failed(start_sandbox: StartSandbox) -> None:
    ids = [f"id-{number}" for number in range(40)]
    bad = ids[::3]
    sandbox = start_sandbox(statuses={name: status(name) for name in ids}, faults=dict.fromkeys(bad, "400"))
    result = run(sandbox.url, "read", config(*ids, num_workers=1), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert {row["requestId"] for row in result.records("message_status")} == set(ids) - set(bad)
    message = result.error("message_status")
    assert message.startswith("14 of 40 SMS request ids could not be read: " + ", ".join(bad[:10]) + " and 4 more.")
    assert '400 "Bad Request: The request id is malformed"' in message


@pytest.mark.parametrize("workers", [1, 10])
def test_a_rejected_key_costs_a_handful_of_requests(start_sandbox: StartSandbox, workers: int) -> None:
    sandbox = start_sandbox()
    ids = [f"id-{number}" for number in range(5000)]
    result = run(sandbox.url, "read", config(*ids, key="wrong", num_workers=workers), streams=["message_status"])
    assert sandbox.requests() <= workers
    assert result.ended("message_status") == "INCOMPLETE"
    assert "were not tried" in result.error("message_status")
    assert result.errors("message_status")[0]["failure_type"] == "config_error"


@pytest.mark.parametrize("workers", [1, 10])
def test_an_outage_stops_the_reading_after_ten_ids_in_a_row(start_sandbox: StartSandbox, workers: int) -> None:
    sandbox = start_sandbox(faults={"message_status": "500"})
    ids = [f"id-{number}" for number in range(2000)]
    result = run(sandbox.url, "read", config(*ids, num_workers=workers), streams=["message_status"])
    assert sandbox.requests() <= (10 + workers) * 8
    assert "were not tried" in result.error("message_status")
    assert result.errors("message_status")[0]["failure_type"] == "transient_error"
