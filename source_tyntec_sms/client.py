"""How requests are sent: to one host, no faster than tyntec allows, and again after a failure."""

import math
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from email.utils import mktime_tz, parsedate_tz
from logging import Logger
from random import uniform
from threading import Condition, Event
from time import monotonic, time
from typing import Any

from airbyte_cdk import AirbyteEntrypoint, BackoffStrategy, HttpStream, as_airbyte_message, models
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets
from requests import PreparedRequest, Request, Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import InvalidHeader

from source_tyntec_sms import errors
from source_tyntec_sms.config import MAX_WORKERS
from source_tyntec_sms.records import decode

Outcome = Response | Exception | None
LONGEST_QUOTE = 300
TEXT_FIELDS = ("message", "title", "detail")  # of a response that says what is wrong
# The windows of Kong's rate-limiting plugin, in seconds. They follow the calendar in UTC.
WINDOWS = {"Second": 1, "Minute": 60, "Hour": 3600, "Day": 86400}


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and how many seconds the connector waits.

    first_wait, longest_wait: the wait after a failed attempt doubles from one to the other, as does
        the wait after a 429 that does not say how long to wait.
    longest_outage: no request is retried when none has succeeded for so long.
    longest_limit: the longest wait while tyntec refuses every request.
    """

    max_attempts: int = 10
    first_wait: float = 1
    longest_wait: float = 60
    connect_timeout: float = 10
    read_timeout: float = 50
    longest_outage: float = 180
    longest_limit: float = 900


READ = RetryPolicy()
# A user waits for a check: see `SourceTyntecSms.check_connection`.
CHECK = RetryPolicy(max_attempts=2, connect_timeout=5, read_timeout=10, longest_limit=60)


class RateLimit:
    """tyntec's limit on the rate of requests, shared by all workers and streams of a sync.

    After a 429, all requests wait until the limit resets. Then one goes first, and each one that is
    not refused admits one more at the same time (slow start, as in TCP), because processes that
    share a key must not all start at full speed. `resume_at`: the end of the last wait.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy, self._turn = policy, Condition()
        self._in_flight, self._most_in_flight = 0, math.inf
        self.resume_at = self._limited_at = self._refused_since = 0.0

    def acquire(self) -> float:
        """Wait until a request may be sent. Returns the time, for `release`."""
        with self._turn:
            while True:
                now = monotonic()
                if now >= self.resume_at and self._in_flight < self._most_in_flight:
                    self._in_flight += 1
                    return now
                self._turn.wait(max(0, self.resume_at - now) or None)

    def release(self, sent_at: float, response: Response | None) -> float | None:
        """Learn from the response to a request sent at `sent_at`, or None if there was none.

        Returns None if the request does not have to be sent again, else how many seconds all
        requests wait from now on, 0 if an earlier 429 has said so.
        """
        is_refused = response is not None and response.status_code == 429
        with self._turn:
            self._turn.notify_all()
            if sent_at <= self._limited_at:  # before the last wait began
                return 0 if is_refused else None
            self._in_flight -= 1
            if response is None or not is_refused:
                self._most_in_flight += 1
                self._refused_since = 0
                return None
            now = monotonic()
            self._refused_since = self._refused_since or now
            refused_for = now - self._refused_since
            # Without a header 1, 2, 4 … seconds: the sum of the earlier waits, plus the first.
            bare_wait = min(self.policy.first_wait + refused_for, self.policy.longest_wait)
            wait = seconds_until_reset(response) or bare_wait
            if refused_for + wait > self.policy.longest_limit:
                return None
            self._limited_at, self.resume_at = now, now + wait
            self._in_flight, self._most_in_flight = 0, 1
            return wait


def seconds_until_reset(response: Response) -> float:
    """How long to wait after a 429, or 0 if the response does not say.

    Kong sends Retry-After from version 2.0 on. Version 1.0 says only what remains of each window,
    which ends by the clock of the server, the header Date.
    """
    headers = response.headers
    try:
        return Retry().parse_retry_after(headers.get("Retry-After", ""))
    except InvalidHeader:
        date = parsedate_tz(headers.get("Date"))
        now = mktime_tz(date) if date else time()
        # By what remains, where a longer window replaces a shorter one.
        windows = {headers.get(f"X-RateLimit-Remaining-{unit}"): WINDOWS[unit] for unit in WINDOWS}
        window = windows.get("0")
        return window - now % window if window else 0


class TyntecSession(Session):
    """Reaches nothing but the API, sends no cookie, follows no redirect, and waits for the limit.

    stream: whose requests these are. stopped: set when the read is over.
    """

    def __init__(self, stream: HttpStream, limit: RateLimit, stopped: Event) -> None:
        super().__init__()
        self._stream, self._limit, self._stopped = stream, limit, stopped
        self.adapters.clear()
        self.mount(stream.url_base, HTTPAdapter(pool_maxsize=MAX_WORKERS))
        # The proxy and the certificates, which the library would look up each time. Plain http is
        # for loopback, where a proxy would see the key.
        if stream.url_base.startswith("https:"):
            settings = self.merge_environment_settings(stream.url_base, {}, None, None, None)
            self.proxies, self.verify = settings["proxies"], settings["verify"]
        self.trust_env = False

    def prepare_request(self, request: Request) -> PreparedRequest:
        """`request` alone. requests would merge cookies, .netrc and headers into it, at a cost."""
        return request.prepare()

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """The response to `request`. A 429 is not a failed attempt: the request is sent again.

        Raises a CancelledError if the read is over.
        """
        while True:
            sent_at, response = self._limit.acquire(), None
            try:
                if self._stopped.is_set():
                    raise CancelledError
                response = super().send(request, **kwargs | {"allow_redirects": False})
            finally:
                wait = self._limit.release(sent_at, response)
            if wait is None:
                return response
            if wait:
                self._announce(wait)

    def _announce(self, seconds: float) -> None:
        """Log a wait, and print the stream status for it, as the CDK's client does."""
        words = "tyntec's rate limit is reached. All requests wait %.1f seconds."
        self._stream.logger.info(words, seconds)
        kind = models.AirbyteStreamStatusReasonType.RATE_LIMITED
        limited = [models.AirbyteStreamStatusReason(kind)]
        stream = models.StreamDescriptor(self._stream.name)
        status = as_airbyte_message(stream, models.AirbyteStreamStatus.RUNNING, limited)
        print(f"{AirbyteEntrypoint.airbyte_message_to_string(status)}\n", end="", flush=True)


@dataclass
class TyntecErrorHandler(ErrorHandler):
    """Looks up a response, or the exception in its place, in the tables of `errors`.

    Replaces the CDK's HttpStatusErrorHandler, for which a redirect and an HTML page are a success,
    and which maps exceptions by their exact class.
    """

    url: str
    limit: RateLimit
    _failing_since: float = 0
    max_time = 86400  # the CDK counts the waits for a rate limit, too: see `longest_outage`
    max_retries = property(lambda self: self.limit.policy.max_attempts - 1)

    def interpret_response(self, response_or_exception: Outcome = None) -> ErrorResolution:
        """The entry of the tables, with a complete message."""
        outcome = response_or_exception
        if isinstance(outcome, Response):
            words = "" if outcome.ok else describe(outcome)
            entry = errors.resolve(outcome.status_code, words, decode(outcome) is not None)
        else:
            entry = errors.resolve_exception(outcome)
        if entry is errors.PASS:
            self._failing_since = 0
            return entry
        now = monotonic()
        self._failing_since = since = max(self._failing_since or now, self.limit.resume_at)
        if now - since > self.limit.policy.longest_outage:
            entry = replace(entry, response_action=errors.FAIL)
        message = str(entry.error_message).format(url=self.url, cause=describe(outcome))
        return replace(entry, error_message=message)


@dataclass
class TyntecBackoffStrategy(BackoffStrategy):
    """Waits exponentially longer after each failed attempt.

    Jitter, which the CDK's default lacks, keeps workers from retrying in step.
    """

    policy: RetryPolicy
    logger: Logger

    def backoff_time(self, response_or_exception: Outcome, attempt_count: int) -> float:
        """Seconds to wait after attempt `attempt_count`, less the one that the CDK adds."""
        policy = self.policy
        wait = min(policy.first_wait * 2.0 ** (attempt_count - 1), policy.longest_wait)
        seconds = wait * uniform(0.75, 1)
        failed = f"Attempt {attempt_count} of {policy.max_attempts} failed"
        if attempt_count < policy.max_attempts:
            cause = describe(response_or_exception)
            self.logger.info("%s: %s. Retrying in %.1f seconds.", failed, cause, seconds)
        return seconds - 1


def describe(outcome: Outcome) -> str:
    """What happened to a request: "timed out", "HTTP 403 (Your IP address is not allowed)".

    The words are those of the gateway, of a problem document (RFC 7807) or of a BYON service.
    """
    if not isinstance(outcome, Response):
        return errors.reason(outcome)
    document = decode(outcome)
    fields = document if isinstance(document, dict) else {"title": "no JSON object"}
    words = ": ".join(fields[name] for name in TEXT_FIELDS if isinstance(fields.get(name), str))
    if outcome.status_code == 429 and (seconds := seconds_until_reset(outcome)):
        words += f" - resets in {seconds:,.0f} seconds"
    quote = filter_secrets(" ".join(words.split()))[:LONGEST_QUOTE]
    return f"HTTP {outcome.status_code} ({quote})".replace(" ()", "")
