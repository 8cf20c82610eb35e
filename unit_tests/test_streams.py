"""What the streams read."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests_mock
from airbyte_cdk import HttpStream
from airbyte_cdk.models import SyncMode
from requests import exceptions
from requests_mock import Mocker

from source_tyntec_sms import streams
from unit_tests import tyntec
from unit_tests.helpers import config, error, errors, ids, records, rows, source, sync, warnings
from unit_tests.tyntec import LISTS, NUMBERS, STATUSES, Reply, gateway, problem, status


def test_streams_are_full_refresh_with_their_keys() -> None:
    keys = {}
    for stream in source().streams(config()):
        assert isinstance(stream, HttpStream)
        described = stream.as_airbyte_stream()
        assert described.supported_sync_modes == [SyncMode.full_refresh]
        assert not described.is_resumable
        keys[stream.name] = described.source_defined_primary_key
    assert keys == {
        "message_status": [["requestId"]],
        "contacts": [["contactId"]],
        "phone_numbers": None,
        "phone_registrations": [["requestId"]],
    }


def test_other_streams_are_read_after_one_failed(api: Mocker) -> None:
    api.get(requests_mock.ANY, **tyntec.REJECTED)
    api.get(tyntec.CONTACTS, json={"contacts": [{"contactId": "a"}]})
    api.get(tyntec.REGISTRATIONS, json={"provisioningRequests": [{"requestId": "b"}]})
    output = sync(streams=tuple(tyntec.STREAMS))
    assert records(output) == [{"contactId": "a"}, {"requestId": "b"}]
    found = errors(output)
    assert list(found) == ["message_status", "phone_numbers", ""]
    assert found[""][0] == "config_error"
    assert "not read in full: message_status, phone_numbers." in found[""][1]


# Message statuses


def reply(api: Mocker, replies: dict[str, Reply]) -> None:
    for request_id, known in replies.items():
        api.get(STATUSES + request_id, **known)


def names(read: list[dict[str, Any]]) -> list[str]:
    return [row["requestId"] for row in read]


def test_unknown_ids_are_skipped_and_named(api: Mocker) -> None:
    unknown = {"b": tyntec.UNKNOWN, "c": problem(410, "Gone")}
    reply(api, {"a": status("a"), "d": status("d"), **unknown})
    output = sync(*"abcd")
    assert names(records(output)) == ["a", "d"]
    assert not errors(output)
    assert "1 not read: b." in warnings(output)[0]
    assert "tyntec refused the id: HTTP 410 (Gone). 1 not read: c." in warnings(output)[1]


def test_an_id_is_matched_and_kept_in_any_case(api: Mocker) -> None:
    reply(api, {"Id-A": status("iD-a", status="DELIVERED")})
    assert rows(sync("Id-A")) == [{"requestId": "Id-A", "status": "DELIVERED"}]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (status("id-2", status="DELIVERED"), "id-2"),
        (status("id-11"), "id-11"),
        *(({"json": {"requestId": each}}, "the status of") for each in (["id-1"], "", None)),
        ({"json": {"status": "DELIVERED"}}, "the status of"),
        (gateway(200, "An unexpected error occurred"), "the status of"),
        *(({"text": text}, "the status of") for text in ('[{"requestId": "id-1"}]', '"id-1"')),
        ({"status_code": 204}, "the status of"),
    ],
)
def test_the_status_of_another_message_fails_the_id(api: Mocker, other: Reply, named: str) -> None:
    reply(api, {"id-1": other, "id-3": status("id-3")})
    output = sync("id-1", "id-3")
    failure_type, message = error(output)
    assert names(records(output)) == ["id-3"]
    assert failure_type == "system_error"
    assert f"{named} " in message.partition("for id-1.")[0]
    assert "None" not in message
    assert api.call_count == 2


def test_a_rejected_key_costs_at_most_60_requests(api: Mocker) -> None:
    api.get(requests_mock.ANY, **tyntec.REJECTED)
    failure_type, message = error(sync(*ids(2000), workers=40))
    assert failure_type == "config_error"
    assert "Check the setting 'Tyntec API Key'" in message
    assert "0 of 2,000 message statuses read, 10 failed" in message
    assert "stopped after ten failures" in message
    assert api.call_count <= 60


def message_status(**settings: Any) -> Any:
    return source().streams(config(**settings))[0]


def test_few_more_ids_than_workers_are_pending(api: Mocker) -> None:
    reply(api, {request_id: status(request_id) for request_id in ids(1000)})
    taken = []

    class Ids(list[str]):
        def __iter__(self) -> Iterator[str]:
            for request_id in super().__iter__():
                taken.append(request_id)
                yield request_id

    outcomes = message_status(num_workers=4).outcomes(Ids(ids(1000)))
    for read in range(3):
        next(outcomes)
        assert len(taken) == 4 + 10 + read
    outcomes.close()


def test_no_request_is_sent_after_the_end_of_a_read(api: Mocker) -> None:
    closed, workers = threading.Event(), set()

    def respond(request: Any, _: object) -> Any:
        workers.add(threading.current_thread())
        if "id-1" not in request.path:
            closed.wait(30)
        return {"requestId": "id-1"}

    reply(api, {request_id: {"json": respond} for request_id in ids(9)})
    outcomes = message_status().outcomes(ids(9))
    assert next(outcomes) == ("id-1", {"requestId": "id-1"})
    outcomes.close()
    closed.set()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
        assert worker.daemon
    assert api.call_count <= 2


# Lists


def list_of(name: str, each: object, **fields: Any) -> dict[str, Any]:
    return {"contacts" if name == "contacts" else "provisioningRequests": each, **fields}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("is_array", [False, True])
def test_a_list_has_a_record_for_each_row(api: Mocker, name: str, is_array: bool) -> None:
    read = [{"status": "A"}, {"status": "B", "new": {"field": 1}}, {}]
    array = [list_of(name, read[:1], size=3), list_of(name, read[1:])]
    api.get(LISTS[name], json=array if is_array else list_of(name, read, size=3))
    assert rows(sync(streams=(name,))) == read
    assert api.call_count == 1


@pytest.mark.parametrize("name", LISTS)
def test_a_list_can_be_empty(api: Mocker, name: str) -> None:
    api.get(LISTS[name], [{"status_code": 204}, {"json": list_of(name, [], size=0)}])
    assert [rows(sync(streams=(name,))) for _ in range(2)] == [[], []]


def test_more_rows_announced_than_sent_are_a_warning(api: Mocker) -> None:
    api.get(tyntec.CONTACTS, json={"contacts": [{}, {}], "size": 5})
    output = sync(streams=("contacts",))
    assert records(output) == [{}, {}]
    assert not errors(output)
    (warning,) = warnings(output)
    assert "announced 5 rows and sent 2" in warning


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "rows_field",
    [None, {}, "", {"a": 1}, ["a"], [None], 5, "missing", "[]", "[5]", "text"],
    ids=str,
)
def test_a_body_without_the_list_is_an_error(api: Mocker, name: str, rows_field: Any) -> None:
    other = {"missing": {"size": 1, "contactId": "a"}, "[]": [], "[5]": [5], "text": "contacts"}
    document = other[rows_field] if rows_field in list(other) else list_of(name, rows_field)
    api.get(LISTS[name], text=json.dumps(document))
    output = sync(streams=(name,))
    assert records(output) == []
    failure_type, message = error(output)
    assert failure_type == "system_error"
    assert f"no list of '{next(iter(list_of(name, [])))}'" in message
    assert "HTTP 200" in message


@pytest.mark.parametrize("name", ["contacts", "phone_registrations"])
def test_a_list_without_paging_has_no_parameters(api: Mocker, name: str) -> None:
    api.get(LISTS[name], json=list_of(name, [{}] * 3000))
    assert len(rows(sync(streams=(name,)))) == 3000
    assert queries(api) == [""]


# Pages of phone numbers


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of 3 rows in place of 3,000."""
    monkeypatch.setattr(streams, "PAGE_SIZE", 3)


def queries(api: Mocker) -> list[str]:
    return [request.query for request in api.request_history]


def numbers(start: int, stop: int) -> list[dict[str, str]]:
    return [{"phoneNumber": str(n)} for n in range(start, stop)]


def page_of(start: int, stop: int) -> Reply:
    return {"json": list_of("phone_numbers", numbers(start, stop), size=max(0, stop - start))}


def serve_pages(api: Mocker, total: int, first_page: int | None) -> None:
    """Phone numbers in pages that count from `first_page`, or without paging."""

    def respond(request: Any, _: object) -> Any:
        size, first = int(request.qs["size"][0]), first_page or 0
        page = int(request.qs.get("page", [first])[0]) - first
        start = 0 if first_page is None else page * size
        return page_of(start, min(total, start + size))["json"]

    api.get(NUMBERS, json=respond)


@pytest.mark.parametrize("total", [0, 1, 2999])
def test_fewer_than_3000_numbers_need_one_request(api: Mocker, total: int) -> None:
    serve_pages(api, total, first_page=0)
    assert rows(sync(streams=("phone_numbers",))) == numbers(0, total)
    assert queries(api) == ["size=3000"]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("total", "first_page", "last_page"),
    [(3, 0, 1), (3, 1, 2), (6, 0, 2), (6, 1, 3), (7, 0, 2), (7, 1, 3), (40, 0, 13), (40, 1, 14)],
)
def test_pages_are_read_once_in_order(
    api: Mocker, total: int, first_page: int, last_page: int
) -> None:
    serve_pages(api, total, first_page)
    assert rows(sync(streams=("phone_numbers",))) == numbers(0, total)
    pages = [f"size=3&page={page}" for page in range(1, last_page + 1)]
    assert queries(api) == ["size=3", *pages]


def test_where_page_is_ignored_3000_numbers_are_read(api: Mocker) -> None:
    serve_pages(api, 7500, first_page=None)
    output = sync(streams=("phone_numbers",))
    assert records(output) == numbers(0, 3000)
    assert not errors(output)
    (warning,) = warnings(output)
    assert "ignores the page" in warning
    assert queries(api) == ["size=3000", "size=3000&page=1", "size=3000&page=2"]


@pytest.mark.usefixtures("small_pages")
def test_pages_are_compared_before_types_change(api: Mocker) -> None:
    api.get(NUMBERS, json=list_of("phone_numbers", [{"phoneNumber": n} for n in range(3)]))
    assert records(sync(streams=("phone_numbers",))) == numbers(0, 3)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("full_pages", [1, 2])
@pytest.mark.parametrize(
    ("last", "warning"),
    [
        (page_of(0, 0), ""),
        ({"status_code": 204}, ""),
        (gateway(404, "No such page"), ""),
        (gateway(400, "Bad page"), "HTTP 400 (Bad page)"),
        (problem(416, "Range"), "HTTP 416 (Range)"),
    ],
)
def test_a_page_after_the_last_ends_the_list(
    api: Mocker, full_pages: int, last: Reply, warning: str
) -> None:
    api.get(NUMBERS, [*[page_of(0, 3), page_of(3, 6)][:full_pages], last])
    output = sync(streams=("phone_numbers",))
    assert records(output) == numbers(0, 3 * full_pages)
    assert not errors(output)
    assert len(warnings(output)) == bool(warning)
    assert warning in "".join(warnings(output))


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("failed", "failure_type"),
    [
        (tyntec.UNAVAILABLE, "transient_error"),
        ({"exc": exceptions.ConnectionError}, "transient_error"),
        ({"status_code": 404, "text": tyntec.HTML}, "transient_error"),
        (gateway(422, "Bad"), "system_error"),
        (tyntec.NO_ROUTE, "config_error"),
    ],
)
def test_a_page_that_fails_fails_the_stream(api: Mocker, failed: Reply, failure_type: str) -> None:
    api.get(NUMBERS, [page_of(0, 3), failed])
    output = sync(streams=("phone_numbers",))
    assert records(output) == numbers(0, 3)
    assert error(output)[0] == failure_type


@pytest.mark.parametrize("refused", [gateway(400, "Bad size"), problem(404, "None")])
def test_a_refused_first_request_is_an_error(api: Mocker, refused: Reply) -> None:
    api.get(NUMBERS, **refused)
    assert error(sync(streams=("phone_numbers",)))[0] == "system_error"
