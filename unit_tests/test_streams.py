"""The four streams, with answers made up by requests-mock."""

import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import requests_mock
from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_tyntec_sms import SourceTyntecSms, tally
from source_tyntec_sms.retries import CHECK, READ, Budget, retry_after
from unit_tests.test_settings import JSON

API = "https://api.tyntec.com"
LISTS = {
    "contacts": ("/byon/contacts/v1", "contacts"),
    "phone_numbers": ("/byon/phonebook/v1/numbers", "provisioningRequests"),
    "phone_registrations": ("/byon/provisioning/v1", "provisioningRequests"),
}


@pytest.fixture
def api() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


def streams(*request_ids: str) -> dict[str, HttpStream]:
    first, *others = request_ids or ("id-1",)
    config = {"api_key": "k3y", "message_request_id": first, "additional_message_request_ids": others}
    found = {}
    for stream in SourceTyntecSms().streams(config):
        assert isinstance(stream, HttpStream)
        found[stream.name] = stream
    return found


def read(stream: HttpStream) -> list[Any]:
    return [
        record
        for stream_slice in stream.stream_slices(sync_mode=SyncMode.full_refresh)
        for record in stream.read_records(SyncMode.full_refresh, stream_slice=stream_slice)
    ]


def test_streams_are_four_plain_http_streams() -> None:
    assert list(streams()) == ["message_status", "contacts", "phone_numbers", "phone_registrations"]


def test_a_request_carries_the_key_and_asks_for_json(api: requests_mock.Mocker) -> None:
    api.get(f"{API}/messaging/v1/messages/id-1", json={"requestId": "id-1"})
    assert read(streams()["message_status"]) == [{"requestId": "id-1"}]
    request: Any = api.request_history[0]
    assert request.headers["apikey"] == "k3y"
    assert request.headers["Accept"] == "application/json"
    assert request.timeout == (READ.connect * 0.0001, READ.silence * 0.0001)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("in_array", [False, True])
def test_a_row_of_a_list_is_a_record(api: requests_mock.Mocker, name: str, in_array: bool) -> None:
    path, field = LISTS[name]
    rows = [{"contactId": "1"}, {"contactId": "2"}]
    document = {field: rows, "size": 2}
    api.get(API + path, json=[document] if in_array else document)
    assert read(streams()[name]) == rows


@pytest.mark.parametrize("name", LISTS)
def test_an_array_of_several_wrapping_objects_is_read_whole(api: requests_mock.Mocker, name: str) -> None:
    path, field = LISTS[name]
    api.get(API + path, json=[{field: [{"n": 1}]}, {field: [{"n": 2}]}])
    assert read(streams()[name]) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("name", LISTS)
def test_204_is_an_empty_list(api: requests_mock.Mocker, name: str) -> None:
    api.get(API + LISTS[name][0], status_code=204)
    assert read(streams()[name]) == []


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "document", [{}, [], [[]], None, {"contacts": None, "provisioningRequests": {}}, {"rows": []}, [{"size": 0}]]
)
def test_an_answer_without_the_list_is_an_error_never_zero_rows(
    api: requests_mock.Mocker, name: str, document: Any
) -> None:
    path, field = LISTS[name]
    api.get(API + path, text=json.dumps(document))
    with pytest.raises(AirbyteTracedException, match=f"{name} could not be read. .* without the list '{field}'"):
        read(streams()[name])


@pytest.mark.parametrize("name", ["message_status", *LISTS])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=JSON
    | st.fixed_dictionaries({}, optional=dict.fromkeys(("contacts", "provisioningRequests", "size"), JSON))
)
def test_any_json_as_answer_is_emitted_or_refused_in_plain_words(name: str, document: Any) -> None:
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, text=json.dumps(document))
        try:
            records = read(streams()[name])
        except AirbyteTracedException as error:
            assert "tyntec answered with" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(record, dict) for record in records)


def test_a_stream_instance_can_be_read_again(api: requests_mock.Mocker) -> None:
    api.get(f"{API}/messaging/v1/messages/id-1", json={"status": "DELIVERED"})
    api.get(f"{API}/messaging/v1/messages/id-2", status_code=404)
    api.get(f"{API}/byon/phonebook/v1/numbers", json={"provisioningRequests": [{"n": 1}]})
    found = streams("id-1", "id-2")
    for _ in range(2):
        assert read(found["message_status"]) == [{"status": "DELIVERED", "requestId": "id-1"}]
        assert read(found["phone_numbers"]) == [{"n": 1}]


def test_after_a_rejected_key_reading_can_start_anew(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, [{"status_code": 401, "json": {}}, {"json": {"status": "DELIVERED"}}])
    stream = streams("id-1", "id-2")["message_status"]
    with pytest.raises(AirbyteTracedException, match="1 of 2 SMS request ids could not be read: id-1"):
        read(stream)
    assert len(read(stream)) == 2


def test_a_slice_can_be_read_before_slices_were_asked_for(api: requests_mock.Mocker) -> None:
    api.get(f"{API}/messaging/v1/messages/id-1", json={"status": "DELIVERED"})
    stream = streams()["message_status"]
    assert len(list(stream.read_records(SyncMode.full_refresh, stream_slice={"request_id": "id-1"}))) == 1


def test_different_reasons_are_counted_in_the_one_error(api: requests_mock.Mocker) -> None:
    api.get(f"{API}/messaging/v1/messages/a", status_code=403, json={"message": "You cannot consume this service"})
    api.get(f"{API}/messaging/v1/messages/b", status_code=400)
    api.get(f"{API}/messaging/v1/messages/c", status_code=400)
    api.get(f"{API}/messaging/v1/messages/d", json={})
    with pytest.raises(AirbyteTracedException) as error:
        read(streams("a", "b", "c", "d")["message_status"])
    message = str(error.value)
    assert message.startswith("3 of 4 SMS request ids could not be read: a, b, c. 2 times: tyntec refused the request")
    assert "1 times: tyntec rejected the API key" in message
    assert error.value.failure_type.value == "config_error"


def test_an_unexpected_exception_is_told_without_its_text(
    api: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = streams()["contacts"]
    monkeypatch.setattr(stream, "pages", lambda _response: 1 / 0)
    api.get(requests_mock.ANY, json={})
    with pytest.raises(AirbyteTracedException, match=r"unexpected error \(ZeroDivisionError\). Report it"):
        read(stream)


def test_a_row_of_ten_failures_ends_the_reading_and_a_success_breaks_the_row(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"id-{number}" for number in range(40)]
    for number, name in enumerate(ids):
        good = number in {5, 9}
        api.get(f"{API}/messaging/v1/messages/{name}", status_code=200 if good else 400, json={})
    with caplog.at_level(logging.WARNING), pytest.raises(AirbyteTracedException) as error:
        read(streams(*ids)["message_status"])
    assert len(api.request_history) == 20
    assert "18 of 40 SMS request ids could not be read" in str(error.value)
    assert "The remaining 20 were not tried" in str(error.value)


def test_a_slow_read_shows_how_far_it_is_every_30_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = iter(range(0, 10_000, 16))
    monkeypatch.setattr(tally, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    count = tally.Tally(6, logging.getLogger("test"))
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            count.known()
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 6 SMS request ids are read.",
        "4 of 6 SMS request ids are read.",
        "6 of 6 SMS request ids are read.",
    ]


def test_a_list_can_be_read_again_after_an_answer_that_ended_it_at_once(api: requests_mock.Mocker) -> None:
    api.get(
        f"{API}/byon/contacts/v1",
        [
            {"status_code": 429, "headers": {"Retry-After": "3600"}},
            {"status_code": 500},
            {"json": {"contacts": [{"n": 1}]}},
        ],
    )
    stream = streams()["contacts"]
    with pytest.raises(AirbyteTracedException, match="asked to wait 3600 seconds"):
        read(stream)
    assert read(stream) == [{"n": 1}]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("86400", 86400), (" 7 ", 7), ("0", None), ("-1", None), ("1.5", None), ("", None), ("soon", None),
        ("1, 2", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("Wed, 21 Oct 2015 07:28:00 -0000", None),
        ("Fri, 99 Foo 99999 99:99:99 GMT", None), ("9" * 400, float("inf")), ("٣", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_it_is_or_not_at_all(header: str, seconds: float | None) -> None:
    response = requests.Response()
    response.headers["Retry-After"] = header
    assert retry_after(response) == seconds


@pytest.mark.parametrize("budget", [READ, CHECK])
def test_waits_grow_with_jitter_and_stay_within_the_budget(budget: Budget) -> None:
    for attempt in range(1, 60):
        full = min(budget.first_wait * 2 ** (attempt - 1), budget.longest_wait)
        waits = {budget.wait(attempt) for _ in range(50)}
        assert len(waits) > 10
        assert all(full / 2 <= wait <= full for wait in waits)
