"""The pace of requests, with windows of tenths of a second."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import requests

from source_tyntec_sms.session import CHECK, READ, Pace, ReadStoppedError, RetryPolicy, retry_after
from unit_tests.conftest import response

POLICY = replace(READ, first_wait=0.1, longest_bare_hold=0.4, longest_hold=5)


def request() -> requests.PreparedRequest:
    return requests.PreparedRequest()


def ask(pace: Pace, status_code: int = 200, **headers: Any) -> float:
    """Send one request that is answered at once, and say how many seconds it waited for its turn."""
    asked, started = request(), time.monotonic()
    pace.acquire_call(asked)
    waited = time.monotonic() - started
    pace.update_from_response(asked, response(status_code=status_code, **headers))
    return waited


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace(POLICY, workers=10)
    assert sum(ask(pace) for _ in range(1000)) < 0.5


def test_a_refusal_without_a_time_holds_longer_each_time_up_to_a_limit() -> None:
    pace = Pace(POLICY, workers=1)
    ask(pace, 429)
    holds = [ask(pace, 429) for _ in range(4)]
    for hold, expected in zip(holds, (0.1, 0.2, 0.4, 0.4), strict=True):
        assert expected - 0.01 <= hold < expected + 0.2


def test_a_refusal_holds_as_long_as_it_says() -> None:
    pace = Pace(POLICY, workers=1)
    ask(pace, 429, Retry_After="1")
    assert 0.9 < pace.hold <= 1


def test_after_a_hold_one_request_goes_first() -> None:
    pace = Pace(POLICY, workers=5)
    ask(pace, 429)
    first, passed = request(), []
    pace.acquire_call(first)

    def follow() -> None:
        pace.acquire_call(request())
        passed.append(1)

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert not passed
    pace.update_from_response(first, response())
    time.sleep(0.3)
    assert passed
    pace.stop()


def test_a_request_that_goes_first_and_gets_no_answer_lets_the_next_one_try() -> None:
    pace = Pace(POLICY, workers=5)
    ask(pace, 429)
    first = request()
    pace.acquire_call(first)
    pace.update_from_response(first, None)
    assert ask(pace) < 0.1


@pytest.mark.parametrize("name", ["RateLimit_Remaining", "X_RateLimit_Remaining_Minute", "X_RateLimit_Remaining_Hour"])
def test_when_nothing_remains_in_the_window_requests_hold_before_they_are_refused(name: str) -> None:
    pace = Pace(POLICY, workers=5)
    ask(pace, 200, **{name: "0", "RateLimit_Reset": "1"})
    assert 0.9 < pace.hold <= 1


@pytest.mark.parametrize("headers", [{"RateLimit_Remaining": "0"}, {"RateLimit_Reset": "5"}, {"RateLimit_Reset": "x"}])
def test_half_a_hint_holds_nothing(headers: dict[str, str]) -> None:
    pace = Pace(POLICY, workers=5)
    ask(pace, 200, **headers)
    assert not pace.hold


def test_a_window_that_ends_too_late_is_left_to_a_refusal() -> None:
    pace = Pace(POLICY, workers=5)
    ask(pace, 200, RateLimit_Remaining="0", RateLimit_Reset="86400")
    assert not pace.hold


def test_a_wait_that_is_too_long_makes_it_give_up() -> None:
    pace = Pace(POLICY, workers=1)
    ask(pace, 429, Retry_After="6")
    assert pace.given_up


def test_nothing_but_refusals_for_too_long_make_it_give_up() -> None:
    pace = Pace(replace(POLICY, longest_hold=0.5), workers=1)
    for _ in range(5):
        ask(pace, 429)
    assert pace.given_up


def test_a_stop_reaches_those_who_wait() -> None:
    pace = Pace(POLICY, workers=1)
    ask(pace, 429, Retry_After="4")
    threading.Timer(0.1, pace.stop).start()
    started = time.monotonic()
    with pytest.raises(ReadStoppedError):
        pace.acquire_call(request())
    assert time.monotonic() - started < 1
    pace.start()
    assert not pace.stopped


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("86400", 86400), (" 7 ", 7), ("0", 0), ("-1", 0), ("1.5", 0), ("", 0), ("soon", 0), ("1, 2", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("Fri, 99 Foo 99999 99:99:99 GMT", 0), ("9" * 400, float("inf")),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_it_is_or_not_at_all(header: str, seconds: float) -> None:
    assert retry_after(response(Retry_After=header)) == seconds


@pytest.mark.parametrize("policy", [READ, CHECK])
def test_waits_double_up_to_the_longest(policy: RetryPolicy) -> None:
    assert [policy.wait(attempt) for attempt in range(1, 8)] == [
        min(2 ** (attempt - 1), policy.longest_wait) for attempt in range(1, 8)
    ]
