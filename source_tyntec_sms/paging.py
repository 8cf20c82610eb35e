"""Reading the phone numbers page by page, although tyntec documents the paging by half."""

import json
import logging
from collections.abc import Sequence
from typing import Any

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
        if fingerprint in self._seen:
            self._after_a_page_that_came_before(size)
            return []
        new = rows[self._overlap(page) :]
        self._seen.add(fingerprint)
        self._previous = page
        self._rows_read += len(new)
        listed = size if isinstance(size, int) and size != len(rows) else None
        if not rows:
            more = False
        elif listed is not None:
            more = listed > self._rows_read
        else:
            more = len(rows) >= self._page_size
        self._go_on(more)
        return new

    def _go_on(self, more: bool) -> None:
        self._page += 1
        self.token = {"page": self._page} if more else None

    def _after_a_page_that_came_before(self, size: Any) -> None:
        if self._page == 1:  # pages count from 1, or `page` is ignored: page 2 tells
            self._go_on(True)
            return
        self.token = None
        if self._rows_read == len(self._previous):
            total = f" of {size}" if isinstance(size, int) and size > self._rows_read else ""
            self._logger.warning(
                "tyntec gave the same page of phone numbers whichever was asked for: only the first %d%s could be "
                "read, and there may be more.",
                self._rows_read,
                total,
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
