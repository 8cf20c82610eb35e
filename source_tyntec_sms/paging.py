"""Reading the phone numbers page by page, although tyntec documents the paging by half."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from airbyte_cdk.models import FailureType

from source_tyntec_sms.errors import traced
from source_tyntec_sms.records import to_integer

MOST_PAGES = 10_000
Rows = Sequence[Any]


class Pages:
    """Finds the pages of one list, and of each page the rows that are new.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    next one page 1, and the answers tell the rest: a page that came before shows that pages count from 1, that `page`
    is ignored, or that the end is reached. A page with fewer rows than were asked for is not taken for the last one:
    the pages may be smaller. No field of a row is documented to be unique, so whole rows are compared, and rows that
    are alike within a page are kept.

    token: the query parameters of the next request, None after the last.
    may_be_read: whether all rows may have come already, so that the next page need not exist.
    """

    def __init__(self, page_size: int, logger: logging.Logger) -> None:
        self._page_size = page_size
        self._logger = logger
        self._page = 0
        self._rows_read = 0
        self._seen: set[int] = set()
        self._previous: list[str] = []
        self.token: dict[str, Any] | None = None
        self.may_be_read = False

    def new_rows(self, rows: Rows, size: Any) -> Rows:
        """The rows of the next page that no earlier page held. `size` is what the answer says under that name.

        Raises:
            AirbyteTracedException: system_error if page after page brings new rows and there is no end.
        """
        page = [json.dumps(row, sort_keys=True) for row in rows]
        fingerprint = hash(tuple(sorted(page)))  # a list without an order of its own may come in another one
        listed = to_integer(size)
        if not isinstance(listed, int) or listed in (len(rows), self._page_size):
            listed = 0  # it counts the rows of the page, or repeats what was asked for
        self._page += 1
        self.may_be_read = len(rows) < self._page_size
        repeated = fingerprint in self._seen
        new = [] if repeated else rows[self._overlap(page) :]
        self._seen.add(fingerprint)
        self._previous = page
        self._rows_read += len(new)
        # A first page that comes again: pages count from 1, or `page` is ignored. Page 2 tells.
        more = bool(rows) and listed != self._rows_read and (not repeated or self._page == 2)
        self.token = {"page": self._page} if more else None
        if more and self._page == MOST_PAGES:
            raise traced(
                f"tyntec gave {MOST_PAGES:,} pages without an end. Report it to the maintainers of this connector.",
                FailureType.system_error,
            )
        if not more:
            self._warn_if_rows_are_missing(listed)
        return new

    def _warn_if_rows_are_missing(self, listed: int) -> None:
        stuck = self._page > 2 and len(self._seen) == 1 and self._rows_read >= self._page_size
        if stuck or listed > self._rows_read:
            self._logger.warning(
                "tyntec gave only the first %d%s phone numbers, whichever page was asked for: there may be more.",
                self._rows_read,
                f" of {listed}" if listed > self._rows_read else "",
            )

    def _overlap(self, page: list[str]) -> int:
        """How many rows at the head of `page` are the tail of the page before it.

        Numbers of one registration can be alike in every field, and such a group can straddle two pages. Rows are
        therefore taken for repeated only where no such group can be meant: if the page before held no two rows alike,
        or if the overlap holds different rows.
        """
        distinct = len(set(self._previous)) == len(self._previous)
        for length in range(min(len(page), len(self._previous)), 0, -1):
            head = page[:length]
            if head == self._previous[-length:] and (distinct or len(set(head)) > 1):
                return length
        return 0
