"""What became of each request id while the statuses were read, across all workers."""

import logging
import threading
import time
from collections import Counter

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_tyntec_sms.errors import config_error, traced

LONGEST_ROW_OF_FAILURES = 10
NAMED_FAILURES = 10
IDS_BETWEEN_PROGRESS = 1000
SECONDS_BETWEEN_PROGRESS = 30


class Tally:
    """Counts the ids of one read of `message_status`. Every id is reported once, from whichever thread read it.

    The thread that reports the last id gets the one error of the stream, if there is one. That keeps it to one error
    however many ids failed, and lets every other id be read first.
    """

    def __init__(self, total: int, logger: logging.Logger) -> None:
        self._total = total
        self._logger = logger
        self._lock = threading.Lock()
        self._known = self._unknown = self._failed = self._untried = 0
        self._row_of_failures = 0
        self._named: list[str] = []
        self._reasons: Counter[tuple[str, FailureType]] = Counter()
        self._last_progress = time.monotonic()
        self.stopped = False

    def known(self) -> AirbyteTracedException | None:
        """A status was read."""
        with self._lock:
            self._known += 1
            self._row_of_failures = 0
            return self._after_one()

    def unknown(self, request_id: str) -> AirbyteTracedException | None:
        """tyntec does not know the id."""
        self._logger.warning(
            "The SMS request id %s is skipped: tyntec does not know it. It keeps a delivery state for three months.",
            request_id,
        )
        with self._lock:
            self._unknown += 1
            self._row_of_failures = 0
            return self._after_one()

    def failed(self, request_id: str, failure: AirbyteTracedException, hopeless: bool) -> AirbyteTracedException | None:
        """The id could not be read. After a hopeless failure, or ten in a row, no further id is tried."""
        self._logger.warning("The SMS request id %s could not be read: %s", request_id, failure)
        with self._lock:
            self._failed += 1
            self._row_of_failures += 1
            if len(self._named) < NAMED_FAILURES:
                self._named.append(request_id)
            self._reasons[str(failure), failure.failure_type] += 1
            self.stopped |= hopeless or self._row_of_failures >= LONGEST_ROW_OF_FAILURES
            return self._after_one()

    def untried(self) -> AirbyteTracedException | None:
        """The id was not asked for, because reading had stopped."""
        with self._lock:
            self._untried += 1
            return self._after_one()

    def _after_one(self) -> AirbyteTracedException | None:
        done = self._known + self._unknown + self._failed + self._untried
        now = time.monotonic()
        if not self.stopped and (
            done % IDS_BETWEEN_PROGRESS == 0 or now - self._last_progress >= SECONDS_BETWEEN_PROGRESS
        ):
            self._last_progress = now
            self._logger.info("%d of %d SMS request ids are read.", done, self._total)
        return self._error() if done == self._total else None

    def _error(self) -> AirbyteTracedException | None:
        if self._failed:
            types = {failure_type for _, failure_type in self._reasons}
            return traced(
                self._summary(),
                FailureType.config_error if FailureType.config_error in types else types.pop(),
            )
        if not self._known:
            return config_error(
                f"tyntec knows none of the {self._total} SMS request ids. It keeps a delivery state for three months: "
                "enter the requestId of a newer message in the setting 'SMS Message Request ID'."
            )
        return None

    def _summary(self) -> str:
        names = ", ".join(self._named)
        if self._failed > len(self._named):
            names += f" and {self._failed - len(self._named)} more"
        reasons = " ".join(
            reason if len(self._reasons) == 1 else f"{count} times: {reason}"
            for (reason, _), count in self._reasons.most_common(3)
        )
        untried = (
            f" The remaining {self._untried} were not tried, because tyntec would have refused them too or was "
            "failing for every id."
            if self._untried
            else ""
        )
        return f"{self._failed} of {self._total} SMS request ids could not be read: {names}. {reasons}{untried}"
