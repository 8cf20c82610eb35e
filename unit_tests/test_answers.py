"""What an answer means, or an exception: the table in answers.yaml, entry by entry."""

import re
from typing import Any

import pytest
import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers import ErrorResolution, ResponseAction

from source_tyntec_sms import error_handler
from source_tyntec_sms.error_handler import EXCEPTIONS, LIST_ANSWERS, STATUS_ANSWERS, TyntecErrorHandler
from source_tyntec_sms.session import READ, Pace
from unit_tests.conftest import response

IGNORE, SUCCESS, RETRY, FAIL = (
    ResponseAction.IGNORE,
    ResponseAction.SUCCESS,
    ResponseAction.RETRY,
    ResponseAction.FAIL,
)
CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
NO_ROUTE = b'{"message": "no Route matched with those values"}'


def resolve(answer: Any, answers: Any = STATUS_ANSWERS, pace: Pace | None = None, problem: str = "") -> ErrorResolution:
    handler = TyntecErrorHandler(
        answers, READ, pace or Pace(READ, 1), {"host": "api.tyntec.com", "limit": 5}, lambda *_: problem or None
    )
    return handler.interpret_response(answer)


@pytest.mark.parametrize(
    ("code", "body", "status", "listed"),
    [
        (100, b"", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (103, b"", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (200, b"{}", (SUCCESS, None), (SUCCESS, None)),
        (200, b"<html>", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (204, b"", (RETRY, TRANSIENT), (IGNORE, None)),
        (302, b"", (FAIL, SYSTEM), (FAIL, SYSTEM)),
        (400, b"{}", (IGNORE, None), (FAIL, SYSTEM)),
        (401, b"{}", (FAIL, CONFIG), (FAIL, CONFIG)),
        (403, b"{}", (FAIL, CONFIG), (FAIL, CONFIG)),
        (404, b"{}", (IGNORE, None), (IGNORE, None)),
        (404, NO_ROUTE, (FAIL, CONFIG), (FAIL, CONFIG)),
        (408, b"", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (410, b"{}", (IGNORE, None), (FAIL, SYSTEM)),
        (418, b"{}", (FAIL, SYSTEM), (FAIL, SYSTEM)),
        (422, b"{}", (IGNORE, None), (FAIL, SYSTEM)),
        (429, b"{}", (FAIL, TRANSIENT), (FAIL, TRANSIENT)),
        (500, b"{}", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (503, b"", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
        (999, b"", (RETRY, TRANSIENT), (RETRY, TRANSIENT)),
    ],
)
def test_an_answer_has_one_meaning_for_a_status_and_one_for_a_list(
    code: int, body: bytes, status: tuple[Any, Any], listed: tuple[Any, Any]
) -> None:
    for answers, (action, failure_type) in ((STATUS_ANSWERS, status), (LIST_ANSWERS, listed)):
        resolution = resolve(response(body, code), answers)
        assert resolution.response_action == action
        if failure_type:
            assert resolution.failure_type == failure_type
            assert str(code) in (resolution.error_message or "")
            assert not re.search(r"[{}<>]", resolution.error_message or "")


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_an_exception_is_told_in_plain_words(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    error.__cause__ = error.__context__ = None
    resolution = resolve(error)
    assert resolution.response_action in {RETRY, FAIL}
    assert resolution.error_message
    assert resolution.error_message.endswith(".")
    assert not re.search(r"[{}<>]|Error|Exception", resolution.error_message)


def test_an_unknown_exception_is_named_and_not_retried() -> None:
    resolution = resolve(RuntimeError("secret"))
    assert resolution.response_action == FAIL
    assert resolution.error_message == "The request could not be sent (RuntimeError)."


@pytest.mark.parametrize(("code", "stops"), [(401, True), (403, False), (429, True), (500, False), (200, False)])
def test_reading_stops_where_any_further_request_is_in_vain(code: int, stops: bool) -> None:
    pace = Pace(READ, 1)
    resolve(response(b"{}", code), pace=pace)
    assert pace.stopped == stops


def test_once_reading_has_stopped_nothing_is_retried() -> None:
    pace = Pace(READ, 1)
    pace.stop()
    assert resolve(response(b"", 503), pace=pace).response_action == FAIL


def test_a_wait_that_is_too_long_is_named_and_ends_the_reading() -> None:
    pace = Pace(READ, 1)
    resolution = resolve(response(b"", 503, Retry_After="3600"), pace=pace)
    assert resolution.response_action == FAIL
    assert "asked to wait 3,600 seconds" in (resolution.error_message or "")
    assert pace.stopped


def test_a_problem_with_the_document_is_retried_and_told() -> None:
    resolution = resolve(response(b"{}"), problem="It is the wrong one.")
    assert (resolution.response_action, resolution.failure_type) == (RETRY, SYSTEM)
    assert (resolution.error_message or "").startswith("It is the wrong one.")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "API rate limit exceeded"}', 'it answered 500 "API rate limit exceeded"'),
        (b'{"title": "Not Found", "detail": "Gone\\n away"}', 'it answered 500 "Not Found: Gone away"'),
        (b'{"code": "X", "message": ""}', "it answered 500"),
        (b"[1]", "it answered 500"),
        (b"<html>", "it answered 500"),
        (b'{"message": {"a": 1}}', "it answered 500"),
    ],
)
def test_the_words_of_the_api_are_quoted_on_one_line(body: bytes, words: str) -> None:
    assert error_handler.quote_answer(response(body, 500)) == words


def test_long_words_are_cut() -> None:
    assert len(error_handler.quote("x" * 1000)) == 301


def test_a_failed_answer_closes_its_connection_and_a_good_one_does_not() -> None:
    closed = []

    class Connection:
        def close(self) -> None:
            closed.append(True)

    for code, expected in ((200, 0), (404, 0), (500, 1), (403, 2)):
        answer: requests.Response = response(b"{}", code)
        answer.connection = Connection()  # type: ignore[assignment]
        resolve(answer)
        assert len(closed) == expected
