"""What an HTTP answer means: read it, skip it, try again or fail, with the words for the user beside it."""

from typing import Any

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers import (
    ErrorHandler,
    ErrorResolution,
    ResponseAction,
)
from airbyte_cdk.sources.streams.http.exceptions import BaseBackoffException
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from requests import exceptions
from typing_extensions import override
from urllib3.exceptions import ReadTimeoutError

from source_tyntec_sms.errors import traced
from source_tyntec_sms.records import decode
from source_tyntec_sms.retries import Budget, retry_after

FIND_KEY = "Check the setting 'Tyntec API Key': you find the key in the tyntec Business Center under API settings."
TRY_LATER = "Nothing needs to be changed; try again later."
GATEWAY_NOT_FOUND = "no route matched"

# The first that fits counts: SSLError and ProxyError are ConnectionErrors too.
_FAULTS = {
    exceptions.SSLError: (
        "No secure connection to tyntec could be made. If this lasts, have the certificates of this machine checked."
    ),
    exceptions.ProxyError: (
        "The proxy that this machine uses could not be reached. If this lasts, have its settings checked."
    ),
    exceptions.Timeout: "It took tyntec too long to answer.",
    exceptions.ContentDecodingError: "The answer of tyntec could not be unpacked.",
    exceptions.ChunkedEncodingError: "The answer of tyntec was cut short.",
    exceptions.ConnectionError: "No connection to tyntec could be made, or it was lost.",
}
_LONGEST_QUOTE = 300


class Answers(ErrorHandler):
    """The one place that decides what an answer of tyntec's API means.

    The table is in the README. Replaces the CDK's `HttpStatusErrorHandler`, which takes a redirect and a page of HTML
    for success and maps exceptions by their exact class.

    may_be_empty: whether 204 means that there are no rows.
    may_be_read: whether the whole list may have been read already, so that a 404 is its end.
    hopeless: set as soon as no further request of the stream can be expected to succeed. Requests that are under way
        then are not repeated any more.
    """

    may_be_empty = True

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.may_be_read = False
        self.hopeless = False

    @property
    @override
    def max_retries(self) -> int:
        """How many attempts may follow the first."""
        return self._budget.attempts - 1

    @property
    @override
    def max_time(self) -> int:
        """Seconds after which no further attempt is made. The CDK takes a float as well, whatever its type says."""
        return self._budget.patience  # type: ignore[return-value]

    @override
    def interpret_response(self, response_or_exception: requests.Response | Exception | None) -> ErrorResolution:
        """What to do with an answer, or with the exception that came in its place."""
        if isinstance(response_or_exception, requests.Response):
            return self._interpret(response_or_exception)
        if response_or_exception and isinstance(next(iter(response_or_exception.args), None), ReadTimeoutError):
            return self._retry(_FAULTS[exceptions.Timeout])  # requests says ConnectionError, if it happens in the body
        for kind, words in _FAULTS.items():
            if isinstance(response_or_exception, kind):
                return self._retry(words)
        return _fail(
            FailureType.system_error,
            f"The request could not be sent ({type(response_or_exception).__name__}).",
        )

    def _interpret(self, response: requests.Response) -> ErrorResolution:
        code = response.status_code
        if 200 <= code < 300:
            return self._success(response)
        if code in (408, 429) or code >= 500:
            return self._try_again(response)
        answer = _answer(response)
        if code == 404 and GATEWAY_NOT_FOUND not in answer.lower():
            return self.not_found(answer)
        self.hopeless |= code == 401
        return _fail(*self._failure(code, answer))

    def _failure(self, code: int, answer: str) -> tuple[FailureType, str]:
        if code in (401, 403):
            return FailureType.config_error, f"tyntec rejected the API key: {answer}. {FIND_KEY}"
        if code == 404:
            return FailureType.config_error, self.not_offered(answer)
        if 300 <= code < 400:
            return FailureType.system_error, (
                f"tyntec redirected the request: {answer}. It was not followed, because the API key must not reach "
                "another address. Ask the maintainers of this connector for an update."
            )
        return FailureType.system_error, (
            f"tyntec refused the request: {answer}. If the settings are right, report this to the maintainers of "
            "this connector."
        )

    def _success(self, response: requests.Response) -> ErrorResolution:
        if self.may_be_empty and response.status_code == 204:
            return ErrorResolution(ResponseAction.SUCCESS)
        try:
            decode(response)
        except ValueError:
            return self._retry(f"tyntec answered {response.status_code}, but not with JSON.")
        return ErrorResolution(ResponseAction.SUCCESS)

    def _try_again(self, response: requests.Response) -> ErrorResolution:
        answer = _answer(response)
        limited = response.status_code == 429
        asked = retry_after(response)
        words = "tyntec limits the rate of requests" if limited else "tyntec is failing"
        if asked is not None and asked > self._budget.retry_after:
            self.hopeless = True
            return _fail(
                FailureType.transient_error,
                f"{words}: {answer} and asked to wait {asked:.0f} seconds, which is longer than the connector waits. "
                "Try again after that time.",
            )
        if limited:
            return self._retry(
                f"{words}: {answer}. If this happens often, lower the setting 'Number of Concurrent Workers'.",
                ResponseAction.RATE_LIMITED,
            )
        return self._retry(f"{words}: {answer}.")

    def _retry(self, words: str, action: ResponseAction = ResponseAction.RETRY) -> ErrorResolution:
        return ErrorResolution(ResponseAction.FAIL if self.hopeless else action, FailureType.transient_error, words)

    def not_offered(self, answer: str) -> str:
        """The words for a path that tyntec's gateway does not know."""
        return (
            f"The BYON service, which holds contacts and phone numbers, is not available for this tyntec account: "
            f"{answer}. Deselect this stream in the connection, or ask tyntec to enable BYON for the account."
        )

    def not_found(self, answer: str) -> ErrorResolution:
        """What a 404 means that comes from the service itself."""
        if self.may_be_read:
            return ErrorResolution(ResponseAction.IGNORE)
        return _fail(
            FailureType.config_error,
            f"tyntec has no such list for this account: {answer}. Deselect this stream in the connection, or ask "
            "tyntec whether the account may use it.",
        )


class StatusAnswers(Answers):
    """The answers to the question for one message status."""

    may_be_empty = False

    @override
    def not_offered(self, answer: str) -> str:
        """The words for a gateway without message statuses."""
        return (
            f"tyntec's API does not offer message statuses at this address: {answer}. Ask tyntec whether SMS is "
            "enabled for the account."
        )

    @override
    def not_found(self, answer: str) -> ErrorResolution:
        """A request id that tyntec does not know, or no longer: no record, and no failure of the others."""
        return ErrorResolution(ResponseAction.IGNORE)


def _fail(failure_type: FailureType, words: str) -> ErrorResolution:
    return ErrorResolution(ResponseAction.FAIL, failure_type, words)


def _answer(response: requests.Response) -> str:
    said = _said(response)
    return f"it answered {response.status_code}" + (f' "{said}"' if said else "")


def _said(response: requests.Response) -> str:
    """The words of the gateway, of a problem document (RFC 7807) or of a BYON service, on one line, or nothing."""
    try:
        document = decode(response)
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    parts = [document.get(name) for name in ("message", "title", "detail")]
    words = ": ".join(part for part in parts if isinstance(part, str) and part)
    printable = "".join(character if character.isprintable() else " " for character in words)
    line = filter_secrets(" ".join(printable.split()))
    return line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}…"


def in_plain_words(error: Exception) -> AirbyteTracedException:
    """`error`, raised while a stream was read, as the one error that the user sees.

    The CDK wraps the words of an exhausted retry into its own; they are unwrapped here.
    """
    cause = error.__context__
    if isinstance(cause, BaseBackoffException):
        return traced(
            f"{cause} It was asked several times. {TRY_LATER}",
            cause.failure_type or FailureType.transient_error,
        )
    if isinstance(error, AirbyteTracedException):
        return traced(str(error), error.failure_type)
    return traced(
        f"The connector met an unexpected error ({type(error).__name__}). Report it to the maintainers of this "
        "connector, with the log of this sync.",
        FailureType.system_error,
    )


def unexpected(what: str) -> AirbyteTracedException:
    """The error for an answer of another shape than tyntec documents."""
    return traced(
        f"tyntec answered with {what}. If this lasts, report it to the maintainers of this connector.",
        FailureType.system_error,
    )


def kind_of(document: Any) -> str:
    """How to call a JSON value of the wrong kind when talking to a user."""
    names: dict[type, str] = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(document), "a number")
