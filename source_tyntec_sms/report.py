"""Counts the outcomes of a read of message statuses, and says at the end what is missing."""

from collections import defaultdict
from logging import Logger
from time import monotonic
from typing import Any

from airbyte_cdk import AirbyteTracedException

from source_tyntec_sms.errors import NEWER_ID, UnknownIdError, failure

SECONDS_BETWEEN_PROGRESS = 30
MAX_CONSECUTIVE_FAILURES = 10
MAX_NAMED_IDS, MAX_NAMED_REASONS = 10, 3


class Report:
    """The outcome for each request id. `total`: the number of ids to read."""

    def __init__(self, total: int, logger: Logger) -> None:
        self._total, self._logger = total, logger
        self._read = self._unknown = self._failed = self._consecutive_failures = 0
        # The ids that were not read, by whether they are unknown, and the reason.
        self._ids = defaultdict[Any, list[str]](list)
        self._failure_types = set[Any]()
        self._next_progress = monotonic() + SECONDS_BETWEEN_PROGRESS

    def __str__(self) -> str:
        return (
            f"{self._read:,} of {self._total:,} message statuses read, "
            f"{self._failed:,} failed, {self._unknown:,} unknown."
        )

    @property
    def is_hopeless(self) -> bool:
        """Whether so many request ids failed in a row that the next ones will, too."""
        return self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES

    def add(self, request_id: str, outcome: dict[str, Any] | Exception) -> None:
        """Record the row of a request id, or the error in its place."""
        if isinstance(outcome, AirbyteTracedException):
            self._failed += 1
            self._consecutive_failures += 1
            self._failure_types.add(outcome.failure_type)
        else:
            self._consecutive_failures = 0
            self._read += isinstance(outcome, dict)
        if isinstance(outcome, Exception):
            is_unknown = isinstance(outcome, UnknownIdError)
            self._unknown += is_unknown
            self._ids[is_unknown, str(outcome)].append(request_id)
            self._logger.debug("%s was not read. %s", request_id, outcome)

    def log_progress(self) -> None:
        """Log how far the read is, twice a minute."""
        if monotonic() >= self._next_progress:
            self._next_progress = monotonic() + SECONDS_BETWEEN_PROGRESS
            self._logger.info("%s", self)

    def finish(self) -> None:
        """Log the result, with the reasons for the request ids that were not read.

        Raises an AirbyteTracedException if any status failed, or if none was read.
        """
        reasons = []
        by_size = sorted(self._ids.items(), key=lambda item: (item[0][0], -len(item[1])))
        for (_, reason), ids in by_size:
            names = ", ".join(ids[:MAX_NAMED_IDS]) + ", …" * (len(ids) > MAX_NAMED_IDS)
            reasons.append(f"{reason} {len(ids):,} not read: {names}.")
            self._logger.warning("%s", reasons[-1])
        self._logger.info("%s", self)
        words = f"{self} {' '.join(reasons[:MAX_NAMED_REASONS])}"
        if self._failed:
            stopped = "Reading stopped after ten failures in a row."
            advice = stopped if self.is_hopeless else "If an id fails in every sync, remove it."
            raise failure(f"{words} {advice}", *self._failure_types)
        if not self._read:
            raise failure(f"{words} {NEWER_ID}")
