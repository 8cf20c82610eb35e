"""Which page of phone numbers comes next, and which of its rows are new."""

import json
from collections import Counter
from itertools import takewhile
from typing import Any

from source_tyntec_sms.errors import ANSWERS
from source_tyntec_sms.records import Row, to_integer

MOST_REQUESTS = 10_000
MOST_ROWS = 2_000_000
# How many rows a page shares with the one before it, so that none is lost when a few are deleted in between.
OVERLAP = 10
# How far rows may move between two requests, as others are added or deleted before them.
SHIFT = 100
# A page counts as the first one repeated if at least this share of its rows match, none moved further than SHIFT.
SHARE_OF_REPEATED_PAGE = 0.75


class Pages:
    """The pages of one list, whose rows may change while it is read.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    second page 1, and the answers tell the rest: where page 1 repeats the first answer, pages count from 1 or `page` is
    ignored, and page 2 tells which. A page with fewer rows than requested need not be the last: tyntec may give fewer.
    So pages are requested until two in a row bring hardly any new row, each starting a few rows before the last's end.

    A phone number identifies its row, unless a page has one twice. Other rows are new, but for those at the start of a
    page that were at the end of the last one, told by request id or, without one, by all that they hold.

    page_size: how many rows a request asks for. If None, the list has no pages: it comes in one answer, all rows new.
    params: the query parameters of the next request, None after the last.
    read: how many rows were new. announced: the most rows that an answer said the list has.
    repeated_full_page: whether the last page was the first one, given again, and that was full.
    """

    def __init__(self, page_size: int | None) -> None:
        self._page_size = page_size or 0
        self._requests = self._first_page = self._rows_per_page = 0
        self._end = self._overlap = 0  # where the last page ended, and how many rows before that are asked for again
        self._full = self._poor = self._size_is_ignored = self.repeated_full_page = False
        self._keys: list[str] = []  # of the rows read, in the order read
        self._numbers: set[str] = set()
        self.params: dict[str, int] | None = {"size": page_size} if page_size else {}
        self.read = self.announced = 0

    def may_end_with(self, status_code: int) -> bool:
        """Whether an answer without rows may end the list: after a page that was not full; at the start, only a 204."""
        return not self._full if self._requests else status_code == 204

    def new_rows(self, rows: list[Row], size: Any) -> list[Row]:
        """The rows of the requested page that no earlier page held. `size` is what the answer says under that name.

        A list without an end is a system_error.
        """
        asked, total = (self.params or {}).get("size", 0), to_integer(size)
        # Otherwise it counts the rows of the page, or repeats what was asked for.
        if type(total) is int and total not in (len(rows), asked, self._page_size):
            self.announced = max(self.announced, total)
        if not self._page_size:
            self.params, self.read = None, len(rows)
            return rows
        self._requests += 1
        self._rows_per_page = self._rows_per_page or len(rows)
        self._full = len(rows) >= asked
        if len(rows) > asked:
            self._size_is_ignored, self._overlap = True, 0
        keys = [_key(row) for row in rows]
        repeated = self._is_repeated(keys, asked)
        new = self._new_places(self._keys[: self._rows_per_page] if repeated else self._shared(keys), keys)
        self.read += len(new)
        self.repeated_full_page = repeated and self._rows_per_page >= self._page_size
        if repeated:
            self._first_page = 1
            ended = self._requests > 2
        else:
            self._end += len(rows) - self._overlap
            self._keys += [keys[place] for place in new]
            # Hardly any, because a list that grows could show a last page with one new row for ever.
            poor = 4 * len(new) <= len(rows)
            ended = not rows or (poor and (self._poor or len(set(keys)) == 1))
            self._poor = poor
        following = None if ended else self._next()
        self.params = following if following != self.params else None  # the same request would go on for ever
        return [rows[place] for place in new]

    def _is_repeated(self, keys: list[str], asked: int) -> bool:
        """Whether the page is the first one, given again."""
        first = self._keys[: self._rows_per_page]
        near = Counter(key for place, key in enumerate(keys) if key in first[max(0, place - SHIFT) : place + SHIFT])
        enough = SHARE_OF_REPEATED_PAGE * max(len(keys), min(len(first), asked))
        return (near & Counter(first)).total() >= enough > 0 and not self._missing_alike(keys)

    def _missing_alike(self, keys: list[str]) -> int:
        """How many announced rows are missing, if those of the page are alike: only that tells if they come again."""
        return max(0, self.announced - self.read) if len(set(keys)) == 1 < len(keys) else 0

    def _shared(self, keys: list[str]) -> list[str]:
        """The last rows read, from where the page begins: as far back as asked for, unless rows have moved."""
        if missing := self._missing_alike(keys):
            return keys[: max(self._overlap, len(keys) - missing)]
        near = self._keys[-self._overlap - SHIFT :]
        asked, count = len(near) - self._overlap, Counter(near)
        if 2 * sum(earlier == key for earlier, key in zip(near[asked:], keys, strict=False)) > self._overlap:
            return near[asked:]
        if keys == self._keys[-len(keys) :] and len(set(keys)) > 1:
            return keys  # the last page again
        begins = [near.index(key) - place for place, key in enumerate(keys[: 2 * OVERLAP]) if count[key] == 1]
        return near[max(0, min(begins, key=lambda begin: abs(begin - asked), default=asked)) :]

    def _new_places(self, earlier: list[str], keys: list[str]) -> list[int]:
        """The places of a page's rows that are neither `earlier` ones at its start, nor of a number already read."""
        numbers = {key for key, count in Counter(keys).items() if count == 1 and key.startswith("phoneNumber ")}
        left, new = Counter(earlier), list[int]()
        for place, key in enumerate(keys):
            is_shared = place < len(earlier) + OVERLAP and left[key] > 0
            left[key] -= 1
            if not (is_shared or (key in numbers and key in self._numbers)):
                new.append(place)
        self._numbers |= numbers
        return new

    def _next(self) -> dict[str, int]:
        """The page that begins a few rows before the end of the last, in the size that adds the most rows."""
        if self._requests == MOST_REQUESTS or self.read > MOST_ROWS:
            raise ANSWERS["problems"]["endless list"].error(rows=self.read, pages=self._requests)
        alike = sum(1 for _ in takewhile(self._keys[-1].__eq__, reversed(self._keys)))
        back = 0 if self._size_is_ignored else min(OVERLAP + alike, self._rows_per_page // 50 * 10)
        start = self._end - back
        size = max(range(1, self._rows_per_page + 1), key=lambda size: size - start % size)
        self._overlap = back + start % size
        return {"page": start // size + self._first_page, "size": size}


def _key(row: Row) -> str:
    """What identifies a row while other fields may change: its number, else its request, else all that it holds."""
    for name in ("phoneNumber", "requestId"):
        if row.get(name) not in (None, ""):
            return f"{name} {row[name]}"
    return json.dumps(row, sort_keys=True)
