"""Which page of phone numbers comes next, and which of its rows are new."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from airbyte_cdk.models import FailureType

from source_tyntec_sms.errors import traced
from source_tyntec_sms.records import Row, to_integer

MOST_PAGES = 10_000
# How many rows a page shares with the full page before it, so that none is lost when a few are deleted in between.
OVERLAP = 10
# A page is taken for an earlier one, given again, if they share as many of their rows.
SHARE_OF_REPEATED_PAGE = 0.75


class Pages:
    """The pages of one list, whose rows may change while it is read.

    tyntec documents the parameters `page` and `size`, but not whether the first page is 0 or 1, whether `page` is
    honoured, or whether the answer's `size` counts the page or the whole list. So the first request names no page, the
    second page 1, and the answers tell the rest: where page 1 repeats the first answer, pages count from 1 or `page` is
    ignored, and page 2 tells which. A page with fewer rows than were asked for need not be the last: tyntec may give
    less. After a full page the next is asked for with a slightly smaller `size`, so that it starts a few rows earlier.

    A phone number identifies its row. Rows without one are told apart by the request that registered them and by their
    place: within a page all of them count.

    params: the query parameters of the next request, None after the last.
    read: how many rows were new. announced: the most rows that an answer said the list has.
    repeated_full_page: whether the last page was full, and one that came before.
    """

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._page = self._first_page = 0
        self._end = 0  # the offset after the last row of the last page
        self._full = False
        self._first_keys: Counter[str] = Counter()
        self._last_keys: list[str] = []
        self._seen_pages: set[int] = set()
        self._seen_keys: Counter[str] = Counter()
        self._seen_rows: set[int] = set()
        self.params: dict[str, int] | None = {"size": page_size}
        self.read = self.announced = 0
        self.repeated_full_page = False

    @property
    def may_be_whole(self) -> bool:
        """Whether all rows may have been read, so that the next page need not exist."""
        return self._page > 0 and not self._full

    def new_rows(self, rows: Sequence[Row], size: Any) -> list[Row]:
        """The rows of the requested page that no earlier page held. `size` is what the answer says under that name.

        Raises:
            AirbyteTracedException: system_error if page after page brings new rows and there is no end.
        """
        asked = (self.params or {})["size"]
        total = to_integer(size)
        if isinstance(total, int) and total not in (len(rows), asked):  # then it does not count the page
            self.announced = max(self.announced, total)
        keys = [_key(row) for row in rows]
        start = (self._page - self._first_page) * asked
        repeated = self._is_repeated(rows, keys)
        places = self._surplus(rows, keys) if repeated else self._unseen(keys, expected_overlap=self._end - start)
        new = [rows[place] for place in places]
        self.read += len(new)
        self._seen_keys.update(map(_key, new))
        self._seen_rows.update(hash(_whole(row)) for row in new)
        self._full = len(rows) >= asked
        self.repeated_full_page = repeated and self._full
        if not repeated:
            self._last_keys, self._end = keys, start + len(rows)
        if repeated and self._page == 1:
            self._first_page = 1
        elif not new or repeated:
            rows = []
        self._page += 1
        if self._page == MOST_PAGES:
            raise traced(
                f"tyntec gave {MOST_PAGES:,} pages of phone numbers without an end. Report it to the maintainers of "
                "this connector.",
                FailureType.system_error,
            )
        size = (self._end - OVERLAP) // (self._page - self._first_page) if self._full else self._page_size
        more = rows and self.read != self.announced
        self.params = {"page": self._page, "size": max(1, min(size, self._page_size))} if more else None
        return new

    def _is_repeated(self, rows: Sequence[Row], keys: list[str]) -> bool:
        fingerprint, page = hash(tuple(sorted(keys))), Counter(keys)
        equal = fingerprint in self._seen_pages
        self._seen_pages.add(fingerprint)
        self._first_keys = self._first_keys or page
        if not (rows and self._page):
            return False
        if self.announced > self.read and len(set(map(_whole, rows))) == 1:
            return False  # numbers of one registration, alike in every field: only the total says that there are more
        return equal or any(
            (page & earlier).total() >= SHARE_OF_REPEATED_PAGE * max(len(keys), earlier.total())
            for earlier in (self._first_keys, Counter(self._last_keys))
        )

    def _surplus(self, rows: Sequence[Row], keys: list[str]) -> Iterator[int]:
        """The places of the rows that a repeated page has more of than before, rows with a new field first."""
        surplus = Counter(keys) - self._seen_keys
        places = [place for place, key in enumerate(keys) if key in surplus]
        for place in sorted(places, key=lambda place: hash(_whole(rows[place])) in self._seen_rows):
            key = keys[place]
            if surplus[key] > 0:
                surplus[key] -= surplus[key] if _is_unique(key) else 1
                yield place

    def _unseen(self, keys: list[str], expected_overlap: int) -> Iterator[int]:
        """The places of the rows that are not the end of the page before, and have no number that came before."""
        overlap = self._overlap(keys, expected_overlap)
        numbers = set()
        for place, key in enumerate(keys):
            if _is_unique(key):
                if key not in self._seen_keys and key not in numbers:
                    yield place
                numbers.add(key)
            elif place not in overlap:
                yield place

    def _overlap(self, keys: list[str], expected: int) -> set[int]:
        """The places at the head of a page whose rows are the tail of the page before.

        Rows of one registration look alike and can straddle two pages. So a run of nothing but such rows is taken for
        an overlap only where it is as long as expected.
        """
        unlike = len(set(self._last_keys)) == len(self._last_keys)
        lengths = [
            length
            for length in _borders(keys, self._last_keys)
            if length == expected or unlike or len(set(keys[:length])) > 1
        ]
        if lengths or expected <= 0:
            best = min(lengths, key=lambda length: abs(length - expected) if expected > 0 else -length, default=0)
            return set(range(best))
        # A row of the overlap was deleted or added since: what is left of it counts, if it is most of it.
        tail = Counter(self._last_keys[-expected:])
        found = {place for place, key in enumerate(keys[:expected]) if (tail.subtract([key]) or tail[key] >= 0)}
        return found if 2 * len(found) >= expected else set()


def _borders(page: list[str], previous: list[str]) -> list[int]:
    """The lengths of all heads of `page` that are tails of `previous`, in linear time (Knuth, Morris and Pratt)."""
    sequence: list[str | None] = [*page, None, *previous]
    border = [0] * len(sequence)
    for index in range(1, len(sequence)):
        length = border[index - 1]
        while length and sequence[index] != sequence[length]:
            length = border[length - 1]
        border[index] = length + (sequence[index] == sequence[length])
    lengths = [border[-1]]
    while lengths[-1]:
        lengths.append(border[lengths[-1] - 1])
    return lengths[:-1]


def _whole(row: Row) -> str:
    return json.dumps(row, sort_keys=True)


def _key(row: Row) -> str:
    """What identifies a row while other fields may change: its number, else its request, else all that it holds."""
    for name in ("phoneNumber", "requestId"):
        if row.get(name) not in (None, ""):
            return f"{name} {row[name]}"
    return _whole(row)


def _is_unique(key: str) -> bool:
    return key.startswith("phoneNumber ")
