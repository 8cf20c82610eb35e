"""What an answer means, or the exception that came in its place. The table of it is `answers.yaml`."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from logging import Logger
from pydoc import locate
from random import uniform
from typing import Any

import requests
import yaml
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers import (
    BackoffStrategy,
    ErrorHandler,
    ErrorResolution,
    ResponseAction,
)
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms.records import decode
from source_tyntec_sms.session import Pace, RetryPolicy, retry_after

LONGEST_QUOTE = 300


@dataclass(frozen=True)
class Meaning:
    """An entry of the table: what to do, the failure type, the words, and whether any further request is in vain."""

    action: str
    failure_type: str = "system_error"
    words: str = ""
    stop: bool = False


Answers = Mapping[str, Meaning]


def _answers(*parts: str) -> Answers:
    return {str(key): Meaning(**entry) for part in parts for key, entry in _TABLE[part].items()}


_TABLE = yaml.safe_load(files(__package__).joinpath("answers.yaml").read_bytes())
STATUS_ANSWERS = _answers("every endpoint", "message status")
LIST_ANSWERS = _answers("every endpoint", "list")
EXCEPTIONS: Mapping[Any, Meaning] = {locate(name): meaning for name, meaning in _answers("exceptions").items()}


@dataclass(frozen=True)
class TyntecErrorHandler(ErrorHandler):
    """Looks up what an answer means, and tells the pace to stop where any further request is in vain.

    Replaces the CDK's `HttpStatusErrorHandler`, which takes a redirect and a page of HTML for success, and maps
    exceptions by their exact class.

    facts: the {host} and the {limit} for the words. problem: says what is wrong with the JSON document of a successful
        answer, if anything: then it is asked for again.
    """

    answers: Answers
    policy: RetryPolicy
    pace: Pace
    facts: Mapping[str, Any]
    problem: Callable[[Any, requests.Response], str | None]

    @property
    def max_retries(self) -> int:
        """How many attempts may follow the first."""
        return self.policy.max_attempts - 1

    @property
    def max_time(self) -> int:
        """A day, which is to say no limit: the CDK would count the waits for tyntec's rate limit."""
        return 24 * 3600

    def interpret_response(self, response_or_exception: requests.Response | Exception | None) -> ErrorResolution:
        """What to do with an answer, or with the exception that came in its place."""
        if isinstance(response_or_exception, requests.Response):
            meaning, facts = self._meaning(response_or_exception)
            if meaning.action in {"RETRY", "FAIL"}:
                # A connection that failed once may answer late, and give the next request the answer to this one.
                response_or_exception.connection.close()
        else:
            meaning, facts = _meaning_of_exception(response_or_exception)
        # Once reading has stopped, requests that are under way are not repeated any more.
        action = "FAIL" if self.pace.stopped and meaning.action == "RETRY" else meaning.action
        if meaning.stop:
            self.pace.stop()
        words = meaning.words.format(**self.facts, **facts)
        return ErrorResolution(ResponseAction(action), FailureType(meaning.failure_type), words)

    def _meaning(self, response: requests.Response) -> tuple[Meaning, dict[str, str]]:
        code, seconds = response.status_code, retry_after(response)
        meaning = self.answers.get(f"{code}") or self.answers.get(f"{code // 100}xx", self.answers["5xx"])
        problem = ""
        if code == requests.codes.not_found and "no route matched" in _said(response).lower():
            meaning = self.answers["404, no route"]
        elif meaning == self.answers["5xx"] and seconds > self.policy.longest_hold:
            meaning = self.answers["5xx, wait too long"]
        elif meaning.action == "SUCCESS":
            try:
                problem = self.problem(decode(response), response) or ""
            except ValueError:
                meaning = self.answers["2xx, not JSON"]
            else:
                if not problem:
                    return meaning, {}
                meaning = self.answers["2xx, not meant"]
        wait = f"to every request for {self.policy.longest_hold:,.0f} seconds. Try again later."
        if seconds > self.policy.longest_hold:
            wait = f"and asked to wait {seconds:,.0f} seconds, longer than this connector waits. Try again after that."
        return meaning, {"answer": quote_answer(response), "wait": wait, "problem": problem}


@dataclass(frozen=True)
class TyntecBackoffStrategy(BackoffStrategy):
    """Waits exponentially longer, with jitter, which the CDK's default has not: workers must not retry in step."""

    policy: RetryPolicy
    logger: Logger

    def backoff_time(self, response_or_exception: Any, attempt_count: int) -> float:
        """Seconds to wait before the attempt that follows `attempt_count`, as the CDK wants them: one too few."""
        seconds = self.policy.wait(attempt_count) * uniform(0.5, 1)
        if attempt_count < self.policy.max_attempts:
            answer = getattr(response_or_exception, "status_code", "nothing that can be used")
            attempt = f"attempt {attempt_count + 1} of {self.policy.max_attempts}"
            self.logger.info("tyntec answered %s; %s follows in %.1f seconds.", answer, attempt, seconds)
        # The CDK sleeps a second more than it is told, and takes 0 for no answer.
        return seconds - 1 or -1e-9


def _meaning_of_exception(error: Exception | None) -> tuple[Meaning, dict[str, str]]:
    behind = error and (error.__cause__ or error.__context__)
    names = {
        "proxy": ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
        "certificates": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    }
    variables = {fact: next(filter(os.environ.get, each), each[0]) for fact, each in names.items()}
    for kind, meaning in EXCEPTIONS.items():
        if isinstance(error, kind) or isinstance(behind, kind):
            return meaning, variables
    return Meaning("FAIL", words=f"The request could not be sent ({type(error).__name__})."), {}


def quote_answer(response: requests.Response) -> str:
    """What tyntec answered, as a clause: its HTTP status, and its words in quotation marks if there are any."""
    words = _said(response)
    return f"it answered {response.status_code}" + (f' "{words}"' if words else "")


def _said(response: requests.Response) -> str:
    """The words of the gateway, of a problem document (RFC 7807) or of a BYON service, or nothing."""
    try:
        document = decode(response)
    except ValueError:
        return ""
    parts = [document.get(name) for name in ("message", "title", "detail")] if isinstance(document, dict) else []
    return quote(": ".join(part for part in parts if isinstance(part, str) and part))


def quote(words: str) -> str:
    """Words of the API as a message may hold them: on one line, not too long, and without the key."""
    printable = "".join(character if character.isprintable() else " " for character in words)
    line = filter_secrets(" ".join(printable.split()))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
