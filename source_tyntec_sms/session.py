"""How requests are sent: to one host, at tyntec's pace, and within limits on time and size."""

import math
import threading
import time
from concurrent.futures import CancelledError
from dataclasses import dataclass
from http.client import INTERNAL_SERVER_ERROR, TOO_MANY_REQUESTS, HTTPResponse
from socket import socket
from typing import Any

import requests
import urllib3
from airbyte_cdk import AbstractAPIBudget, LimiterSession
from requests.exceptions import ChunkedEncodingError

_REMAINING = ("RateLimit-Remaining", *(f"X-RateLimit-Remaining-{unit}" for unit in ("Second", "Minute", "Hour", "Day")))


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent, and how many seconds the connector waits.

    first_wait, longest_wait: the back-off after a failed attempt doubles from the one up to the other.
    longest_bare_hold: the longest wait after a 429 without Retry-After; the first is `first_wait`.
    longest_hold: the longest wait that tyntec may ask for, and how long it may refuse every request.
    """

    max_attempts: int = 8
    first_wait: float = 1
    longest_wait: float = 16
    connect_timeout: float = 10
    answer_timeout: float = 50
    longest_bare_hold: float = 60
    longest_hold: float = 900

    def wait(self, attempt: int) -> float:
        """The wait after the `attempt`-th attempt (from 1), before jitter."""
        return min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait)


READ = RetryPolicy()
# A user waits for a check: it has to end within two minutes, whatever the server does.
CHECK = RetryPolicy(3, longest_wait=2, connect_timeout=5, answer_timeout=10, longest_bare_hold=8, longest_hold=8)


class NoCertificatesError(requests.RequestException):
    """The file of certificates that the environment names does not exist."""


class AnswerTooLargeError(requests.RequestException):
    """The answer unpacks to more than is allowed."""


def retry_after(response: requests.Response) -> float:
    """Seconds that the header Retry-After asks to wait, as number or date; 0 for nothing, nonsense or the past."""
    parser = urllib3.Retry()
    parser.retry_after_max = 10**9  # otherwise, a longer wait than six hours becomes six hours
    try:
        return float(min(10**9, parser.parse_retry_after(response.headers.get("Retry-After", "0"))))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


class Pace(AbstractAPIBudget):
    """When the next request may be sent: one pace for all requests of a sync, at the rate that tyntec allows.

    tyntec's gateway counts requests in fixed windows, and answers those beyond the limit with 429. When it refuses one,
    or says that nothing remains in the window, all requests hold. After the hold one goes first. If it gets through,
    others follow: as many as fitted into the windows before, then one at a time, then more and more again. So a window
    costs about one refusal, whatever its length. Without a limit, nothing waits here.

    stopped: whether no further request is to be sent.
    given_up: whether it stopped because tyntec asked for a longer wait than the policy allows, or refused for as long.
    """

    def __init__(self, policy: RetryPolicy, workers: int) -> None:
        self._policy, self._workers = policy, workers
        self._turn = threading.Condition()
        self._sent_at: dict[requests.PreparedRequest, float] = {}  # of the requests in flight
        self._most_in_flight = float(workers)
        self._passed = 0  # how many got through since the last hold
        self._quota = math.inf  # how many may get through before requests go one at a time
        self._resume_at = self._refused_since = 0.0
        self.given_up = self.stopped = False

    def start(self) -> None:
        """Let requests pass: a stream begins to be read."""
        self.given_up, self.stopped, self._refused_since = False, False, 0.0

    def stop(self) -> None:
        """Let no further request pass, those that wait for their turn included."""
        with self._turn:
            self.stopped = True
            self._turn.notify_all()

    @property
    def hold(self) -> float:
        """Seconds until requests may be sent again, 0 if they may."""
        return max(0.0, self._resume_at - time.monotonic())

    def get_matching_policy(self, request: Any) -> None:
        """None: there is one policy for all requests."""

    def acquire_call(self, request: requests.PreparedRequest, block: bool = True, timeout: float | None = None) -> None:
        """Wait until `request` may be sent. If reading has stopped, a CancelledError."""
        with self._turn:
            while not self.stopped and ((hold := self.hold) or len(self._sent_at) + 1 > self._most_in_flight):
                self._turn.wait(hold or None)
            if self.stopped:
                raise CancelledError
            self._sent_at[request] = time.monotonic()

    def update_from_response(self, request: requests.PreparedRequest, response: requests.Response | None) -> None:
        """Learn from the answer to `request`, None if there was none."""
        with self._turn:
            sent_at = self._sent_at.pop(request, 0)  # it was not sent if reading has stopped
            if response is not None and sent_at >= self._resume_at:  # not sent before the last hold
                self._learn(response)
            self._turn.notify_all()

    def _learn(self, response: requests.Response) -> None:
        now, code = time.monotonic(), response.status_code
        hold = retry_after(response) if code == TOO_MANY_REQUESTS or code >= INTERNAL_SERVER_ERROR else 0.0
        if code == TOO_MANY_REQUESTS or hold:
            self._refused_since = self._refused_since or now
            refused_for = now - self._refused_since
            if max(hold, refused_for) > self._policy.longest_hold:
                self.given_up = self.stopped = True
            # Without Retry-After, the holds are 1, 2, 4, … times `first_wait`: all before this one, and once more.
            hold = hold or min(self._policy.first_wait + refused_for, self._policy.longest_bare_hold)
            if self._passed:
                # A moving average: two windows can look like one, if the first is met in its middle.
                self._quota = min(self._passed, 0.8 * self._quota + 0.2 * self._passed)
        else:
            self._refused_since = 0.0
            self._passed += 1
            reset = response.headers.get("RateLimit-Reset", "")
            told = [response.headers.get(name, "") for name in _REMAINING] if reset.isdecimal() else []
            remaining = min((float(value) for value in told if value.isdecimal()), default=math.inf)
            hold = 0.0 if remaining else float(reset)
            self._quota = math.inf if hold else min(self._quota, self._passed + remaining)
            left = self._quota - self._passed
            # As many as are left. Beyond them one, and 0.3 more with each that gets through all the same.
            self._most_in_flight = max(1, min(self._workers, remaining, max(left, 1 - 0.3 * left)))
        if 0 < hold <= self._policy.longest_hold:
            self._resume_at = now + hold
            self._passed, self._most_in_flight = 0, 1


class TyntecSession(LimiterSession):
    """A session that reaches only `api_url`, which ends in a slash, and keeps no cookie.

    It sends requests at `pace`. A refused one is sent again: being refused is no failed attempt in the CDK's count.
    """

    def __init__(self, api_url: str, pace: Pace, max_bytes: int) -> None:
        super().__init__(api_budget=pace)
        self._pace = pace
        # Plain http is spoken on loopback only, where a proxy from the environment would see the key.
        self.trust_env = api_url.startswith("https://")
        self.adapters.clear()
        self.mount(api_url, _Adapter(max_bytes))
        # The proxy and the certificates that the environment names are looked up once: there is one host only.
        settings = self.merge_environment_settings(api_url, {}, None, None, None)
        self.merge_environment_settings = lambda **_: settings  # type: ignore[method-assign]

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """`request` without what requests would merge into it, such as a password of .netrc. It also saves time."""
        request.params = request.params or None  # requests is slow to encode an empty mapping
        return request.prepare()

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer to `request`, read in full, or a RequestException. If reading has stopped, a CancelledError."""
        while True:
            try:
                response = super().send(request, **kwargs)
            except Exception as error:
                self._pace.update_from_response(request, None)
                if isinstance(error, (requests.RequestException, CancelledError)):
                    raise
                # A bare OSError is how requests says that there are no certificates; the rest is not valid HTTP.
                error_class = NoCertificatesError if type(error) is OSError else ChunkedEncodingError
                raise error_class(request=request) from error
            if response.status_code != TOO_MANY_REQUESTS or self._pace.given_up:
                return response
            response.connection.close()  # as after any failed attempt, see TyntecErrorHandler


class _Adapter(threading.local, requests.adapters.HTTPAdapter):
    """requests' adapter with limits on the whole answer, in time and size: requests has none.

    Each thread has a state of its own (`threading.local`), so that a thread which closes the adapter after a failure
    closes its own connection and no other's.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> urllib3.HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if "response_class" not in vars(pool.ConnectionCls):
            pool.ConnectionCls = type("_Connection", (pool.ConnectionCls,), {"response_class": _TimedResponse})
        return pool

    def send(self, request: requests.PreparedRequest, stream: bool = False, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        response = super().send(request, stream=True, **kwargs)
        body = bytearray()  # one block, which gives its memory back, where many pieces would not
        try:
            for piece in response.iter_content(2**16):
                body += piece
                if len(body) > self._max_bytes:
                    raise AnswerTooLargeError(request=request)  # noqa: TRY301  (an error like those of requests)
        except Exception:
            body.clear()  # the traceback would keep it while the next attempt reads
            self.close()
            raise
        # requests has no public way to hand over a body that was read in pieces.
        response._content = body  # type: ignore[assignment]  # noqa: SLF001
        return response


class _TimedResponse(HTTPResponse):
    """An answer whose headers and body have to be there before a deadline. Its cookies are dropped."""

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        # urllib3 has set the timeout of each read of the socket: it becomes that of all of them together.
        deadline = time.monotonic() + (sock.gettimeout() or 0)

        def readinto(buffer: Any) -> int:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            sock.settimeout(left)
            return sock.recv_into(buffer)

        self.fp.raw.readinto = readinto  # type: ignore[method-assign]

    def begin(self) -> None:
        super().begin()
        while self.status in (102, 103):  # http.client skips only 100: the answer follows
            self.headers = None  # type: ignore[assignment]
            super().begin()
        del self.headers["Set-Cookie"]
