"""Reading the phone numbers page by page, although tyntec documents the paging by half."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from source_tyntec_sms.records import to_integer

Rows = Sequence[Any]


class Pages:
    """Finds the pages of one list, and of each page the rows that are new.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    next one page 1, and the answers tell the rest: a page that came before shows that pages count from 1, that `page`
    is ignored, or that the end is reached. No field of a row is documented to be unique, so whole rows are compared,
    and rows that are alike within a page are kept.

    token: the query parameters of the next request, None after the last.
    """

    def __init__(self, page_size: int, logger: logging.Logger) -> None:
        self._page_size = page_size
        self._logger = logger
        self._page = 0
        self._rows_read = 0
        self._seen: set[int] = set()
        self._previous: list[str] = []
        self.token: dict[str, Any] | None = None

    def new_rows(self, rows: Rows, size: Any) -> Rows:
        """The rows of the next page that no earlier page held. `size` is what the answer says under that name."""
        page = [json.dumps(row, sort_keys=True) for row in rows]
        fingerprint = hash(tuple(page))
        listed = to_integer(size)
        if not isinstance(listed, int) or listed in (len(rows), self._page_size):
            listed = 0  # it counts the rows of the page, or repeats what was asked for
        self._page += 1
        if fingerprint in self._seen:
            # Pages count from 1, or `page` is ignored: page 2 tells. Later on, it is the end.
            self._finish_or_go_on(self._page == 2, listed)
            return []
        new = rows[self._overlap(page) :]
        self._seen.add(fingerprint)
        self._previous = page
        self._rows_read += len(new)
        more = listed > self._rows_read if listed else len(rows) >= self._page_size
        self._finish_or_go_on(bool(rows) and more, listed)
        return new

    def _finish_or_go_on(self, more: bool, listed: int) -> None:
        self.token = {"page": self._page} if more else None
        stuck = self._page > 2 and len(self._seen) == 1
        if not more and (stuck or listed > self._rows_read):
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
