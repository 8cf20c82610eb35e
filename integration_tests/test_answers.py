"""What each answer of the API means to `check` and to `read`. docs/reliability.md has a table of them."""

from dataclasses import dataclass

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import LISTS, STREAMS, config, run
from integration_tests.sandbox_data import TODAYS_ID, status

CONFIG_ERROR, TRANSIENT_ERROR, SYSTEM_ERROR = "config_error", "transient_error", "system_error"
SHORT_HOLD = {"longest_hold": 0.6}


@dataclass(frozen=True)
class Row:
    """One answer: its fault in the sandbox, and what becomes of a status and of a list.

    status, contacts: the failure types. words: what the user is told; list_words: the same for the list, if it differs.
    requests: how often a sync asks, None for as long as it holds.
    """

    fault: str
    status: str
    contacts: str
    words: str
    list_words: str = ""
    requests: int | None = 1


ROWS = [
    Row("401", CONFIG_ERROR, CONFIG_ERROR, "tyntec rejected the API key"),
    Row("rejected", CONFIG_ERROR, CONFIG_ERROR, '"Invalid authentication credentials"'),
    Row("403", CONFIG_ERROR, CONFIG_ERROR, "tyntec Business Center under API settings"),
    Row("no-service", CONFIG_ERROR, CONFIG_ERROR, '"You cannot consume this service"'),
    Row("404", CONFIG_ERROR, CONFIG_ERROR, "unknown to tyntec", "has no such list"),
    Row("no-route", CONFIG_ERROR, CONFIG_ERROR, '"no Route matched with those values"'),
    Row("429", TRANSIENT_ERROR, TRANSIENT_ERROR, "limits the rate of requests", requests=None),
    Row("408", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 408", requests=8),
    Row("500", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 500", requests=8),
    Row("502", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 502", requests=8),
    Row("503", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 503", requests=8),
    Row("504", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 504", requests=8),
    Row("html", TRANSIENT_ERROR, TRANSIENT_ERROR, "but not with JSON", requests=8),
    Row("301", SYSTEM_ERROR, SYSTEM_ERROR, "redirected the request"),
    Row("302", SYSTEM_ERROR, SYSTEM_ERROR, "redirected the request"),
    Row("304", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 304", requests=8),
    Row("308", SYSTEM_ERROR, SYSTEM_ERROR, "must not reach another address"),
    Row("400", CONFIG_ERROR, SYSTEM_ERROR, "refused by tyntec: it answered 400", "refused the request"),
    Row("410", CONFIG_ERROR, SYSTEM_ERROR, "refused by tyntec: it answered 410", "refused the request"),
    Row("422", CONFIG_ERROR, SYSTEM_ERROR, "refused by tyntec: it answered 422", "refused the request"),
    Row("451", SYSTEM_ERROR, SYSTEM_ERROR, "tyntec refused the request: it answered 451"),
    Row("600", TRANSIENT_ERROR, TRANSIENT_ERROR, "tyntec is failing: it answered 600", requests=8),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_an_answer_fails_its_stream_and_no_other(start_sandbox: StartSandbox, row: Row) -> None:
    sandbox = start_sandbox(faults={"message_status": row.fault, "contacts": row.fault})
    result = run(sandbox.url, "read", policy=SHORT_HOLD)
    assert result.exit_code == 1
    for stream, failure_type, words in (
        ("message_status", row.status, row.words),
        ("contacts", row.contacts, row.list_words or row.words),
    ):
        assert result.ended(stream) == "INCOMPLETE"
        assert not result.records(stream)
        (error,) = result.errors(stream)
        assert error["failure_type"] == failure_type
        assert words in error["message"]
    for stream in set(STREAMS) - {"message_status", "contacts"}:
        assert result.ended(stream) == "COMPLETE"
        assert result.records(stream)
    assert result.error(None).startswith("Streams not read in full: contacts, message_status.")
    for path in ("/messaging", "/byon/contacts"):
        assert sandbox.requests(path) == row.requests or (row.requests is None and sandbox.requests(path) > 1)


ONE_OF_EACH_KIND = [
    row for row in ROWS if row.fault not in {"rejected", "no-service", "502", "503", "504", "301", "308"}
]


@pytest.mark.parametrize("row", ONE_OF_EACH_KIND, ids=lambda row: row.fault)
def test_an_answer_fails_the_check_in_plain_words(start_sandbox: StartSandbox, row: Row) -> None:
    sandbox = start_sandbox(faults={"message_status": row.fault})
    result = run(sandbox.url, "check", policy=SHORT_HOLD)
    assert result.exit_code == 0
    assert result.connection_status["status"] == "FAILED"
    message = result.connection_status["message"]
    assert row.words in message
    assert "http" not in message
    assert sandbox.requests() == min(row.requests, 3) if row.requests else sandbox.requests() > 1


def test_check_says_that_the_key_works_and_which_id_is_unknown(start_sandbox: StartSandbox) -> None:
    message = run(start_sandbox().url, "check", config("gone")).connection_status["message"]
    assert message.startswith(
        "The API key works, but tyntec has no status for the SMS request id gone: unknown to tyntec, or older than"
    )
    assert "'SMS Message Request ID'" in message


def test_check_says_that_the_key_works_and_which_id_was_refused(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={TODAYS_ID: "400"})
    message = run(sandbox.url, "check", config(TODAYS_ID)).connection_status["message"]
    assert message.startswith(
        f"The API key works, but tyntec has no status for the SMS request id {TODAYS_ID}: refused by tyntec"
    )
    assert "The request id is malformed" in message


def test_unknown_and_refused_ids_are_skipped_and_named_and_the_others_are_read(start_sandbox: StartSandbox) -> None:
    refused = {"bad-1": "400", "bad-2": "410", "bad-3": "422"}
    sandbox = start_sandbox(
        statuses={name: status(name) for name in (TODAYS_ID, *refused)}, faults={**refused, "bad-4": "400"}
    )
    ids = ["gone-1", *refused, TODAYS_ID, "gone-2", "bad-4"]
    result = run(sandbox.url, "read", config(*ids, num_workers=1), streams=["message_status"])
    assert result.exit_code == 0
    assert [row["requestId"] for row in result.records("message_status")] == [TODAYS_ID]
    warnings = result.log("WARN")
    assert "Request ids not read: gone-1, gone-2. Reason: unknown to tyntec, or older than three months." in warnings
    assert "Request ids not read: bad-1, bad-4. Reason: refused by tyntec: it answered 400" in warnings
    assert "The request id is malformed" in warnings
    assert "Request ids not read: bad-2. Reason: refused by tyntec: it answered 410" in warnings
    assert "Request ids not read: bad-3. Reason: refused by tyntec: it answered 422" in warnings
    assert len(warnings.splitlines()) == 4
    assert "7 of 7 request ids asked: 1 read, 2 unknown, 4 refused." in result.log("INFO")


def test_the_gateways_404_for_a_status_is_no_unknown_id(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={"away": "no-route"})
    result = run(sandbox.url, "read", config("away", TODAYS_ID), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert len(result.records("message_status")) == 1
    assert "1 of 2 statuses could not be read: away." in result.error("message_status")


@pytest.mark.parametrize("faults", [{}, {"gone": "400", "gone-2": "422"}], ids=["unknown", "refused"])
def test_not_one_known_id_fails_the_stream(start_sandbox: StartSandbox, faults: dict[str, str]) -> None:
    sandbox = start_sandbox(faults=faults)
    result = run(sandbox.url, "read", config("gone", "gone-2"), streams=["message_status"])
    assert result.exit_code == 1
    assert result.errors("message_status")[0]["failure_type"] == "config_error"
    assert "no status for any of the 2 SMS request ids" in result.error("message_status")
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
    assert {stream: len(result.records(stream)) for stream in STREAMS} == {
        "message_status": 1,
        **{stream: len(sandbox.rows[stream]) for stream in LISTS},
    }


def test_one_failed_stream_reports_one_error_however_many_ids_failed(start_sandbox: StartSandbox) -> None:
    ids = [f"id-{number}" for number in range(40)]
    bad = ids[::3]
    sandbox = start_sandbox(statuses={name: status(name) for name in ids}, faults=dict.fromkeys(bad, "451"))
    result = run(sandbox.url, "read", config(*ids, num_workers=1), streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert {row["requestId"] for row in result.records("message_status")} == set(ids) - set(bad)
    message = result.error("message_status")
    assert message.startswith("14 of 40 statuses could not be read: " + ", ".join(bad[:10]) + " and 4 more.")
    assert 'it answered 451 "Service Error: The request could not be handled"' in message
    assert f"Request ids not read: {', '.join(bad)}. Reason: tyntec refused the request" in result.log("WARN")
    assert "40 of 40 request ids asked: 26 read, 14 failed." in result.log("INFO")


@pytest.mark.parametrize("workers", [1, 10])
def test_a_rejected_key_costs_a_handful_of_requests(start_sandbox: StartSandbox, workers: int) -> None:
    sandbox = start_sandbox()
    ids = [f"id-{number}" for number in range(5000)]
    result = run(sandbox.url, "read", config(*ids, key="wrong-key", num_workers=workers), streams=["message_status"])
    assert sandbox.requests() <= workers
    assert result.ended("message_status") == "INCOMPLETE"
    assert "Reading stopped with" in result.error("message_status")
    assert result.errors("message_status")[0]["failure_type"] == "config_error"


@pytest.mark.parametrize("workers", [1, 10])
def test_an_outage_ends_the_stream_after_ten_consecutive_failures(start_sandbox: StartSandbox, workers: int) -> None:
    sandbox = start_sandbox(faults={"message_status": "500"})
    ids = [f"id-{number}" for number in range(2000)]
    result = run(sandbox.url, "read", config(*ids, num_workers=workers), streams=["message_status"])
    assert sandbox.requests() <= (10 + workers) * 8
    assert "Reading stopped with" in result.error("message_status")
    assert result.errors("message_status")[0]["failure_type"] == "transient_error"
