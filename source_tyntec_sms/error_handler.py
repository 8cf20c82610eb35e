"""What an answer of the API, or an exception in its place, means. The table is `answers.yaml`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging import Logger
from pydoc import locate
from random import uniform
from typing import Any

import requests
from airbyte_cdk import BackoffStrategy, FailureType
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution, ResponseAction
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets

from source_tyntec_sms.errors import ANSWERS, Meaning
from source_tyntec_sms.records import decode
from source_tyntec_sms.session import Pace, RetryPolicy, retry_after

LONGEST_QUOTE = 300
EXCEPTIONS: Mapping[Any, Meaning] = {locate(name): meaning for name, meaning in ANSWERS["exceptions"].items()}


@dataclass(frozen=True)
class TyntecErrorHandler(ErrorHandler, BackoffStrategy):
    """Looks up what an answer means, and tells the pace to stop where no further request can succeed.

    Replaces the CDK's `HttpStatusErrorHandler`, which takes a redirect and a page of HTML for success, and maps
    exceptions by their exact class. Waits exponentially longer before each attempt, with jitter, which the CDK's
    default lacks: workers must not retry in step.

    facts: the {host} and the {limit} for the words. problem: what is wrong with a successful answer, if anything; if
        it is not JSON, a ValueError. logger: is told of each attempt that follows.
    """

    answers: Mapping[str, Meaning]
    policy: RetryPolicy
    pace: Pace
    facts: Mapping[str, Any]
    problem: Callable[[requests.Response], str | None]
    logger: Logger
    max_retries = property(lambda self: self.policy.max_attempts - 1)
    max_time = 24 * 3600  # effectively none: the CDK counts the waits for tyntec's rate limit, too

    def backoff_time(self, response_or_exception: Any, attempt_count: int) -> float:
        """Seconds to wait before the attempt that follows `attempt_count`, less the second that the CDK adds."""
        seconds = self.policy.wait(attempt_count) * uniform(0.5, 1)
        if attempt_count < self.policy.max_attempts:
            code = getattr(response_or_exception, "status_code", "none")
            attempt = f"attempt {attempt_count + 1} of {self.policy.max_attempts}"
            self.logger.info("No usable answer (HTTP status: %s); %s follows in %.1f seconds.", code, attempt, seconds)
        return seconds - 1

    def interpret_response(self, response_or_exception: requests.Response | Exception | None) -> ErrorResolution:
        """What to do with an answer, or with the exception that came in its place."""
        facts = dict(self.facts)
        if isinstance(response_or_exception, requests.Response):
            meaning = self._meaning_of_response(response_or_exception, facts)
            if meaning.action in ("RETRY", "FAIL"):
                # A connection that failed once may answer late, and give the next request the answer to this one.
                response_or_exception.connection.close()
                # The CDK parses the body again, for words that are not shown, and fails where it is nested deeply.
                response_or_exception.json = dict  # type: ignore[method-assign]
        else:
            chain: list[BaseException | None] = [response_or_exception]
            while last := chain[-1]:
                chain.append(last.__cause__ or last.__context__)
            meaning = next(EXCEPTIONS[key] for key in EXCEPTIONS if any(isinstance(each, key) for each in chain))
            facts["exception"] = type(response_or_exception).__name__
        if meaning.stop:
            self.pace.stop()
        # Once reading has stopped, requests that are under way are not repeated any more.
        action = "FAIL" if self.pace.stopped and meaning.action == "RETRY" else meaning.action
        return ErrorResolution(ResponseAction(action), FailureType(meaning.failure_type), meaning.words.format(**facts))

    def _meaning_of_response(self, response: requests.Response, facts: dict[str, Any]) -> Meaning:
        """The entry for an answer. What its words need is put into `facts`."""
        code, longest = response.status_code, self.policy.longest_hold
        key = f"{code}" if f"{code}" in self.answers else f"{code // 100}xx"
        meaning, condition = self.answers.get(key, self.answers["5xx"]), ""
        if meaning.action == "SUCCESS":
            try:
                facts["problem"] = self.problem(response)
                condition = "unexpected" if facts["problem"] else ""
            except ValueError:
                condition = "not JSON"
        elif "no route matched" in quote_answer(response).lower():
            condition = "no route"
        elif retry_after(response) > longest:
            condition = "wait too long"
        if meaning.action == "SUCCESS" and not condition:
            return meaning
        facts |= {"answer": quote_answer(response), "seconds": retry_after(response), "longest": longest}
        return self.answers.get(f"{key}, {condition}", meaning)


def quote_answer(response: requests.Response) -> str:
    """The HTTP status, and the words of the gateway, of a problem document (RFC 7807) or of a service, as a clause."""
    document = None
    with suppress(ValueError):
        document = decode(response)
    parts = [document.get(name) for name in ("message", "title", "detail")] if isinstance(document, dict) else []
    words = quote(": ".join(part for part in parts if isinstance(part, str) and part))
    return f"it answered {response.status_code}" + (f' "{words}"' if words else "")


def quote(words: str) -> str:
    """Words of the API as a message may hold them: on one line, not too long, and without the key."""
    printable = "".join(character if character.isprintable() else " " for character in words)
    line = filter_secrets(" ".join(printable.split()))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
