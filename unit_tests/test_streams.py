"""The streams, with answers made up by requests-mock."""

import json
import logging
import time
from typing import Any

import pytest
import requests_mock
from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.session import READ
from source_tyntec_sms.streams import ListStream
from unit_tests.conftest import API, JSON, LISTS, LOGGER, STATUSES, config, read, source, streams


def listed(name: str) -> ListStream:
    """A list stream by its name."""
    stream = streams()[name]
    assert isinstance(stream, ListStream)
    return stream


def url(stream: ListStream) -> str:
    return f"{API}/{stream.endpoint}"


def statuses(*request_ids: str, **policy: Any) -> HttpStream:
    """The stream of statuses, with one worker, so that ids are asked for in their order."""
    return streams(config(*request_ids, num_workers=1), **policy)["message_status"]


def test_all_streams_are_plain_http_streams() -> None:
    found = SourceTyntecSms().streams(config())
    assert all(isinstance(stream, HttpStream) for stream in found)
    assert len(streams()) == len(found)


def test_a_request_carries_the_key_and_asks_for_json(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", json={"requestId": "id-1"})
    assert read(statuses("id-1")) == [{"requestId": "id-1"}]
    request: Any = api.request_history[0]
    assert request.headers["apikey"] == "k3y-k3y"
    assert request.headers["Accept"] == "application/json"
    assert "Cookie" not in request.headers
    assert request.timeout == (READ.connect_timeout, READ.answer_timeout)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("in_array", [False, True])
def test_a_row_of_a_list_is_a_record(api: requests_mock.Mocker, name: str, in_array: bool) -> None:
    stream = listed(name)
    rows = [{"requestId": "1"}, {"requestId": "2"}]
    document = {stream.rows_field: rows, "size": 2}
    api.get(url(stream), json=[document] if in_array else document)
    assert read(stream) == rows


@pytest.mark.parametrize("name", LISTS)
def test_an_array_of_several_wrapping_objects_is_read_whole(api: requests_mock.Mocker, name: str) -> None:
    stream = listed(name)
    api.get(url(stream), json=[{stream.rows_field: [{"requestId": "1"}]}, {stream.rows_field: [{"requestId": "2"}]}])
    assert read(stream) == [{"requestId": "1"}, {"requestId": "2"}]


@pytest.mark.parametrize("name", LISTS)
def test_204_is_an_empty_list(api: requests_mock.Mocker, name: str) -> None:
    stream = listed(name)
    api.get(url(stream), status_code=204)
    assert read(stream) == []


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("document", [{}, [], [[]], None, {"rows": []}, [{"size": 0}], "x", 7])
def test_an_answer_without_the_list_is_an_error_never_zero_rows(
    api: requests_mock.Mocker, name: str, document: Any
) -> None:
    stream = listed(name)
    api.get(url(stream), text=json.dumps(document))
    with pytest.raises(AirbyteTracedException, match=f"{name} could not be read. .* without the list"):
        read(stream)


@pytest.mark.parametrize("name", ["message_status", *LISTS])
@given(document=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("contacts", "provisioningRequests"), JSON)))
def test_any_json_as_answer_is_emitted_or_refused_in_plain_words(name: str, document: Any) -> None:
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, text=json.dumps(document))
        try:
            records = read(streams(max_attempts=1)[name])
        except AirbyteTracedException as error:
            assert "tyntec" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(record, dict) for record in records)


def test_the_id_that_was_asked_for_is_filled_in_where_tyntec_leaves_it_out(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", json={"status": "DELIVERED"})
    assert read(statuses("id-1")) == [{"status": "DELIVERED", "requestId": "id-1"}]


def test_the_status_of_another_message_is_asked_for_again_and_never_emitted(api: requests_mock.Mocker) -> None:
    right, wrong = {"requestId": "ID-1"}, {"requestId": "id-0", "status": "DELIVERED"}
    api.get(f"{STATUSES}/id-1", [{"json": wrong}, {"json": right}])
    assert read(statuses("id-1")) == [right]
    api.get(f"{STATUSES}/id-1", json=wrong)
    with pytest.raises(AirbyteTracedException, match="request for id-1 with the status of id-0") as error:
        read(statuses("id-1"))
    assert error.value.failure_type.value == "system_error"
    assert len(api.request_history) == 2 + READ.max_attempts


@pytest.mark.parametrize("document", [{"message": "An unexpected error occurred"}, {}, {"code": 1}])
def test_an_object_without_any_field_of_a_status_is_no_status(api: requests_mock.Mocker, document: Any) -> None:
    api.get(f"{STATUSES}/id-1", json=document)
    with pytest.raises(AirbyteTracedException, match=r"it answered 200.* where a status was expected"):
        read(statuses("id-1"))


def test_a_stream_can_be_read_again(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", json={"status": "DELIVERED"})
    api.get(f"{STATUSES}/id-2", status_code=404)
    stream = statuses("id-1", "id-2")
    for _ in range(2):
        assert len(read(stream)) == 1


def test_after_a_rejected_key_reading_can_start_anew(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, [{"status_code": 401, "json": {}}, {"json": {"status": "DELIVERED"}}])
    stream = statuses("id-1", "id-2")
    with pytest.raises(
        AirbyteTracedException, match=r"1 of 2 statuses could not be read: id-1. .* The other 1 were not"
    ):
        read(stream)
    assert len(read(stream)) == 2


def test_a_list_can_be_read_again_after_an_answer_that_ended_it_at_once(api: requests_mock.Mocker) -> None:
    stream = listed("contacts")
    answers: list[dict[str, Any]] = [
        {"status_code": 429, "headers": {"Retry-After": "3600"}},
        {"status_code": 500},
        {"json": {"contacts": [{"n": 1}]}},
    ]
    api.get(url(stream), answers)
    with pytest.raises(AirbyteTracedException, match="asked to wait 3,600 seconds"):
        read(stream)
    assert read(stream) == [{"n": 1}]


def test_skipped_ids_are_named_by_reason(api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    api.get(f"{STATUSES}/a", json={"status": "DELIVERED"})
    for name, code in (("b", 404), ("c", 400), ("d", 404), ("e", 410), ("f", 422)):
        api.get(f"{STATUSES}/{name}", status_code=code, json={"title": "No"})
    with caplog.at_level(logging.INFO):
        assert len(read(statuses("a", "b", "c", "d", "e", "f"))) == 1
    assert "Request ids skipped: b, d. Each is unknown to tyntec, or older than three months." in caplog.text
    assert 'Request ids skipped: c. Each was refused by tyntec: it answered 400 "No".' in caplog.text
    assert "6 of 6 request ids asked: 1 read, 2 unknown, 3 refused." in caplog.text


def test_250_unknown_ids_are_named_in_three_lines(api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    ids = [f"id-{number}" for number in range(250)]
    api.get(requests_mock.ANY, status_code=404)
    with caplog.at_level(logging.WARNING), pytest.raises(AirbyteTracedException, match="no status for any of the 250"):
        read(statuses(*ids))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert all(name in "".join(lines) for name in ids)


def test_different_reasons_are_counted_in_the_one_error(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/a", status_code=403, json={"message": "You cannot consume this service"})
    api.get(f"{STATUSES}/b", status_code=418)
    api.get(f"{STATUSES}/c", status_code=418)
    api.get(f"{STATUSES}/d", json={"status": "DELIVERED"})
    with pytest.raises(AirbyteTracedException) as error:
        read(statuses("a", "b", "c", "d"))
    message = str(error.value)
    assert message.startswith("3 of 4 statuses could not be read: a, b, c. 2 of them: tyntec refused the request")
    assert "1 of them: tyntec rejected the API key" in message
    assert error.value.failure_type.value == "config_error"


def test_ten_consecutive_failures_end_the_reading_and_a_success_in_between_does_not(api: requests_mock.Mocker) -> None:
    ids = [f"id-{number}" for number in range(80)]
    for number, name in enumerate(ids):
        good = number in {5, 9}
        api.get(f"{STATUSES}/{name}", status_code=200 if good else 418, json={"status": "DELIVERED"})
    with pytest.raises(AirbyteTracedException, match="were not asked for: they would have failed too"):
        read(statuses(*ids))
    # One worker may have begun with the next ones before the tenth failure was counted.
    assert 20 <= len(api.request_history) <= 23


def test_only_a_few_ids_for_each_worker_are_under_way_while_the_reader_pauses(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, json={"status": "DELIVERED"})
    stream = streams(config(*map(str, range(1000)), num_workers=4))["message_status"]
    records = iter(stream.read_records(SyncMode.full_refresh))
    next(records)
    time.sleep(0.3)
    assert len(api.request_history) <= 4 * 4
    records.close()  # type: ignore[attr-defined]


def test_an_unexpected_exception_is_told_without_its_text(api: requests_mock.Mocker) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("secret")

    api.get(requests_mock.ANY, json=fail)
    with pytest.raises(AirbyteTracedException) as error:
        read(listed("contacts"))
    assert "secret" not in str(error.value)


def test_a_page_that_breaks_off_fails_and_an_announced_total_that_is_not_reached_is_a_warning(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    stream = listed("phone_numbers")
    rows = [{"requestId": str(number)} for number in range(3000)]
    full = {"json": {stream.rows_field: rows, "size": 7500}}
    for code in (204, 404):
        api.get(url(stream), [full, {"status_code": code}])
        with pytest.raises(AirbyteTracedException, match=f"broke it off: it answered {code}"):
            read(stream)
    api.get(url(stream), [full, {"json": {stream.rows_field: []}}])
    assert read(stream) == rows
    assert "tyntec announced 7500 phone numbers, but gave 3000." in caplog.text


def test_check_says_that_the_key_works_when_the_id_is_unknown(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, status_code=404, json={"title": "Not Found"})
    succeeded, message = source().check_connection(LOGGER, config("id-1"))
    assert not succeeded
    assert (message or "").startswith("The API key works, but the SMS request id id-1 is unknown to tyntec")


def test_check_asks_once_and_needs_no_more(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", json={"status": "DELIVERED"})
    assert source().check_connection(LOGGER, config("id-1", "id-2")) == (True, None)
    assert len(api.request_history) == 1


def test_a_redirect_is_not_followed(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", status_code=302, headers={"Location": "https://evil.example/"})
    with pytest.raises(AirbyteTracedException, match="redirected the request"):
        read(statuses("id-1"))
    assert [request.hostname for request in api.request_history] == ["api.tyntec.com"]
