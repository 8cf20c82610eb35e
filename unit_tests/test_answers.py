"""What each answer of the API means, or the exception that came in its place: action, failure type, and words."""

import logging
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import Any

import pytest
import requests_mock
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers.response_models import ResponseAction
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from requests import exceptions
from urllib3.exceptions import LocationValueError, ProtocolError, ReadTimeoutError

from source_tyntec_sms.error_handler import EXCEPTIONS, TyntecErrorHandler
from source_tyntec_sms.session import CHECK, READ, AnswerTooLargeError, NoCertificatesError, Pace, RetryPolicy
from source_tyntec_sms.streams import ListStream, MessageStatus
from unit_tests.conftest import LISTS, LOGGER, STATUSES, config, read, response, source, streams

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
NOT_PLAIN = re.compile(r"[{}<>]|\bNone\b|Error\b|Exception\b|\('|\['|http")
FAILING = "Nothing needs to be changed: try again later."
CALL_US = "If the settings are right, report this to the maintainers of this connector."
WRONG_KEY = "Check the setting 'Tyntec API Key': you find the key in the tyntec Business Center under API settings."
NO_ROUTE = {"status_code": 404, "json": {"message": "no Route matched with those values"}}


@dataclass(frozen=True)
class Answer:
    """An answer for requests-mock, the entry of the table that it is an example of, and what it means.

    words: how the message ends. requests: how often a sync sends the request. stop: whether it sends no other after it.
    """

    entry: str
    answer: Mapping[str, Any]
    failure_type: FailureType
    words: str
    requests: int = 1
    stop: bool = False

    def __str__(self) -> str:
        return f"{self.entry}-{self.answer.get('status_code', 200)}"


def gateway(status_code: int, message: str, **headers: str) -> dict[str, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status_code": status_code, "json": {"message": message}, "headers": names}


def failing(status_code: int, entry: str) -> Answer:
    words = f"tyntec is failing: it answered {status_code}. {FAILING}"
    return Answer(entry, {"status_code": status_code}, TRANSIENT, words, requests=8)


def redirect(status_code: int) -> Answer:
    answer = {"status_code": status_code, "headers": {"Location": "https://evil.example/"}}
    words = (
        f"tyntec redirected the request: it answered {status_code}. The redirect was not followed, because the API key "
        "must not reach another address. Ask the maintainers of this connector for an update."
    )
    return Answer("3xx", answer, SYSTEM, words)


EVERYWHERE = [
    *(failing(code, "1xx") for code in (101, 103)),
    *(failing(code, str(code)) for code in (206, 304, 408)),
    *(failing(code, "5xx") for code in (500, 502, 503, 504, 599, 600, 999)),
    *(redirect(code) for code in (300, 301, 302, 307, 308)),
    Answer(
        "2xx, not JSON",
        {"text": "<html>Service unavailable</html>"},
        TRANSIENT,
        f"tyntec is failing: it answered 200, but not with JSON. {FAILING}",
        requests=8,
    ),
    Answer(
        "401",
        gateway(401, "Invalid authentication credentials"),
        CONFIG,
        f'tyntec rejected the API key: it answered 401 "Invalid authentication credentials". {WRONG_KEY}',
        stop=True,
    ),
    Answer(
        "403",
        gateway(403, "You cannot consume this service"),
        CONFIG,
        f'tyntec rejected the API key: it answered 403 "You cannot consume this service". {WRONG_KEY} If other '
        "streams can be read with it, ask tyntec whether it may use this service.",
    ),
    Answer(
        "429, wait too long",
        gateway(429, "API rate limit exceeded", Retry_After="3600"),
        TRANSIENT,
        'tyntec limits the rate of requests: it answered 429 "API rate limit exceeded" and asked to wait 3,600 '
        "seconds, longer than this connector waits. Try again after that.",
        stop=True,
    ),
    Answer(
        "4xx",
        {"status_code": 451, "json": {"title": "Unavailable", "status": 451, "detail": "For legal reasons"}},
        SYSTEM,
        f'tyntec refused the request: it answered 451 "Unavailable: For legal reasons". {CALL_US}',
    ),
    Answer("4xx", {"status_code": 405}, SYSTEM, f"tyntec refused the request: it answered 405. {CALL_US}"),
    Answer(
        "5xx, wait too long",
        {"status_code": 503, "headers": {"Retry-After": "7200"}},
        TRANSIENT,
        "tyntec is failing: it answered 503 and asked to wait 7,200 seconds, longer than this connector waits. Try "
        "again after that.",
        stop=True,
    ),
]
OF_A_STATUS = [
    *EVERYWHERE,
    Answer(
        "2xx, not JSON",
        {"status_code": 204},
        TRANSIENT,
        f"tyntec is failing: it answered 204, but not with JSON. {FAILING}",
        requests=8,
    ),
    Answer(
        "2xx, unexpected",
        {"json": {"requestId": "id-0", "status": "DELIVERED"}},
        SYSTEM,
        "tyntec answered the request for id-1 with the status of id-0. If this lasts, report it to the maintainers of "
        "this connector.",
        requests=8,
    ),
    Answer(
        "2xx, unexpected",
        {"text": "null"},
        SYSTEM,
        "tyntec is failing: it answered 200 where a status was expected. If this lasts, report it to the maintainers "
        "of this connector.",
        requests=8,
    ),
    Answer(
        "2xx, unexpected",
        gateway(200, "An unexpected error occurred"),
        SYSTEM,
        'tyntec is failing: it answered 200 "An unexpected error occurred" where a status was expected. If this lasts, '
        "report it to the maintainers of this connector.",
        requests=8,
    ),
    Answer(
        "404, no route",
        NO_ROUTE,
        CONFIG,
        "tyntec's API has no message statuses at this address: it answered 404 "
        '"no Route matched with those values". Ask tyntec whether SMS is enabled for the account.',
    ),
]
OF_A_LIST = [
    *EVERYWHERE,
    Answer(
        "404, no route",
        NO_ROUTE,
        CONFIG,
        "The BYON service, which holds contacts and phone numbers, is not available for this tyntec account: it "
        'answered 404 "no Route matched with those values". Deselect this stream in the connection, or ask tyntec to '
        "enable BYON for the account.",
    ),
    *(
        Answer("4xx", {"status_code": code}, SYSTEM, f"tyntec refused the request: it answered {code}. {CALL_US}")
        for code in (400, 410, 422)
    ),
]


def failure(name: str, settings: Mapping[str, Any] | None = None, **policy: Any) -> AirbyteTracedException:
    """The error with which the stream fails."""
    with pytest.raises(AirbyteTracedException) as error:
        read(streams(settings, **policy)[name])
    assert error.value.message == str(error.value)
    return error.value


def test_every_entry_of_the_table_has_an_example_or_is_no_failure() -> None:
    for table, examples, no_failures in (
        (MessageStatus.answers, OF_A_STATUS, dict.fromkeys(("400", "404", "410", "422"), "IGNORE")),
        (ListStream.answers, OF_A_LIST, dict.fromkeys(("204", "404"), "IGNORE")),
    ):
        failures = {entry: meaning for entry, meaning in table.items() if meaning.action in {"RETRY", "FAIL"}}
        assert {entry: table[entry].action for entry in table.keys() - failures.keys()} == {
            "2xx": "SUCCESS",
            **no_failures,
        }
        if table is ListStream.answers:
            failures.pop("2xx, unexpected")  # see test_an_answer_without_the_list_is_an_error_never_zero_rows
        failures.pop("429")  # see test_refusals_are_no_attempts_until_none_got_through_for_the_longest_hold
        assert {example.entry for example in examples} == failures.keys()


@pytest.mark.parametrize("answer", OF_A_STATUS, ids=str)
def test_an_answer_for_a_status_means_what_the_table_says(api: requests_mock.Mocker, answer: Answer) -> None:
    failed = api.get(f"{STATUSES}/id-1", **answer.answer)
    other = api.get(f"{STATUSES}/id-2", json={"status": "DELIVERED"})
    error = failure("message_status", config("id-1", "id-2", num_workers=1))
    assert error.failure_type is answer.failure_type
    assert failed.call_count == answer.requests
    assert other.call_count == (0 if answer.stop else 1)
    rest = "1 of 2 request ids asked: 0 read" if answer.stop else "2 of 2 request ids asked: 1 read"
    gave_up = " Reading stopped with 1 more to read." if answer.stop else ""
    assert str(error) == f"1 of 2 statuses could not be read: id-1. {answer.words}{gave_up} {rest}, 1 failed."
    assert not NOT_PLAIN.search(str(error))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("answer", OF_A_LIST, ids=str)
def test_an_answer_for_a_list_means_what_the_table_says(api: requests_mock.Mocker, name: str, answer: Answer) -> None:
    api.get(requests_mock.ANY, **answer.answer)
    error = failure(name, max_attempts=3)
    assert error.failure_type is answer.failure_type
    assert str(error) == f"The stream {name} could not be read. {answer.words}"
    assert not NOT_PLAIN.search(str(error))
    assert api.call_count == min(answer.requests, 3)


@pytest.mark.parametrize("answer", OF_A_STATUS, ids=str)
def test_an_answer_fails_the_check_in_the_same_words(api: requests_mock.Mocker, answer: Answer) -> None:
    api.get(f"{STATUSES}/id-1", **answer.answer)
    assert source().check_connection(LOGGER, config("id-1", "id-2")) == (False, answer.words)
    assert api.call_count == min(answer.requests, CHECK.max_attempts)


# What came in place of an answer


def caused_by(cause: Exception, error: Exception) -> Exception:
    error.__cause__ = cause
    return error


def while_handling(context: Exception, error: Exception) -> Exception:
    error.__context__ = context
    return error


NO_CONNECTION = (
    "The connection to api.tyntec.com could not be made, or was lost. Check first whether this machine can reach "
    "api.tyntec.com: its firewall, DNS and proxy. If it can, tyntec may be down: try again later."
)
NO_PROXY = (
    "The environment variable HTTPS_PROXY (or ALL_PROXY) does not name a proxy that can be used. Correct it, for "
    "example to http://proxy.example:3128, or remove it."
)
TOO_SLOW = f"api.tyntec.com took too long to answer. {FAILING}"
BROKEN = f"tyntec's answer was cut short, or is not valid HTTP. {FAILING}"


@dataclass(frozen=True)
class Fault:
    """An exception, the entry of the table that it is an example of, and what it means."""

    entry: type
    error: Exception
    failure_type: FailureType
    words: str
    requests: int = 8
    stop: bool = False

    def __str__(self) -> str:
        return f"{self.entry.__name__}-{type(self.error).__name__}"


FAULTS = [
    Fault(AirbyteTracedException, AirbyteTracedException(), CONFIG,
          "api.tyntec.com belongs to a private network, which cannot be reached from Airbyte Cloud. Correct the "
          "environment variable TYNTEC_API_URL, or remove it to use tyntec's API.", requests=1, stop=True),
    Fault(AnswerTooLargeError, AnswerTooLargeError(), SYSTEM,
          "tyntec's answer is larger than 5 MB. Report it to the maintainers of this connector.", requests=1),
    Fault(NoCertificatesError, OSError("Could not find a suitable TLS CA certificate bundle"), CONFIG,
          "The environment variable REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file of certificates that does not "
          "exist. Correct it, or remove it.", requests=1, stop=True),
    Fault(socket.gaierror, caused_by(socket.gaierror(), exceptions.InvalidURL()), TRANSIENT, NO_CONNECTION),
    Fault(socket.gaierror, while_handling(socket.gaierror(), exceptions.InvalidURL()), TRANSIENT, NO_CONNECTION),
    Fault(exceptions.InvalidURL, exceptions.InvalidProxyURL(), CONFIG, NO_PROXY, requests=1, stop=True),
    Fault(exceptions.InvalidSchema, exceptions.InvalidSchema(), CONFIG,
          "The environment variable HTTPS_PROXY (or ALL_PROXY) names a SOCKS proxy, or on Airbyte Cloud TYNTEC_API_URL "
          "names this machine. Neither can be used: correct the variable, or remove it.", requests=1, stop=True),
    Fault(LocationValueError, LocationValueError(), CONFIG, NO_PROXY, requests=1, stop=True),
    Fault(exceptions.SSLError, exceptions.SSLError(), TRANSIENT,
          "No secure connection to api.tyntec.com could be made. If this lasts, check the certificates of this machine "
          "(the environment variable REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE), and whether a proxy intercepts the "
          "connection."),
    Fault(exceptions.ProxyError, exceptions.ProxyError(), TRANSIENT,
          "The proxy in the environment variable HTTPS_PROXY (or ALL_PROXY) could not be reached, or could not reach "
          "api.tyntec.com. Check whether the proxy is running and allows this connection."),
    Fault(exceptions.Timeout, exceptions.ConnectTimeout(), TRANSIENT, TOO_SLOW),
    Fault(exceptions.Timeout, exceptions.ReadTimeout(), TRANSIENT, TOO_SLOW),
    Fault(ReadTimeoutError, while_handling(ReadTimeoutError(None, None, ""), exceptions.ConnectionError()),  # type: ignore[arg-type]
          TRANSIENT, TOO_SLOW),
    Fault(exceptions.ContentDecodingError, exceptions.ContentDecodingError(), TRANSIENT,
          f"tyntec's answer could not be unpacked. {FAILING}"),
    Fault(exceptions.ChunkedEncodingError, exceptions.ChunkedEncodingError(), TRANSIENT, BROKEN),
    Fault(exceptions.ChunkedEncodingError, ValueError("a negative chunk size"), TRANSIENT, BROKEN),
    Fault(exceptions.InvalidHeader, exceptions.InvalidHeader(), TRANSIENT, BROKEN),
    Fault(RemoteDisconnected,
          caused_by(while_handling(RemoteDisconnected(""), ProtocolError()), exceptions.ConnectionError()),
          TRANSIENT, NO_CONNECTION),
    Fault(HTTPException, caused_by(while_handling(BadStatusLine(""), ProtocolError()), exceptions.ConnectionError()),
          TRANSIENT, BROKEN),
    Fault(exceptions.ConnectionError, exceptions.ConnectionError(), TRANSIENT, NO_CONNECTION),
    Fault(object, exceptions.TooManyRedirects(), SYSTEM,
          "The request could not be sent (TooManyRedirects).", requests=1),
]  # fmt: skip


def test_every_exception_of_the_table_has_an_example() -> None:
    assert {fault.entry for fault in FAULTS} == EXCEPTIONS.keys()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_an_exception_means_what_the_table_says(api: requests_mock.Mocker, fault: Fault) -> None:
    failed = api.get(f"{STATUSES}/id-1", exc=fault.error)
    other = api.get(f"{STATUSES}/id-2", json={"status": "DELIVERED"})
    error = failure("message_status", config("id-1", "id-2", num_workers=1))
    assert error.failure_type is fault.failure_type
    assert failed.call_count == fault.requests
    assert other.call_count == (0 if fault.stop else 1)
    assert str(error).startswith(f"1 of 2 statuses could not be read: id-1. {fault.words} ")
    assert not NOT_PLAIN.search(str(error).replace("http://proxy.example:3128", ""))
    assert source().check_connection(LOGGER, config()) == (False, fault.words)
    assert failed.call_count == fault.requests + min(fault.requests, CHECK.max_attempts)


@pytest.mark.parametrize("name", LISTS)
def test_an_answer_that_is_too_large_for_a_list_is_larger_than_for_a_status(
    api: requests_mock.Mocker, name: str
) -> None:
    api.get(requests_mock.ANY, exc=AnswerTooLargeError)
    assert "larger than 256 MB" in str(failure(name))


# Trying again


def test_failures_that_pass_are_not_seen_in_the_records(
    api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[dict[str, Any]] = [
        {"status_code": 500},
        {"exc": exceptions.ConnectionError},
        {"text": "<html>"},
        {"json": {"requestId": "id-0"}},
        {"json": {"message": "failure"}},
        {"status_code": 408},
        {"status_code": 429},
        {"status_code": 429},
        {"status_code": 102},
        {"json": {"requestId": "ID-1", "status": "DELIVERED"}},
    ]
    api.get(f"{STATUSES}/id-1", answers)
    with caplog.at_level(logging.INFO):
        assert read(streams()["message_status"]) == [{"requestId": "id-1", "status": "DELIVERED"}]
    retries = [record.getMessage() for record in caplog.records if "attempt" in record.getMessage()]
    assert [retry.partition(" follows in ")[0] for retry in retries] == [
        "No usable answer (HTTP status: 500); attempt 2 of 8",
        "No usable answer (HTTP status: none); attempt 3 of 8",
        "No usable answer (HTTP status: 200); attempt 4 of 8",
        "No usable answer (HTTP status: 200); attempt 5 of 8",
        "No usable answer (HTTP status: 200); attempt 6 of 8",
        "No usable answer (HTTP status: 408); attempt 7 of 8",
        "No usable answer (HTTP status: 102); attempt 8 of 8",
    ]
    assert all(re.fullmatch(r".* follows in 0\.0 seconds\.", retry) for retry in retries)


def test_once_reading_has_stopped_a_failure_is_not_retried() -> None:
    pace = Pace(READ, workers=1)
    handler = TyntecErrorHandler(MessageStatus.answers, READ, pace, {"host": "api", "limit": 5}, lambda _: None, LOGGER)
    assert handler.interpret_response(response(status_code=500)).response_action is ResponseAction.RETRY
    assert handler.interpret_response(response(status_code=404)).response_action is ResponseAction.IGNORE
    pace.stop()
    assert handler.interpret_response(response(status_code=500)).response_action is ResponseAction.FAIL
    assert handler.interpret_response(response(status_code=404)).response_action is ResponseAction.IGNORE


@pytest.mark.parametrize(("seconds", "action"), [(900, ResponseAction.RETRY), (901, ResponseAction.FAIL)])
def test_a_failure_that_asks_to_wait_for_as_long_as_the_policy_allows_is_retried(
    seconds: int, action: ResponseAction
) -> None:
    handler = TyntecErrorHandler(ListStream.answers, READ, Pace(READ, workers=1), {}, lambda _: None, LOGGER)
    failed = response(status_code=503, headers={"Retry-After": str(seconds)})
    assert handler.interpret_response(failed).response_action is action


def test_the_last_attempt_announces_no_other(api: requests_mock.Mocker, caplog: pytest.LogCaptureFixture) -> None:
    api.get(requests_mock.ANY, status_code=500)
    with caplog.at_level(logging.INFO):
        failure("contacts")
    assert caplog.text.count("No usable answer") == READ.max_attempts - 1


def test_refusals_are_no_attempts_until_none_got_through_for_the_longest_hold(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", **gateway(429, "API rate limit exceeded"))
    start = time.monotonic()
    error = failure("message_status", longest_hold=1)
    assert time.monotonic() - start > 1
    assert error.failure_type is TRANSIENT
    assert api.call_count > 8
    assert "to every request for 1 seconds. Try again later. 1 of 1 request ids asked: 0 read, 1 failed." in str(error)


@pytest.mark.parametrize("policy", [READ, CHECK])
def test_waits_grow_with_jitter_and_stay_within_the_policy(policy: RetryPolicy) -> None:
    handler = TyntecErrorHandler(MessageStatus.answers, policy, Pace(policy, workers=1), {}, lambda _: None, LOGGER)
    for attempt in range(1, 60):
        full = min(policy.first_wait * 2 ** (attempt - 1), policy.longest_wait)
        assert policy.wait(attempt) == full
        waits = {handler.backoff_time(None, attempt) + 1 for _ in range(50)}  # the CDK sleeps a second more
        assert len(waits) > 10
        assert all(full / 2 <= wait <= full for wait in waits)


def test_a_sync_tries_eight_times_and_a_check_three_times() -> None:
    assert [READ.wait(attempt) for attempt in range(1, READ.max_attempts)] == [1, 2, 4, 8, 16, 16, 16]
    assert [CHECK.wait(attempt) for attempt in range(1, CHECK.max_attempts)] == [1, 2]


def test_a_check_ends_within_two_minutes_whatever_the_server_does() -> None:
    """The slowest of all refuses each attempt once, lets it wait, and then fails it, all as slowly as possible."""
    answer = CHECK.connect_timeout + CHECK.answer_timeout
    waits = sum(CHECK.wait(attempt) for attempt in range(1, CHECK.max_attempts))
    assert waits + CHECK.max_attempts * (answer + CHECK.longest_hold + answer) <= 120


# What the API said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "No API key found in request"}', ' "No API key found in request"'),
        (b'{"code": "ContactNotFound", "message": "Contact not found", "timestamp": 1}', ' "Contact not found"'),
        (b'{"type": "https://a", "title": "Wrong", "status": 451, "detail": "Very"}', ' "Wrong: Very"'),
        (b'{"title": " Two\\nlines\\t", "detail": "\\u001b[31mred"}', ' "Two lines : [31mred"'),
        (b'{"title": ["Wrong"], "detail": {}, "message": 5}', ""),
        (b'{"title": "", "detail": "Very"}', ' "Very"'),
        (b'["Wrong"]', ""),
        (b"<html>Wrong</html>", ""),
        (b"\xff\x00", ""),
        (b"", ""),
        (f'{{"message": "{"a" * 300}"}}'.encode(), f' "{"a" * 300}"'),
        (f'{{"message": "{"a" * 301}"}}'.encode(), f' "{"a" * 300}…"'),
        (b'{"message": "no key k3y-k3y here"}', ' "no key **** here"'),
        (b'{"message": "Basic azN5LWszeQ=="}', ' "Basic ****"'),
    ],
)
def test_the_words_of_the_api_are_quoted_on_one_line_without_the_key(
    api: requests_mock.Mocker, body: bytes, words: str
) -> None:
    api.get(requests_mock.ANY, status_code=451, content=body)
    assert f"it answered 451{words}. If the settings" in str(failure("contacts"))


@pytest.mark.parametrize("body", ['{"a":' * 50_000, "[" * 100_000, f'{{"message": {"9" * 5000}}}'], ids=["{", "[", "9"])
@pytest.mark.parametrize(
    ("code", "words"), [(401, "tyntec rejected the API key"), (302, "redirected"), (418, "refused")]
)
def test_a_failure_means_the_same_whatever_its_body_does_to_a_parser(
    api: requests_mock.Mocker, body: str, code: int, words: str
) -> None:
    api.get(requests_mock.ANY, status_code=code, text=body)
    assert words in str(failure("contacts"))
    assert words in str(source().check_connection(LOGGER, config())[1])


def test_placeholders_in_the_words_of_the_api_are_left_alone(api: requests_mock.Mocker) -> None:
    api.get(requests_mock.ANY, **gateway(451, "{answer} {wait} {0} {host}"))
    assert 'it answered 451 "{answer} {wait} {0} {host}".' in str(failure("contacts"))


def test_the_gateways_own_words_tell_a_missing_route_from_an_unknown_id(api: requests_mock.Mocker) -> None:
    api.get(f"{STATUSES}/id-1", **gateway(404, "no route MATCHED with those values"))
    assert "no message statuses at this address" in str(failure("message_status"))
