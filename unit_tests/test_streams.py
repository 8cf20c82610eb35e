"""What the streams read, with answers made up by requests-mock."""

import json
import logging
import math
import re
import threading
from itertools import chain
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_mock
from airbyte_cdk.models import AirbyteStreamStatus, AirbyteStreamStatusReasonType, FailureType, SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given, settings
from hypothesis import strategies as st

from source_tyntec_sms import streams as module
from source_tyntec_sms.errors import traced
from source_tyntec_sms.session import READ
from source_tyntec_sms.source import SourceTyntecSms
from source_tyntec_sms.streams import ListStream
from unit_tests.conftest import API, JSON, LISTS, LOGGER, STATUSES, config, messages, read, source, streams

NUMBERS = f"{API}/byon/phonebook/v1/numbers"


def list_stream(name: str, **policy: Any) -> ListStream:
    stream = streams(**policy)[name]
    assert isinstance(stream, ListStream)
    return stream


def failure(stream: HttpStream) -> AirbyteTracedException:
    """The error with which `stream` fails."""
    with pytest.raises(AirbyteTracedException) as error:
        read(stream)
    return error.value


def keep(stream: HttpStream, kept: list[Any]) -> None:
    """Read `stream`, and keep in `kept` what it yields before it fails."""
    for message in stream.read_records(SyncMode.full_refresh):
        kept.append(message)  # noqa: PERF402


def answer_statuses(api: requests_mock.Mocker, answers: dict[str, Any]) -> None:
    """Let the API answer for each id with an HTTP status, or with a document."""
    for request_id, answer in answers.items():
        known = {"status_code": answer} if isinstance(answer, int) else {"json": answer}
        api.get(f"{STATUSES}/{request_id}", **known)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


# All streams


def test_streams_are_plain_http_streams_of_full_refresh() -> None:
    found = source().streams(config())
    assert {"message_status", "contacts", "phone_numbers", "phone_registrations"} <= {stream.name for stream in found}
    for stream in found:
        assert isinstance(stream, HttpStream)
        assert stream.as_airbyte_stream().supported_sync_modes == [SyncMode.full_refresh]
        assert not stream.as_airbyte_stream().is_resumable
        assert stream.get_json_schema()["type"] == ["null", "object"]


def test_what_identifies_a_record() -> None:
    keys = {name: stream.as_airbyte_stream().source_defined_primary_key for name, stream in streams().items()}
    assert keys["message_status"] == [["requestId"]]
    assert keys["contacts"] == [["contactId"]]
    assert not keys["phone_numbers"]
    assert keys["phone_registrations"] == [["requestId"]]


@pytest.mark.parametrize("name", streams())
def test_a_request_carries_the_key_and_asks_for_json(api: requests_mock.Mocker, name: str) -> None:
    api.get(requests_mock.ANY, status_code=403)
    failure(streams(answer_timeout=7, connect_timeout=3)[name])
    request: Any = api.request_history[0]
    assert request.headers["apikey"] == "k3y-k3y"
    assert request.headers["Accept"] == "application/json"
    assert not {"Authorization", "Cookie"} & request.headers.keys()
    assert request.timeout == (3, 7)
    assert not request.allow_redirects
    path = list_stream(name).endpoint if name in LISTS else "messaging/v1/messages/id-1"
    assert request.url.partition("?")[0] == f"{API}/{path}"


@pytest.mark.parametrize("name", streams())
def test_an_unexpected_exception_is_told_without_its_text(
    api: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    api.get(requests_mock.ANY, json={"contacts": [], "provisioningRequests": [], "status": "DELIVERED"})
    stream = streams()[name]
    monkeypatch.setattr(stream, "request_params", lambda **_: 1 / 0)
    error = failure(stream)
    assert "unexpected error (ZeroDivisionError). Report it to the maintainers" in str(error)
    assert "division" not in str(error)
    assert error.failure_type is FailureType.system_error


@pytest.mark.parametrize("name", streams())
@settings(max_examples=30)
@given(
    document=JSON
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("contacts", "provisioningRequests", "size", "status"), JSON))
)
def test_any_json_as_answer_is_emitted_or_refused_in_plain_words(name: str, document: Any) -> None:
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, text=json.dumps(document))
        try:
            records = messages(streams(max_attempts=2)[name])
        except AirbyteTracedException as error:
            assert re.search("tyntec (answered|is failing)", str(error))  # noqa: PT017
        else:
            assert all(isinstance(record, dict) for record in records)


def test_the_connector_makes_no_other_request_than_for_what_is_read(api: requests_mock.Mocker) -> None:
    source().streams(config())
    source().spec(LOGGER)
    SourceTyntecSms()
    assert not api.request_history


# message_status


def test_the_status_of_each_id_is_a_record(api: requests_mock.Mocker) -> None:
    answer_statuses(
        api,
        {
            "id-1": {"requestId": "id-1"},
            "id-2": {"status": "BUFFERED", "new": 1},
            "id-3": {"requestId": "id-3", "size": 2},
        },
    )
    records = read(streams(config("id-1", "id-2, id-3", "id-1"))["message_status"])
    assert sorted(records, key=lambda record: str(record["requestId"])) == [
        {"requestId": "id-1"},
        {"requestId": "id-2", "status": "BUFFERED", "new": 1},
        {"requestId": "id-3", "size": 2},
    ]
    assert api.call_count == 3


@pytest.mark.parametrize("left_out", [{}, {"requestId": None}, {"requestId": ""}])
def test_a_status_without_request_id_gets_the_one_that_was_asked_for(
    api: requests_mock.Mocker, left_out: dict[str, Any]
) -> None:
    answer_statuses(api, {"id-1": {"status": "DELIVERED", **left_out}})
    assert read(streams()["message_status"]) == [{"status": "DELIVERED", "requestId": "id-1"}]


@pytest.mark.parametrize("asked", ["id-1", "ID-1", "a/b", "ü%2F+"])
def test_the_request_id_of_an_answer_may_differ_in_case_and_is_emitted_as_it_was_asked_for(
    api: requests_mock.Mocker, asked: str
) -> None:
    api.get(requests_mock.ANY, json={"requestId": asked.upper(), "status": "DELIVERED"})
    assert read(streams(config(asked))["message_status"]) == [{"requestId": asked, "status": "DELIVERED"}]


@pytest.mark.parametrize(
    ("asked", "got"),
    [("straße", "STRASSE"), ("0", 1), ("1", True), ("id-1", 0), ("id-1", False), ("id-1", []), ("id-1", "null")],
)
def test_a_request_id_that_only_resembles_the_one_asked_for_is_that_of_another_message(
    api: requests_mock.Mocker, asked: str, got: Any
) -> None:
    api.get(requests_mock.ANY, json={"requestId": got, "status": "DELIVERED"})
    assert f"the request for {asked} with the status of" in str(failure(streams(config(asked))["message_status"]))


def test_the_status_of_another_message_is_asked_for_again_and_then_names_both_ids(api: requests_mock.Mocker) -> None:
    answer_statuses(api, {"id-1": {"requestId": "id-2"}, "id-2": {"requestId": "id-2"}})
    stream = streams(config("id-1", "id-2"))["message_status"]
    found: list[Any] = []
    with pytest.raises(AirbyteTracedException, match=r"the request for id-1 with the status of id-2\."):
        keep(stream, found)
    assert found == [{"requestId": "id-2"}]
    asked = [urlsplit(request.url).path.rpartition("/")[2] for request in api.request_history]
    assert asked.count("id-1") == READ.max_attempts
    assert asked.count("id-2") == 1


def test_the_status_of_another_message_does_not_become_a_record(api: requests_mock.Mocker) -> None:
    api.get(
        f"{STATUSES}/id-1",
        [{"json": {"requestId": "id-0", "status": "REJECTED"}}, {"json": {"requestId": "id-1", "status": "DELIVERED"}}],
    )
    assert read(streams()["message_status"]) == [{"requestId": "id-1", "status": "DELIVERED"}]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"message": "An unexpected error occurred"},
        {"code": 5, "error": True},
        {"title": "No", "status": 500},
        {"type": "about:blank", "title": "Not Found", "status": "404"},
    ],
)
def test_an_object_that_neither_names_its_message_nor_has_a_delivery_state_is_no_status(
    api: requests_mock.Mocker, document: dict[str, Any]
) -> None:
    answer_statuses(api, {"id-1": document})
    assert "where a status was expected." in str(failure(streams()["message_status"]))


@pytest.mark.parametrize("document", ["[]", "null", "5", "2.5", "true", '"a"'])
def test_a_status_that_is_no_object_is_an_error(api: requests_mock.Mocker, document: str) -> None:
    api.get(f"{STATUSES}/id-1", text=document)
    error = failure(streams()["message_status"])
    assert "tyntec is failing: it answered 200 where a status was expected." in str(error)
    assert error.failure_type is FailureType.system_error


@pytest.mark.parametrize("code", [400, 410, 422])
def test_a_refused_id_is_skipped_and_named_with_the_words_of_the_api(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    answer_statuses(api, {"id-1": {"status": "DELIVERED"}})
    api.get(f"{STATUSES}/bad", status_code=code, json={"title": "Malformed", "detail": "The id is malformed"})
    assert len(read(streams(config("id-1", "bad"))["message_status"])) == 1
    assert warnings(caplog) == [
        f'Request ids not read: bad. Reason: refused by tyntec: it answered {code} "Malformed: The id is malformed".'
    ]


def test_skipped_ids_are_grouped_by_reason(api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    answer_statuses(api, {"a": 404, "b": 400, "c": {"status": "DELIVERED"}, "d": 404, "e": 410, "f": 422, "g": 400})
    with caplog.at_level(logging.INFO):
        assert len(read(streams(config(*"abcdefg", num_workers=1))["message_status"])) == 1
    assert warnings(caplog) == [
        "Request ids not read: a, d. Reason: unknown to tyntec, or older than three months.",
        "Request ids not read: b, g. Reason: refused by tyntec: it answered 400.",
        "Request ids not read: e. Reason: refused by tyntec: it answered 410.",
        "Request ids not read: f. Reason: refused by tyntec: it answered 422.",
    ]
    assert caplog.messages[-1] == "7 of 7 request ids asked: 1 read, 2 unknown, 4 refused."


@pytest.mark.parametrize(("code", "why"), [(404, "unknown to tyntec, or older"), (422, "refused by tyntec")])
def test_not_one_known_id_fails_the_stream(api: requests_mock.Mocker, code: int, why: str) -> None:
    api.get(requests_mock.ANY, status_code=code)
    error = failure(streams(config("id-1", "id-2"))["message_status"])
    assert error.failure_type is FailureType.config_error
    assert str(error).startswith(f"tyntec has no status for any of the 2 SMS request ids: {why}")
    assert str(error).endswith("newer message in the setting 'SMS Message Request ID'.")


def test_not_one_known_id_for_different_reasons_tells_each(api: requests_mock.Mocker) -> None:
    answer_statuses(api, {"a": 404, "b": 422, "c": 404})
    assert str(failure(streams(config("a", "b", "c", num_workers=1))["message_status"])).startswith(
        "tyntec has no status for any of the 3 SMS request ids: 2 of them: unknown to tyntec, or older than "
        "three months. 1 of them: refused by tyntec: it answered 422. Enter"
    )


def test_each_warning_names_up_to_a_hundred_ids_and_each_id_is_named_once(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    gone = [f"gone-{number}" for number in range(250)]
    api.get(re.compile(f"{STATUSES}/gone"), status_code=404)
    answer_statuses(api, {"id-1": {"status": "DELIVERED"}})
    read(streams(config("id-1", *gone))["message_status"])
    named = [re.findall(r"gone-\d+", warning) for warning in warnings(caplog)]
    assert [len(ids) for ids in named] == [100, 100, 50]
    assert sorted(chain(*named)) == sorted(gone)


def test_failed_ids_are_named_in_the_log_and_the_first_ten_in_the_error(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"id-{number}" for number in range(24)]
    answer_statuses(api, {name: {"status": "DELIVERED"} if index % 2 else 451 for index, name in enumerate(ids)})
    error = failure(streams(config(*ids, num_workers=1))["message_status"])
    words = "tyntec refused the request: it answered 451. If the settings are right, report this to the maintainers"
    failed = ids[::2]
    assert f"12 of 24 statuses could not be read: {', '.join(failed[:10])} and 2 more. {words}" in str(error)
    assert str(error).endswith("24 of 24 request ids asked: 12 failed, 12 read.") or str(error).endswith(
        "24 of 24 request ids asked: 12 read, 12 failed."
    )
    (warning,) = warnings(caplog)
    assert warning.startswith(f"Request ids not read: {', '.join(failed)}. Reason: {words}")


@pytest.mark.parametrize("status", [500, "500", 404.0])
def test_an_error_is_no_status_even_if_it_names_the_message(api: requests_mock.Mocker, status: Any) -> None:
    api.get(requests_mock.ANY, json={"requestId": "id-1", "status": status, "error": "Internal Server Error"})
    assert "where a status was expected" in str(failure(streams()["message_status"]))


@pytest.mark.parametrize("ids", ["ab", "ba"])
def test_of_failures_of_different_types_the_one_that_does_not_pass_by_itself_counts(
    api: requests_mock.Mocker, ids: str
) -> None:
    answer_statuses(api, {"a": 451, "b": 503})
    error = failure(streams(config(*ids, num_workers=1), max_attempts=2)["message_status"])
    assert error.failure_type is FailureType.system_error


def test_a_missing_route_is_told_as_such_even_with_a_time_to_wait(api: requests_mock.Mocker) -> None:
    body = {"message": "no Route matched with those values"}
    api.get(requests_mock.ANY, status_code=404, json=body, headers={"Retry-After": "3600"})
    assert "has no message statuses at this address" in str(failure(streams()["message_status"]))


def test_different_reasons_are_counted_in_the_one_error(api: requests_mock.Mocker) -> None:
    answer_statuses(api, {"a": 403, "b": 451, "c": 451, "d": {"status": "DELIVERED"}, "e": 405, "f": 406})
    error = failure(streams(config(*"abcdef", num_workers=1))["message_status"])
    assert error.failure_type is FailureType.config_error
    assert str(error).startswith(
        "5 of 6 statuses could not be read: a, b, c, e, f. 2 of them: tyntec refused the request: it answered 451. "
    )
    assert "1 of them: tyntec rejected the API key: it answered 403." in str(error)
    assert "it answered 405" in str(error)
    assert "it answered 406" not in str(error)


def test_the_failure_type_is_that_of_the_failures_if_none_can_be_fixed_by_the_user(api: requests_mock.Mocker) -> None:
    answer_statuses(api, {"id-1": 500})
    assert failure(streams()["message_status"]).failure_type is FailureType.transient_error


@pytest.mark.parametrize("last", [{"status": "DELIVERED"}, 404])
def test_what_was_read_is_emitted_although_an_id_failed(api: requests_mock.Mocker, last: Any) -> None:
    answer_statuses(api, {"a": {"status": "DELIVERED"}, "b": 451, "c": last})
    records: list[Any] = []
    with pytest.raises(AirbyteTracedException, match=r"1 of 3 statuses could not be read: b\."):
        keep(streams(config("a", "b", "c"))["message_status"], records)
    assert {"a"} <= {record["requestId"] for record in records} <= {"a", "c"}


def test_ten_consecutive_failures_stop_the_reading_and_a_success_breaks_the_row(api: requests_mock.Mocker) -> None:
    ids = [f"id-{number}" for number in range(60)]
    good = {5: {"status": "DELIVERED"}, 9: {"status": "DELIVERED"}, 12: 404}
    answer_statuses(api, {name: good.get(number, 451) for number, name in enumerate(ids)})
    error = failure(streams(config(*ids, num_workers=1))["message_status"])
    # After the tenth failure in a row, the next request may be under way.
    assert 23 <= api.call_count <= 25
    asked = api.call_count
    assert str(error).startswith(f"{asked - 3} of 60 statuses could not be read")
    assert f"Reading stopped with {60 - asked} more to read." in str(error)
    assert str(error).endswith(f"{asked} of 60 request ids asked: 2 read, {asked - 3} failed, 1 unknown.")


def test_after_a_rejected_key_reading_can_start_anew(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, [{"status_code": 401, "json": {}}, {"json": {"status": "DELIVERED"}}])
    stream = streams(config("id-1", "id-2", num_workers=1))["message_status"]
    assert "1 of 2 statuses could not be read: id-1" in str(failure(stream))
    assert len(read(stream)) == 2


def test_a_slow_read_shows_how_far_it_is_every_30_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = iter(range(0, 10_000, 16))
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    report = module.Report(6, logging.getLogger("test"))
    with caplog.at_level(logging.INFO):
        for number in range(6):
            report.add(f"id-{number}", None)
        report.finish()
    assert caplog.messages == [
        "2 of 6 request ids asked: 2 read.",
        "4 of 6 request ids asked: 4 read.",
        "6 of 6 request ids asked: 6 read.",
    ]


def test_a_fast_read_shows_how_far_it_is_every_thousand_ids(caplog: pytest.LogCaptureFixture) -> None:
    report = module.Report(2000, logging.getLogger("test"))
    with caplog.at_level(logging.INFO):
        for number in range(2000):
            gone = module.NoStatusError("unknown", traced("unknown."))
            report.add(f"id-{number}", gone if number % 2 else None)
        report.finish()
    progress = [message for message in caplog.messages if "asked" in message]
    assert progress == [
        "1,000 of 2,000 request ids asked: 500 read, 500 unknown.",
        "2,000 of 2,000 request ids asked: 1,000 read, 1,000 unknown.",
    ]


def test_no_more_requests_than_workers_are_under_way_and_no_more_ids_than_a_few_for_each() -> None:
    ids = [f"id-{number}" for number in range(200)]
    under_way, most = 0, 0
    lock = threading.Lock()

    def answer(_request: Any, _context: Any) -> dict[str, Any]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.001)
        with lock:
            under_way -= 1
        return {"status": "DELIVERED"}

    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, json=answer)
        records = iter(streams(config(*ids, num_workers=4))["message_status"].read_records(SyncMode.full_refresh))
        next(records)
        threading.Event().wait(0.3)  # nobody reads on meanwhile
        assert api.call_count <= 4 * 4
        assert sum(1 for record in records if isinstance(record, dict)) == len(ids) - 1
    assert most <= 4


def test_whoever_stops_reading_stops_the_requests(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, json={"status": "DELIVERED"})
    ids = [f"id-{number}" for number in range(200)]
    records: Any = streams(config(*ids, num_workers=2))["message_status"].read_records(SyncMode.full_refresh)
    next(records)
    records.close()
    threading.Event().wait(0.1)
    assert api.call_count <= 2 * 4


def test_a_rate_limit_is_told_by_a_stream_status_and_in_the_log(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    api.get(
        requests_mock.ANY, [{"status_code": 429, "headers": {"Retry-After": "2"}}, {"json": {"status": "DELIVERED"}}]
    )
    with caplog.at_level(logging.INFO):
        limited, record = messages(streams()["message_status"])
    assert record == {"status": "DELIVERED", "requestId": "id-1"}
    status = limited.trace.stream_status
    assert status.stream_descriptor.name == "message_status"
    assert status.status is AirbyteStreamStatus.RUNNING
    assert [reason.type for reason in status.reasons] == [AirbyteStreamStatusReasonType.RATE_LIMITED]
    told = r"tyntec limits the rate of requests: waiting for [12] seconds\. 0 of 1 request ids asked: 0 read\."
    assert any(re.fullmatch(told, message) for message in caplog.messages)


def test_a_long_wait_is_told_again_and_again(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_NOTICES", 1)
    refusal = {"status_code": 429, "headers": {"Retry-After": "3"}}
    api.get(requests_mock.ANY, [refusal, {"json": {"status": "DELIVERED"}}])
    with caplog.at_level(logging.INFO):
        assert len(messages(streams()["message_status"])) == 3 + 1
    waits = re.findall(r"waiting for (\d) seconds\. 0 of 1", caplog.text)
    assert waits == sorted(waits, reverse=True)
    assert len(waits) == 3


def test_a_list_under_a_rate_limit_is_read_when_the_limit_allows_it(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = {"status_code": 429, "headers": {"Retry-After": "1"}}
    api.get(requests_mock.ANY, [refusal, {"json": {"contacts": [{"n": 1}]}}])
    with caplog.at_level(logging.INFO):
        limited, record = messages(streams()["contacts"])
    assert record == {"n": 1}
    assert limited.trace.stream_status.stream_descriptor.name == "contacts"
    assert caplog.messages == [
        "tyntec limits the rate of requests: waiting for 1 seconds. The list is asked for again after that."
    ]


# check


def test_a_check_asks_for_the_one_id_and_succeeds(api: requests_mock.Mocker) -> None:
    answer_statuses(api, {"id-1": {"status": "DELIVERED"}})
    assert source().check_connection(LOGGER, config("id-1", "id-2")) == (True, None)
    assert source().check(LOGGER, config("id-1", "id-2")).status.value == "SUCCEEDED"
    assert api.call_count == 2


def test_a_check_says_that_the_key_works_and_which_id_is_unknown_or_refused(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/gone", status_code=404, json={"title": "Not Found", "status": 404})
    api.get(f"{STATUSES}/bad", status_code=400, json={"title": "Bad Request", "detail": "malformed"})
    advice = "Enter the requestId of a newer message in the setting 'SMS Message Request ID'."
    outcome = source().check(LOGGER, config("gone"))
    assert outcome.status.value == "FAILED"
    assert outcome.message == (
        "The API key works, but tyntec has no status for the SMS request id gone: unknown to tyntec, or older than "
        f"three months. {advice}"
    )
    assert source().check(LOGGER, config("bad")).message == (
        "The API key works, but tyntec has no status for the SMS request id bad: refused by tyntec: it answered 400 "
        f'"Bad Request: malformed". {advice}'
    )


def test_a_check_of_settings_that_cannot_be_used_sends_nothing(api: requests_mock.Mocker) -> None:
    outcome = source().check(LOGGER, {})
    assert outcome.status.value == "FAILED"
    assert "(api_key) is missing" in (outcome.message or "")
    assert not api.request_history


# Lists


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("in_array", [False, True])
def test_a_row_of_a_list_is_a_record(api: requests_mock.Mocker, name: str, in_array: bool) -> None:
    stream = list_stream(name)
    rows = [{"contactId": "1"}, {"contactId": "2", "new": {"deep": [1]}}]
    document = {stream.rows_field: rows, "size": 2}
    api.get(f"{API}/{stream.endpoint}", json=[document] if in_array else document)
    assert read(stream) == rows


@pytest.mark.parametrize("name", LISTS)
def test_an_array_of_several_wrapping_objects_is_read_whole(api: requests_mock.Mocker, name: str) -> None:
    stream = list_stream(name)
    api.get(f"{API}/{stream.endpoint}", json=[{stream.rows_field: [{"n": 1}]}, {stream.rows_field: [{"n": 2}]}])
    assert read(stream) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("name", LISTS)
def test_204_and_an_empty_list_are_no_rows(api: requests_mock.Mocker, name: str) -> None:
    stream = list_stream(name)
    api.get(f"{API}/{stream.endpoint}", [{"status_code": 204}, {"json": {stream.rows_field: [], "size": 0}}])
    assert read(stream) == []
    assert read(stream) == []


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("count", [0, 3])
def test_fewer_rows_than_announced_are_told(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture, name: str, count: int
) -> None:
    stream = list_stream(name)
    rows = [{"contactId": str(number)} for number in range(count)]
    api.get(f"{API}/{stream.endpoint}", json={stream.rows_field: rows, "size": "5000"})
    assert read(stream) == rows
    assert warnings(caplog) == [f"{name}: tyntec announced 5,000 rows, but gave {count}."]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_not_there_is_an_error_that_says_what_to_do(api: requests_mock.Mocker, name: str) -> None:
    api.get(requests_mock.ANY, status_code=404, json={"code": "ContactNotFound", "message": "Contact not found"})
    error = failure(list_stream(name))
    assert error.failure_type is FailureType.config_error
    assert str(error) == (
        f"The stream {name} could not be read. tyntec has no such list for this account, or sent only a part of it: it "
        'answered 404 "Contact not found". Deselect this stream in the connection, or ask tyntec whether the account '
        "may use it."
    )


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "document",
    [{}, [], [[]], None, {"rows": []}, 5, [{"size": 0}], {"contacts": None, "provisioningRequests": {}},
     {"contacts": [{"n": 1}, "row"], "provisioningRequests": [{"n": 1}, None]}],
    ids=str,
)  # fmt: skip
def test_an_answer_without_the_list_is_an_error_never_zero_rows(
    api: requests_mock.Mocker, name: str, document: Any
) -> None:
    stream = list_stream(name)
    api.get(f"{API}/{stream.endpoint}", text=json.dumps(document))
    error = failure(stream)
    assert error.failure_type is FailureType.system_error
    assert str(error) == (
        f"The stream {name} could not be read. tyntec is failing: it answered 200 without the list of objects "
        f"'{stream.rows_field}' that was expected. If this lasts, report it to the maintainers of this connector."
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_can_be_read_again_after_an_answer_that_ended_it_at_once(api: requests_mock.Mocker, name: str) -> None:
    stream = list_stream(name)
    api.get(
        f"{API}/{stream.endpoint}",
        [
            {"status_code": 429, "headers": {"Retry-After": "3600"}},
            {"status_code": 500},
            {"json": {stream.rows_field: [{"n": 1}]}},
        ],
    )
    assert "asked to wait 3,600 seconds" in str(failure(stream))
    assert read(stream) == [{"n": 1}]


# phone_numbers


def serve_numbers(api: requests_mock.Mocker, rows: list[Any], first: int = 0, beyond: int = 200, **more: Any) -> None:
    """Serve `rows` in pages of at most 3,000, and answer with `beyond` after the last page."""

    def answer(request: Any, context: Any) -> str:
        query = parse_qs(urlsplit(request.url).query)
        size = min(int(query["size"][0]), 3000)
        start = (int(query.get("page", [str(first)])[0]) - first) * size
        page = rows[start : start + size] if start >= 0 else []
        if not page and beyond != 200:
            context.status_code = beyond
            return ""
        return json.dumps({"provisioningRequests": page, **more})

    api.get(NUMBERS, text=answer)


@pytest.mark.parametrize("count", [0, 1, 2999, 3000, 3001, 7500])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("announced", [False, True])
def test_phone_numbers_are_read_page_by_page(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture, count: int, first: int, announced: bool
) -> None:
    rows = [{"requestId": f"request-{number}"} for number in range(count)]
    serve_numbers(api, rows, first, **({"size": count} if announced else {}))
    assert read(streams()["phone_numbers"]) == rows
    assert not warnings(caplog)
    assert parse_qs(urlsplit(api.request_history[0].url).query) == {"size": ["3000"]}
    assert api.call_count <= math.ceil(count / 2900) + 3


@pytest.mark.parametrize("beyond", [204, 404])
@pytest.mark.parametrize("first", [0, 1])
def test_an_answer_without_rows_after_the_last_page_ends_the_list(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture, beyond: int, first: int
) -> None:
    rows = [{"phoneNumber": f"+{number}"} for number in range(3500)]
    serve_numbers(api, rows, first, beyond)
    assert read(streams()["phone_numbers"]) == rows
    assert not warnings(caplog)


@pytest.mark.parametrize("code", [204, 404])
def test_an_answer_without_rows_after_a_full_page_breaks_the_list_off(api: requests_mock.Mocker, code: int) -> None:
    rows = [{"phoneNumber": f"+{number}"} for number in range(3000)]
    api.get(NUMBERS, [{"json": {"provisioningRequests": rows}}, {"status_code": code}])
    error = failure(streams()["phone_numbers"])
    assert error.failure_type is FailureType.config_error
    assert f"or sent only a part of it: it answered {code}" in str(error)


def test_fewer_numbers_than_announced_are_a_warning(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"requestId": f"request-{number}"} for number in range(3500)]
    serve_numbers(api, rows, size=7500)
    assert read(streams()["phone_numbers"]) == rows
    assert warnings(caplog) == ["phone_numbers: tyntec announced 7,500 rows, but gave 3,500."]


def test_a_full_page_that_comes_again_is_a_warning(api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"requestId": f"request-{number}"} for number in range(3000)]
    api.get(NUMBERS, json={"provisioningRequests": rows})
    assert read(streams()["phone_numbers"]) == rows
    assert warnings(caplog) == ["phone_numbers: tyntec gave a full page twice: there may be more than 3,000 rows."]
    assert api.call_count <= 4


def test_a_page_that_fails_is_asked_for_again_and_no_number_comes_twice(api: requests_mock.Mocker) -> None:
    rows = [{"phoneNumber": f"+{number}"} for number in range(10)]
    page = {"json": {"provisioningRequests": rows}}
    failures: list[dict[str, Any]] = [{"status_code": 503}, {"exc": requests.ConnectionError}]
    api.get(NUMBERS, [*failures, page, *failures, page, *failures, page])
    assert read(streams()["phone_numbers"]) == rows


def test_each_read_of_phone_numbers_starts_at_the_first_page(api: requests_mock.Mocker) -> None:
    rows = [{"phoneNumber": f"+{number}"} for number in range(3500)]
    serve_numbers(api, rows)
    stream = streams()["phone_numbers"]
    assert read(stream) == read(stream) == rows


def test_an_id_that_meets_an_unexpected_exception_is_not_lost_in_silence(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, json={"status": "DELIVERED"})
    stream: Any = streams(config("id-1", "id-2"))["message_status"]
    stream.parse_response = lambda *_, **__: 1 / 0
    with pytest.raises(AirbyteTracedException, match=r"2 of 2 statuses .* unexpected error \(ZeroDivisionError\)"):
        read(stream)
