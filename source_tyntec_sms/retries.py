"""How often and how long a request is tried, and how long the connector waits in between."""

import logging
import os
import random
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import requests
from airbyte_cdk.sources.streams.http.error_handlers import BackoffStrategy
from typing_extensions import override

from source_tyntec_sms.errors import config_error

TIME_SCALE_VARIABLE = "TYNTEC_TIME_SCALE"


@dataclass(frozen=True)
class Budget:
    """What one request may cost. All but `attempts` is in seconds.

    attempts: how often the request is sent at most.
    first_wait, longest_wait: the back-off, doubled from the one to the other.
    retry_after: the longest wait that tyntec may ask for; asking for more ends the stream.
    patience: no attempt follows one that began later than this.
    connect, silence, answer: the longest wait for a connection, for the next byte, and for the whole answer.
    """

    attempts: int
    first_wait: float
    longest_wait: float
    retry_after: float
    patience: float
    connect: float
    silence: float
    answer: float

    @property
    def longest(self) -> float:
        """The longest that a request can take, with all its attempts and waits, in seconds.

        The CDK looks at `patience` after an attempt, but at the time when that attempt began: one more can follow.
        """
        attempt, wait = self.connect + self.answer, self.retry_after + 2 * self.longest_wait
        return min(self.attempts * attempt + (self.attempts - 1) * wait, self.patience + 2 * attempt + wait)

    def scaled(self) -> "Budget":
        """This budget with every duration multiplied by the environment variable TYNTEC_TIME_SCALE, for tests.

        Raises:
            AirbyteTracedException: config_error if the variable is not a number above 0, at most 1.
        """
        try:
            scale = float(os.environ.get(TIME_SCALE_VARIABLE, "1"))
        except ValueError:
            scale = 0
        if not 0 < scale <= 1:
            raise config_error(
                f"The environment variable {TIME_SCALE_VARIABLE} must be a number above 0, at most 1. It is meant for "
                "tests: remove it."
            )
        durations = {name: value * scale for name, value in vars(self).items() if name != "attempts"}
        return replace(self, **durations)

    def wait(self, attempt: int) -> float:
        """Seconds to wait after the `attempt`-th attempt (from 1), with jitter: workers must not retry in step."""
        return min(self.first_wait * 2.0 ** (attempt - 1), self.longest_wait) * random.uniform(0.5, 1)


READ = Budget(
    attempts=8,
    first_wait=1,
    longest_wait=16,
    retry_after=120,
    patience=180,
    connect=10,
    silence=30,
    answer=90,
)
# Somebody sits in front of a check: it has to answer within two minutes whatever the server does.
CHECK = Budget(
    attempts=3,
    first_wait=1,
    longest_wait=2,
    retry_after=15,
    patience=60,
    connect=5,
    silence=15,
    answer=20,
)


def retry_after(response: requests.Response) -> float | None:
    """Seconds that the header Retry-After asks to wait, as number or date; None for nothing, nonsense or the past.

    urllib3's parser cannot serve: it takes more than six hours for six hours, and the user is told the number.
    """
    value = response.headers.get("Retry-After", "").strip()
    try:
        if value.isascii() and value.isdigit():
            seconds = float(value)
        else:
            seconds = (parsedate_to_datetime(value) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


class Backoff(BackoffStrategy):
    """Waits as long as tyntec asks for, else exponentially longer, both with jitter.

    The CDK's default back-off has no jitter and does not look at Retry-After.
    """

    def __init__(self, budget: Budget, logger: logging.Logger) -> None:
        self._budget = budget
        self._logger = logger

    @override
    def backoff_time(
        self,
        response_or_exception: requests.Response | requests.RequestException | None,
        attempt_count: int,
    ) -> float:
        """Seconds to wait before the attempt that follows `attempt_count`, as the CDK wants them: one too few."""
        wait, cause = self._budget.wait(attempt_count), "tyntec could not be reached"
        if isinstance(response_or_exception, requests.Response):
            cause = f"tyntec answered {response_or_exception.status_code}"
            asked = retry_after(response_or_exception)
            if asked is not None:
                wait += asked
        if attempt_count < self._budget.attempts:
            self._logger.info(
                "%s; attempt %d of %d follows in %.1f seconds at the earliest.",
                cause,
                attempt_count + 1,
                self._budget.attempts,
                wait,
            )
        # The CDK sleeps a second more than it is told, and takes 0 for no answer.
        return wait - 1 or -1e-9
