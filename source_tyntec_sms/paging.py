"""Which page of phone numbers comes next, and which of its rows are new."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from airbyte_cdk.models import FailureType

from source_tyntec_sms.errors import traced
from source_tyntec_sms.records import Row, to_integer

MOST_REQUESTS = 10_000
# How many rows a page shares with the one before it, so that none is lost when a few are deleted in between.
OVERLAP = 10
# A page is taken for an earlier one, given again, if it shares as many of its rows.
SHARE_OF_REPEATED_PAGE = 0.75


class Pages:
    """The pages of one list, whose rows may change while it is read.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    second page 1, and the answers tell the rest: where page 1 repeats the first answer, pages count from 1 or `page` is
    ignored, and page 2 tells which. A page with fewer rows than were asked for need not be the last: tyntec may give
    less. So pages are asked for until one brings nothing new, each starting a few rows before the end of the last.

    A phone number identifies its row. So does a request id, until a page has two rows of one request: those are alike,
    and all of them count, but for the ones in which the page overlaps the one before.

    params: the query parameters of the next request, None after the last.
    read: how many rows were new. announced: the most rows that an answer said the list has.
    repeated_full_page: whether the last page was one that came before, and both it and the first were full.
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._requests = self._first_page = self._stale = 0
        self._start = self._end = 0  # of the page asked for, and of what was read, counted in rows
        self._most = 0  # rows of a page
        self._full = self._size_is_ignored = False
        self._first: Counter[str] = Counter()
        self._last: list[str] = []
        self._overlap: list[str] = []  # the end of the last page, with which the next should start
        self._context: set[str] = set()  # of the overlap: the rows before those that are alike
        self._read: Counter[str] = Counter()
        self._alike: set[str] = set()
        self.params: dict[str, int] | None = {"size": page_size}
        self.read = self.announced = 0
        self.repeated_full_page = False

    @property
    def may_be_whole(self) -> bool:
        """Whether all rows may have been read, so that the next page need not exist."""
        return self._requests > 0 and not self._full

    def new_rows(self, rows: Sequence[Row], size: Any) -> list[Row]:
        """The rows of the requested page that no earlier page held. `size` is what the answer says under that name.

        Raises:
            AirbyteTracedException: system_error if page after page brings new rows and there is no end.
        """
        asked = (self.params or {})["size"]
        total = to_integer(size)
        # Otherwise it counts the rows of the page, or repeats what was asked for.
        if isinstance(total, int) and total not in (len(rows), asked, self._page_size):
            self.announced = max(self.announced, total)
        self._requests += 1
        self._full = len(rows) >= asked
        self._size_is_ignored |= len(rows) > asked
        keys = [_key(row) for row in rows]
        page = Counter(keys)
        self._alike |= {key for key, count in page.items() if count > 1 and not _is_number(key)}
        missing = self.announced - self.read
        repeated, known, reach = False, Counter[str](), len(rows)
        if len(page) == 1 and keys[0] in self._alike and missing > 0:
            # All rows are alike: only the total says whether they come again, or are more of them.
            known[keys[0]] = len(rows) - missing
        elif repeated := self._is_repeated(page, asked):
            known = self._read.copy()
        elif not self._size_is_ignored and page.keys() & self._context:
            known, reach = Counter(self._overlap), len(self._overlap)
        new = []
        for place, (row, key) in enumerate(zip(rows, keys, strict=True)):
            if _is_number(key) or not self._alike:
                is_old = key in self._read
            else:
                is_old = place < reach and known[key] > 0
                known[key] -= is_old
            if not is_old:
                new.append(row)
                self._read[key] += 1
        self.read += len(new)
        self.repeated_full_page = repeated and self._full and self._first.total() >= self._page_size
        self._first = self._first or page
        if not repeated:
            self._last, self._most = keys, max(self._most, len(rows))
            self._end = (self._end if self._size_is_ignored else self._start) + len(rows)
        elif self._requests == 2:
            self._first_page = 1
        # A list that grows while it is read could show a last page with something new for ever.
        self._stale = self._stale + 1 if 2 * len(new) < len(rows) else 0
        more = (new and not repeated and self._stale < 3) or (repeated and self._requests == 2)
        self.params = self._next() if more else None
        return new

    def _is_repeated(self, page: Counter[str], asked: int) -> bool:
        return any(
            (page & earlier).total() >= SHARE_OF_REPEATED_PAGE * max(page.total(), min(earlier.total(), asked))
            for earlier in (self._first, Counter(self._last))
            if page and earlier
        )

    def _next(self) -> dict[str, int]:
        if self._requests == MOST_REQUESTS:
            raise traced(
                f"tyntec gave {MOST_REQUESTS:,} pages of phone numbers without an end. Report it to the maintainers "
                "of this connector.",
                FailureType.system_error,
            )
        context = min(OVERLAP, len(self._last) // 10)
        alike = sum(1 for _ in takewhile(self._last[-1].__eq__, reversed(self._last)))
        back = context + (alike if context and alike < len(self._last) / 4 else 0)
        start = self._end - (0 if self._size_is_ignored else back)
        gain, size = self._largest_gain(start)
        if gain <= self._most / 4:
            start = self._end
            _, size = self._largest_gain(start)
        page = start // size
        self._start = page * size
        self._overlap = self._last[self._start - self._end :] if self._start < self._end else []
        self._context = set(self._overlap[: context or None])
        return {"page": page + self._first_page, "size": size}

    def _largest_gain(self, start: int) -> tuple[int, int]:
        """The most rows that a page can add which begins at `start` or a little earlier, and its size."""
        overlaps = ((size, self._end - start + start % size) for size in range(1, self._most + 1))
        return max(((size - overlap, size) for size, overlap in overlaps if 2 * overlap <= size), default=(0, 1))


def _key(row: Row) -> str:
    """What identifies a row while other fields may change: its number, else its request, else all that it holds."""
    for name in ("phoneNumber", "requestId"):
        if row.get(name) not in (None, ""):
            return f"{name} {row[name]}"
    return json.dumps(row, sort_keys=True)


def _is_number(key: str) -> bool:
    return key.startswith("phoneNumber ")
