"""Which page of phone numbers comes next, and which of its rows are new."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from source_tyntec_sms.errors import traced
from source_tyntec_sms.records import Row, to_integer

MOST_REQUESTS = 10_000
MOST_ROWS = 2_000_000
# How many rows a page shares with the one before it, so that none is lost when a few are deleted in between.
OVERLAP = 10
# How far rows may move between two requests, as others are added or deleted before them.
SHIFT = 100
# A page is taken for the first one, given again, if it has such a share of its rows, none moved further.
SHARE_OF_REPEATED_PAGE = 0.75


class Pages:
    """The pages of one list, whose rows may change while it is read.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    second page 1, and the answers tell the rest: where page 1 repeats the first answer, pages count from 1 or `page` is
    ignored, and page 2 tells which. A page with fewer rows than requested need not be the last: tyntec may give fewer.
    So pages are requested until one brings nothing new, each starting a few rows before the end of the last.

    A phone number identifies its row, unless a page has one twice. Other rows are new, but for those at the start of a
    page that were at the end of the last one, told by request id or, without one, by all that they hold.

    page_size: how many rows a request asks for. If None, the list has no pages: it comes in one answer, all rows new.
    params: the query parameters of the next request, None after the last.
    read: how many rows were new. announced: the most rows that an answer said the list has.
    repeated_full_page: whether the last page was one that came before, and both it and the first were full.
    """

    def __init__(self, page_size: int | None) -> None:
        self._page_size = page_size
        self._requests = self._first_page = self._stale = 0
        self._start = self._end = 0  # of the page asked for, and of what was read, counted in rows
        self._most = 0  # rows of a page
        self._full = self._size_is_ignored = False
        self._first, self._last = list[str](), list[str]()  # the rows of the first page, the last ones read
        self._numbers: set[str] = set()
        self._alike: set[str] = set()  # what more than one row of a page had
        self._numbers_identify = True
        self.params: dict[str, int] | None = {"size": page_size} if page_size else {}
        self.read = self.announced = 0
        self.repeated_full_page = False

    def __iter__(self) -> Iterator[dict[str, int]]:
        """The query parameters of each request, the rows of the one before having been handed to `new_rows`."""
        while self.params is not None:
            yield self.params

    def may_end_with(self, status_code: int) -> bool:
        """Whether an answer without rows may end the list: after a page that was not full; at the start, only a 204."""
        return not self._full if self._requests else status_code == 204

    @property
    def warning(self) -> str | None:
        """What whoever reads the list should know, after the last page."""
        if self.read < self.announced:
            return f"tyntec announced {self.announced:,} rows, but gave {self.read:,}."
        if self.repeated_full_page:
            return f"tyntec gave a full page twice: there may be more than {self.read:,} rows."
        return None

    def new_rows(self, rows: list[Row], size: Any) -> list[Row]:
        """The rows of the requested page that no earlier page held. `size` is what the answer says under that name.

        A list without an end is a system_error.
        """
        asked, total = (self.params or {}).get("size", 0), to_integer(size)
        # Otherwise it counts the rows of the page, or repeats what was asked for.
        is_total = type(total) is int and total not in (len(rows), asked, self._page_size)
        self.announced = max(self.announced, total if is_total else 0)
        if not self._page_size:
            self.params, self.read = None, len(rows)
            return rows
        self._requests += 1
        self._full = len(rows) >= asked
        self._size_is_ignored |= len(rows) > asked
        keys = [_key(row) for row in rows]
        page = Counter(keys)
        alike = {key for key, count in page.items() if count > 1}
        self._alike |= alike
        self._numbers_identify &= not any(map(_is_number, alike))
        missing, repeated, shared = self.announced - self.read, False, len(rows)
        if len(page) == 1 and alike and missing > 0:
            # All rows are alike: only the total says whether they come again, or are more of them.
            shared = max(0, len(rows) - missing)
            known = Counter(keys[:shared])
        elif repeated := self._is_repeated(keys, asked):
            known = Counter(self._first) | Counter(self._last)
        else:
            shared = self._shared(keys)
            known = Counter(self._last[max(0, len(self._last) - shared) :])
        new = []
        for place, (row, key) in enumerate(zip(rows, keys, strict=True)):
            is_old = place < shared + OVERLAP and known[key] > 0
            known[key] -= is_old
            if not (key in self._numbers if self._numbers_identify and _is_number(key) else is_old):
                new.append(row)
        self._numbers.update(filter(_is_number, keys))
        self.read += len(new)
        self.repeated_full_page = repeated and self._full and len(self._first) >= self._page_size
        self._first = self._first or keys
        if not repeated:
            self._last[max(0, len(self._last) - shared) :] = keys
            self._most = max(self._most, len(rows))
            self._end = (self._end if self._size_is_ignored else self._start) + len(rows)
        elif self._requests == 2:
            self._first_page = 1
        # A list that grows while it is read could show a last page with something new for ever.
        self._stale = self._stale + 1 if 2 * len(new) < len(rows) else 0
        more = (new and not repeated and self._stale < 3) or (repeated and self._requests == 2)
        self.params = self._next() if more else None
        return new

    def _is_repeated(self, keys: list[str], asked: int) -> bool:
        near = sum(key in self._first[max(0, place - SHIFT) : place + SHIFT] for place, key in enumerate(keys))
        most = max(len(keys), min(len(self._first), asked))
        return bool(self._first) and near >= SHARE_OF_REPEATED_PAGE * most > 0

    def _shared(self, keys: list[str]) -> int:
        """How many of the last rows read the page repeats at its start: the fewer changed, the more as asked."""
        asked = max(0, self._end - self._start)
        left = {key: count for count, key in enumerate(reversed(self._last), 1) if key not in self._alike}
        found = {left[key] + place for place, key in enumerate(keys[:OVERLAP]) if key in left}
        shares = {
            count: (Counter(keys[:count]) & Counter(self._last[-count:])).total() / count if count else 0
            for count in sorted({asked, *found}, key=lambda count: abs(count - asked))
            if abs(count - asked) <= SHIFT
        }
        best = max(shares, key=shares.__getitem__)
        return best if shares[best] else 0

    def _next(self) -> dict[str, int]:
        if self._requests == MOST_REQUESTS or self.read > MOST_ROWS:
            raise traced(
                f"tyntec gave {self.read:,} phone numbers on {self._requests:,} pages without an end. Report it to the "
                "maintainers of this connector."
            )
        del self._last[: -2 * self._most]
        alike = sum(1 for _ in takewhile(self._last[-1].__eq__, reversed(self._last)))
        back = 0 if self._size_is_ignored else min(OVERLAP, self._most // 10)
        back += alike if back and alike < self._most / 4 else 0
        for start in (self._end - back, self._end):
            # The most rows that a page can add which begins at `start` or a little earlier, and its size.
            overlaps = ((size, self._end - start + start % size) for size in range(1, self._most + 1))
            gain, size = max(((size - over, size) for size, over in overlaps if 2 * over <= size), default=(0, 1))
            if gain > self._most / 4:
                break
        page = start // size
        self._start = page * size
        return {"page": page + self._first_page, "size": size}


def _key(row: Row) -> str:
    """What identifies a row while other fields may change: its number, else its request, else all that it holds."""
    for name in ("phoneNumber", "requestId"):
        if row.get(name) not in (None, ""):
            return f"{name} {row[name]}"
    return json.dumps(row, sort_keys=True)


def _is_number(key: str) -> bool:
    return key.startswith("phoneNumber ")
