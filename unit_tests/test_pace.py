"""When the next request may be sent: real time, and windows of a fraction of a second."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests

from source_tyntec_sms.session import READ, Pace, RetryPolicy, retry_after
from unit_tests.conftest import response

QUICK = replace(READ, first_wait=0.05, longest_bare_hold=0.4)
REFUSED = 429


class Gateway:
    """A gateway that lets `limit` requests through in each window of `window` seconds, and refuses the others.

    headers: those of a refusal.
    """

    def __init__(self, limit: float, window: float, headers: dict[str, str] | None = None) -> None:
        self._limit, self._window, self._headers, self._lock = limit, window, headers, threading.Lock()
        self._start, self._count = time.monotonic(), 0
        self.passed = self.refused = self.in_flight = self.most_in_flight = 0

    def answer(self) -> requests.Response:
        with self._lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            windows, since = divmod(time.monotonic() - self._start, self._window)
            if windows:
                self._start, self._count = time.monotonic() - since, 0
            self._count += 1
            refused = self._count > self._limit
        time.sleep(0.002)
        with self._lock:
            self.in_flight -= 1
            self.refused += refused
            self.passed += not refused
        return response(status_code=REFUSED, headers=self._headers) if refused else response()


def send(pace: Pace, answer: Callable[[], requests.Response]) -> int:
    """Send one request when the pace allows it, and tell the pace what came back."""
    request = requests.PreparedRequest()
    pace.acquire_call(request)
    came = answer()
    pace.update_from_response(request, came)
    return came.status_code


def answering(status_code: int = 200, headers: dict[str, str] | None = None) -> Callable[[], requests.Response]:
    return lambda: response(status_code=status_code, headers=headers)


def send_many(pace: Pace, gateway: Gateway, count: int, workers: int) -> float:
    """Send `count` requests, each until it is not refused, and return the seconds that it took."""

    def until_passed(_: int) -> None:
        while send(pace, gateway.answer) == REFUSED:
            pass

    start = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(until_passed, range(count)))
    return time.monotonic() - start


@contextmanager
def waiting(pace: Pace) -> Iterator[threading.Event]:
    """A request that waits in a thread of its own; the event is set when it was sent, or is not to be sent."""
    done = threading.Event()

    def wait() -> None:
        try:
            pace.acquire_call(requests.PreparedRequest())
        except CancelledError:
            pass
        finally:
            done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield done
    finally:
        pace.stop()
        thread.join()


def test_without_a_limit_nothing_waits_and_all_workers_are_busy() -> None:
    pace, gateway = Pace(QUICK, workers=8), Gateway(float("inf"), 1)
    assert send_many(pace, gateway, 200, workers=8) < 2
    assert gateway.most_in_flight > 1
    assert pace.hold == 0


@pytest.mark.parametrize("workers", [1, 10])
def test_under_a_limit_every_request_gets_through_and_few_are_refused(workers: int) -> None:
    pace, gateway = Pace(replace(QUICK, first_wait=0.02), workers), Gateway(limit=10, window=0.2)
    seconds = send_many(pace, gateway, 60, workers)
    assert gateway.passed == 60
    # Six windows: at the start all workers run into the limit, and each hold that is too short costs one refusal more.
    assert gateway.refused <= workers + 5 * 6
    assert seconds < 15


def test_under_a_limit_with_retry_after_a_window_costs_about_one_refusal() -> None:
    pace, gateway = Pace(QUICK, workers=10), Gateway(limit=40, window=1, headers={"Retry-After": "1"})
    seconds = send_many(pace, gateway, 120, workers=10)
    assert gateway.passed == 120
    assert gateway.refused <= 2 * 10
    assert seconds < 15


def test_after_a_refusal_all_hold_and_then_one_goes_first() -> None:
    pace, gateway = Pace(replace(QUICK, first_wait=0.2), workers=10), Gateway(float("inf"), 1)
    start = time.monotonic()
    assert send(pace, answering(REFUSED)) == REFUSED
    first = requests.PreparedRequest()
    pace.acquire_call(first)
    assert time.monotonic() - start >= 0.2
    with waiting(pace) as sent:
        assert not sent.wait(0.1)
        pace.update_from_response(first, gateway.answer())
        assert sent.wait(5)


def test_a_first_request_without_an_answer_lets_the_next_go_first() -> None:
    pace = Pace(replace(QUICK, first_wait=0.01), workers=10)
    send(pace, answering(REFUSED))
    first = requests.PreparedRequest()
    pace.acquire_call(first)
    with waiting(pace) as sent:
        assert not sent.wait(0.05)
        pace.update_from_response(first, None)
        assert sent.wait(5)


def test_no_more_requests_than_workers_are_in_flight() -> None:
    pace = Pace(QUICK, workers=2)
    for _ in range(2):
        pace.acquire_call(requests.PreparedRequest())
    with waiting(pace) as sent:
        assert not sent.wait(0.1)


def test_each_refusal_without_retry_after_holds_twice_as_long_up_to_the_longest() -> None:
    pace = Pace(replace(QUICK, first_wait=0.04, longest_bare_hold=0.2), workers=1)

    def refuse(seconds: float) -> None:
        """A refusal after which all hold for `seconds`, and hardly longer."""
        request, start = requests.PreparedRequest(), time.monotonic()
        send(pace, answering(REFUSED))
        assert pace.hold <= 1.4 * seconds
        pace.acquire_call(request)
        pace.update_from_response(request, None)
        assert time.monotonic() - start >= seconds

    for seconds in (0.04, 0.08, 0.16, 0.2, 0.2):
        refuse(seconds)
    send(pace, answering())
    refuse(0.04)


def test_a_refusal_holds_as_long_as_retry_after_says() -> None:
    pace = Pace(QUICK, workers=1)
    send(pace, answering(REFUSED, {"Retry-After": "70"}))
    assert 60 < pace.hold <= 70
    assert not pace.given_up


@pytest.mark.parametrize("name", ["RateLimit-Remaining", "X-RateLimit-Remaining-Second", "X-RateLimit-Remaining-Minute",
                                  "X-RateLimit-Remaining-Hour", "X-RateLimit-Remaining-Day"])  # fmt: skip
def test_when_nothing_remains_in_the_window_all_hold_before_they_are_refused(name: str) -> None:
    pace = Pace(QUICK, workers=10)
    send(pace, answering(headers={"RateLimit-Reset": "90", name: "0"}))
    assert 80 < pace.hold <= 90


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit-Reset": "90", "RateLimit-Remaining": "1"},
        {"RateLimit-Reset": "soon", "RateLimit-Remaining": "0"},
        {"RateLimit-Remaining": "0"},
        {"RateLimit-Reset": "90"},
        {"RateLimit-Reset": "90", "RateLimit-Remaining": "none"},
        {"RateLimit-Reset": "0", "RateLimit-Remaining": "0"},
        {"RateLimit-Reset": "90000", "RateLimit-Remaining": "0"},
    ],
)
def test_as_long_as_something_remains_or_the_headers_say_nothing_usable_no_one_holds(headers: dict[str, str]) -> None:
    pace = Pace(QUICK, workers=10)
    send(pace, answering(headers=headers))
    assert pace.hold == 0


def test_no_more_requests_are_in_flight_than_remain_in_the_window() -> None:
    pace = Pace(QUICK, workers=10)
    send(pace, answering(headers={"RateLimit-Reset": "90", "RateLimit-Remaining": "2"}))
    for _ in range(2):
        pace.acquire_call(requests.PreparedRequest())
    with waiting(pace) as sent:
        assert not sent.wait(0.1)


def test_a_failure_that_asks_to_wait_holds_all() -> None:
    pace = Pace(QUICK, workers=10)
    send(pace, answering(503, {"Retry-After": "30"}))
    assert 20 < pace.hold <= 30


@pytest.mark.parametrize("code", [200, 404])
def test_an_answer_that_is_no_failure_does_not_hold(code: int) -> None:
    pace = Pace(QUICK, workers=10)
    send(pace, answering(code, {"Retry-After": "30"}))
    assert not pace.hold


def test_the_pace_gives_up_when_failures_ask_to_wait_again_and_again() -> None:
    pace = Pace(replace(QUICK, longest_hold=1.5), workers=1)
    for _ in range(3):
        assert not pace.given_up
        send(pace, answering(503, {"Retry-After": "1"}))
    assert pace.given_up


def test_an_answer_to_a_request_from_before_the_hold_changes_nothing() -> None:
    pace = Pace(QUICK, workers=10)
    early = [requests.PreparedRequest() for _ in range(3)]
    for request in early:
        pace.acquire_call(request)
    pace.update_from_response(early[0], response(status_code=REFUSED, headers={"Retry-After": "70"}))
    pace.update_from_response(early[1], response(status_code=REFUSED, headers={"Retry-After": "100"}))
    pace.update_from_response(early[2], response())
    assert 60 < pace.hold <= 70


def test_the_pace_gives_up_when_a_longer_wait_is_asked_for_than_the_policy_allows() -> None:
    pace = Pace(RetryPolicy(longest_hold=60), workers=1)
    send(pace, answering(REFUSED, {"Retry-After": "60"}))
    assert not pace.given_up
    pace = Pace(RetryPolicy(longest_hold=60), workers=1)
    send(pace, answering(REFUSED, {"Retry-After": "61"}))
    assert pace.given_up
    assert pace.hold <= 1


def test_the_pace_gives_up_when_nothing_gets_through_for_as_long_as_the_policy_allows() -> None:
    pace = Pace(replace(QUICK, first_wait=0.02, longest_bare_hold=0.02, longest_hold=0.2), workers=1)
    start = time.monotonic()
    while not pace.given_up:
        send(pace, answering(REFUSED))
    assert time.monotonic() - start >= 0.2
    pace.start()
    assert not pace.given_up


def test_the_pace_does_not_give_up_as_long_as_something_gets_through() -> None:
    pace = Pace(replace(QUICK, first_wait=0.02, longest_bare_hold=0.02, longest_hold=1), workers=1)
    start = time.monotonic()
    while time.monotonic() - start < 1.5:
        send(pace, answering(REFUSED))
        send(pace, answering())
        assert not pace.given_up


def test_when_reading_stops_whoever_waits_is_not_sent_any_more() -> None:
    pace = Pace(QUICK, workers=1)
    send(pace, answering(REFUSED, {"Retry-After": "60"}))
    with waiting(pace) as done:
        assert not done.wait(0.05)
        pace.stop()
        assert done.wait(5)
    with pytest.raises(CancelledError):
        pace.acquire_call(requests.PreparedRequest())


def test_after_a_stop_reading_can_start_anew() -> None:
    pace = Pace(QUICK, workers=1)
    pace.stop()
    pace.start()
    assert send(pace, answering()) == 200


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("86400", 86400), (" 7 ", 7), ("0", 0), ("-1", 0), ("1.5", 0), ("", 0), ("soon", 0), ("1, 2", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("Fri, 99 Foo 99999 99:99:99 GMT", 0), ("9" * 400, 10**9), ("9" * 5000, 0), ("²", 0),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_it_is_or_not_at_all(header: str, seconds: float) -> None:
    assert retry_after(response(headers={"Retry-After": header})) == seconds


def test_retry_after_may_be_a_date() -> None:
    moment = datetime.now(timezone.utc) + timedelta(hours=9)
    for date in (
        format_datetime(moment, usegmt=True),
        format_datetime(moment.astimezone(timezone(timedelta(hours=5)))),
    ):
        assert retry_after(response(headers={"Retry-After": date})) == pytest.approx(9 * 3600, abs=60)


def test_without_retry_after_there_is_nothing_to_wait_for() -> None:
    assert retry_after(response()) == 0
