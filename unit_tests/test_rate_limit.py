"""tyntec's limit on the rate of requests."""

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from requests_mock import Mocker

from source_tyntec_sms.client import READ, RateLimit, seconds_until_reset
from unit_tests import tyntec
from unit_tests.conftest import BlockedError, Clock
from unit_tests.helpers import errors, logged, response, rows, sync
from unit_tests.tyntec import LIMITED, gateway, status

STATUS = tyntec.STREAMS["message_status"]
SECOND, MINUTE, HOUR, DAY = (
    f"X-RateLimit-Remaining-{unit}" for unit in ("Second", "Minute", "Hour", "Day")
)
LATE = {"Date": "Fri, 27 Nov 2026 23:58:50 GMT"}  # 70 seconds before midnight
IN_AN_HOUR = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7", MINUTE: "0", **LATE}, 7),
        ({"Retry-After": "soon", MINUTE: "0", **LATE}, 10),
        ({SECOND: "0", **LATE}, 1),
        ({MINUTE: "0", **LATE}, 10),
        ({HOUR: "0", **LATE}, 70),
        ({MINUTE: "0", DAY: "0", "Date": "Fri, 27 Nov 2026 12:00:00 GMT"}, 43200),  # the longest
        ({MINUTE: "0", HOUR: "5", **LATE}, 10),
        ({MINUTE: "1", HOUR: "5", **LATE}, 0),
        ({MINUTE: "0", "Date": "yesterday"}, 48),  # by the clock of the machine
        ({MINUTE: "0"}, 48),
        ({"Retry-After": "0"}, 0),
        ({}, 0),
    ],
)
def test_headers_say_when_a_limit_resets(
    clock: Clock, headers: dict[str, str], seconds: float
) -> None:
    clock.now += 12
    assert seconds_until_reset(response(429, headers=headers)) == seconds


def test_a_date_says_when_a_limit_resets() -> None:
    headers = {"Retry-After": IN_AN_HOUR}
    assert 600 < seconds_until_reset(response(429, headers=headers)) <= 3600


# One limit

REFUSED, SUCCESS = response(**LIMITED), response()


@pytest.fixture
def limit(clock: Clock) -> RateLimit:
    assert not clock.waits
    return RateLimit(READ)


def test_without_a_429_no_request_waits(limit: RateLimit, clock: Clock) -> None:
    assert {limit.acquire() for _ in range(100)} == {clock.now}
    assert limit.release(clock.now, SUCCESS) is None
    assert clock.waits == []


def test_a_wait_doubles_up_to_a_minute(limit: RateLimit) -> None:
    waits = [limit.release(limit.acquire(), REFUSED) for _ in range(9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    limit.release(limit.acquire(), SUCCESS)
    assert limit.release(limit.acquire(), REFUSED) == 1


@pytest.mark.parametrize("latency", [0.5, 0])  # 0: the clock of Windows has long ticks
def test_all_requests_share_one_wait(limit: RateLimit, clock: Clock, latency: float) -> None:
    sent = [limit.acquire() for _ in range(4)]
    clock.now += latency
    resumes_at = clock.now + 1
    assert [limit.release(at, REFUSED) for at in sent] == [1, 0, 0, 0]
    clock.now += 0.25
    assert limit.acquire() == resumes_at
    assert clock.waits == [0.75]


@pytest.mark.parametrize("outcome", [SUCCESS, None])  # None: no response
def test_after_a_wait_one_request_goes_first(limit: RateLimit, clock: Clock, outcome: Any) -> None:
    late, refused = limit.acquire(), limit.acquire()
    clock.now += 0.1
    limit.release(refused, REFUSED)
    sent = [limit.acquire()]
    assert limit.release(late, SUCCESS) is None  # sent before the wait: admits none
    for admitted in (2, 4, 8):
        with pytest.raises(BlockedError):
            limit.acquire()
        for at in sent:
            assert limit.release(at, outcome) is None
        sent = [limit.acquire() for _ in range(admitted)]


@pytest.mark.parametrize(("seconds", "wait"), [("900", 900), ("901", None)])
def test_more_than_15_minutes_are_not_waited(
    limit: RateLimit, seconds: str, wait: float | None
) -> None:
    refused = response(429, headers={"Retry-After": seconds})
    assert limit.release(limit.acquire(), refused) == wait
    assert limit.release(limit.acquire(), SUCCESS) is None


def test_refusals_for_15_minutes_end_the_waits(limit: RateLimit, clock: Clock) -> None:
    begin = clock.now
    while limit.release(limit.acquire(), response(429, headers={"Retry-After": "10"})):
        pass
    assert clock.now - begin == 900


# In a sync


def test_a_429_is_no_failed_attempt(api: Mocker, clock: Clock) -> None:
    api.get(STATUS, [LIMITED] * 15 + [tyntec.UNAVAILABLE, status()])
    assert len(rows(sync(policy=READ, max_attempts=2))) == 1
    assert len(clock.waits) == 16


def test_a_wait_is_logged_once_and_shown_as_status(
    api: Mocker, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    api.get(STATUS, [gateway(429, "Limit", Retry_After="75"), status()])
    (line,) = [line for line in logged(sync(), "INFO") if "rate limit" in line]
    assert clock.waits == [75]
    assert "75.0 seconds" in line
    lines = capsys.readouterr().out.splitlines()
    (shown,) = [line for line in lines if "STREAM_STATUS" in line]
    assert all(lines)  # each one is JSON
    shown = json.loads(shown)["trace"]["stream_status"]
    assert shown["stream_descriptor"] == {"name": "message_status"}
    assert (shown["status"], shown["reasons"]) == ("RUNNING", [{"type": "RATE_LIMITED"}])


def test_streams_share_the_limit(api: Mocker, clock: Clock) -> None:
    api.get(STATUS, **LIMITED)
    contacts = api.get(tyntec.CONTACTS, **LIMITED)
    begin = clock.now
    output = sync(streams=("message_status", "contacts"), policy=READ)
    assert 800 < clock.now - begin <= 900
    assert errors(output).keys() == {"message_status", "contacts", ""}
    assert contacts.call_count == 1
