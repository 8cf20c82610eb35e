"""The sandbox behaves as tyntec and its gateway are documented to."""

import time
from typing import Any

import pytest
import requests

from sandbox import Limit, Outage, Sandbox
from sandbox.data import LISTS, STATUS_PATH, TODAYS_ID
from sandbox.faults import NAMES, check_fault
from sandbox.messages import Messages

STATUS = STATUS_PATH + TODAYS_ID
NUMBERS = LISTS["phone_numbers"].path
NOON = 1_700_000_000 // 86400 * 86400 + 43200.0


def get(sandbox: Sandbox, path: str = STATUS, timeout: float = 10, **params: int) -> Any:
    url, headers = sandbox.url + path, {"apikey": sandbox.key}
    return requests.get(url, params, headers=headers, timeout=timeout, allow_redirects=False)


def status_of(sandbox: Sandbox) -> int:
    """The HTTP status of a response, 0 without a response."""
    try:
        return int(get(sandbox).status_code)
    except requests.ConnectionError:
        return 0


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({}, 401, "No API key found in request"),
        ({"apikey": "another"}, 403, "Invalid authentication credentials"),
        ({"apikey": "sandbox-key"}, 200, TODAYS_ID),
    ],
)
def test_a_key_is_needed(headers: dict[str, str], status: int, words: str) -> None:
    with Sandbox() as sandbox:
        response = requests.get(sandbox.url + STATUS, headers=headers, timeout=1)
    assert response.status_code == status
    assert words in response.text


@pytest.mark.parametrize("path", ["/messaging/v1/sms", "/byon/contacts/v1"])
def test_other_paths_have_no_route(path: str) -> None:
    with Sandbox(byon=False) as sandbox:
        assert get(sandbox, path).json() == {"message": "no Route matched with those values"}
        assert [(each.method, each.path) for each in sandbox.received] == [("GET", path)]


@pytest.mark.parametrize("unit", ["second", "minute", "hour", "day"])
def test_a_limit_counts_per_key_and_calendar_window(unit: str) -> None:
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit]
    now = NOON // seconds * seconds + seconds - 0.5
    limit = Limit(2, unit, clock=lambda: now)
    assert [limit.admit("key")[0] for _ in range(4)] == [True, True, False, False]
    assert limit.admit("another key")[0]
    now += 0.5  # the next window
    assert limit.admit("key")[0]
    assert limit.refused == 2


KONG_1 = {"X-RateLimit-Limit-Minute": "1", "X-RateLimit-Remaining-Minute": "0"}
KONG_2 = {**KONG_1, "RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "50"}


@pytest.mark.parametrize(
    ("kind", "admitted", "refused"),
    [
        ("none", {}, {}),
        ("retry-after", {}, {"Retry-After": "50"}),
        ("kong-1", KONG_1, KONG_1),
        ("kong-2", KONG_2, {**KONG_2, "Retry-After": "50"}),
    ],
)
def test_a_limit_has_the_headers_of_kong(
    kind: Any, admitted: dict[str, str], refused: dict[str, str]
) -> None:
    with Sandbox(limit=Limit(1, "minute", kind, clock=lambda: NOON + 10)) as sandbox:
        responses = [get(sandbox), get(sandbox)]
    assert [response.status_code for response in responses] == [200, 429]
    names = KONG_2.keys() | {"Retry-After"}
    found = [{n: v for n, v in each.headers.items() if n in names} for each in responses]
    assert found == [admitted, refused]
    assert sandbox.refused == 1


@pytest.mark.parametrize(("kind", "status"), [("503", 503), ("reset", 0), ("refuse", 0)])
def test_an_outage_begins_after_requests_and_ends(kind: Any, status: int) -> None:
    with Sandbox(outage=Outage(kind, after=1, seconds=0.3)) as sandbox:
        assert [status_of(sandbox) for _ in range(3)] == [200, status, status]
        assert sandbox.requests() == (2 if kind == "refuse" else 3)
        while status_of(sandbox) != 200:
            time.sleep(0.02)


@pytest.mark.parametrize(
    ("paging", "sizes"),
    [
        ("from 0", {None: 2, 0: 2, 1: 2, 2: 1, 3: 0}),
        ("from 1", {None: 2, 1: 2, 2: 2, 3: 1, 4: 0}),
        ("ignored", {None: 2, 0: 2, 1: 2, 2: 2}),
        ("refused", {None: 2, 0: None, 1: None}),
    ],
)
def test_pages_are_counted_ignored_or_refused(
    paging: Any, sizes: dict[int | None, int | None]
) -> None:
    with Sandbox(paging=paging, rows={"phone_numbers": [{"row": n} for n in range(5)]}) as sandbox:
        for page, size in sizes.items():
            response = get(sandbox, NUMBERS, size=2, **({} if page is None else {"page": page}))
            assert response.status_code == (400 if size is None else 200)
            assert size is None or response.json()["size"] == size


@pytest.mark.parametrize("after_last", ["204", "404", "400", "416", "503"])
def test_a_page_after_the_last_has_its_own_response(after_last: Any) -> None:
    with Sandbox(after_last=after_last, rows={"phone_numbers": []}) as sandbox:
        assert get(sandbox, NUMBERS).ok
        assert get(sandbox, NUMBERS, page=1).status_code == int(after_last)


@pytest.mark.parametrize("fault", sorted({*NAMES, "302", "503", "404-html"} - {"hang"}))
def test_a_fault_replaces_the_first_response(fault: str) -> None:
    with Sandbox(faults={TODAYS_ID: f"{fault}:1"}) as sandbox:
        try:
            first = get(sandbox)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            assert fault in {"reset", "cut"}
        else:
            assert first.content != get(sandbox).content
        assert get(sandbox).json() == sandbox.statuses[TODAYS_ID]


def test_a_request_that_hangs_has_no_response() -> None:
    with Sandbox(faults={"message_status": "hang"}) as sandbox, pytest.raises(requests.Timeout):
        get(sandbox, timeout=0.05)


@pytest.mark.parametrize("fault", ["", "200", "99", "nonsense", "503:0", "404-xml"])
def test_an_unknown_fault_is_an_error(fault: str) -> None:
    with pytest.raises(ValueError, match="known are"):
        check_fault(fault)


def test_generated_messages_become_final() -> None:
    for settle_seconds, pending in (3600, True), (0, False):
        messages = Messages(200, settle_seconds=settle_seconds)
        states = {(messages.status(request_id) or {})["status"] for request_id in messages.ids}
        assert bool(states & {"ACCEPTED", "BUFFERED"}) == pending
