"""The rate limit of Kong, tyntec's gateway, whose windows follow the calendar in UTC."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from math import floor

from typing_extensions import Self

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
HEADERS = ("none", "retry-after", "kong-1", "kong-2")


@dataclass
class Limit:
    """At most `count` requests with a key in each second, minute, hour or day in UTC.

    Requests beyond the limit are refused and not counted.

    Attributes:
        headers: "none"; "retry-after" on a 429 only; "kong-1", `X-RateLimit-*` on every response;
            "kong-2", which adds `RateLimit-*`, and `Retry-After` on a 429.
        clock: the seconds since the epoch, which the header `Date` shows.
        refused: how many requests were refused.
    """

    count: int
    unit: str = "second"
    headers: str = "kong-1"
    clock: Callable[[], float] = time.time
    refused: int = field(default=0, init=False)
    _used: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Create a limit from COUNT/UNIT[:HEADERS], such as "300/minute" or "10/second:none".

        Raises:
            ValueError: if the text has another form.
        """
        found = re.fullmatch(rf"(\d+)/({'|'.join(UNITS)})(?::({'|'.join(HEADERS)}))?", text)
        if not found:
            known = f"UNIT is {', '.join(UNITS)}; HEADERS is {', '.join(HEADERS)}"
            raise ValueError(f"{text!r}: write COUNT/UNIT[:HEADERS]; {known}")
        return cls(int(found[1]), found[2], found[3] or cls.headers)

    def admit(self, key: str) -> tuple[bool, dict[str, str]]:
        """Count a request. Returns whether it is admitted, and the headers of its response."""
        now, seconds = self.clock(), UNITS[self.unit]
        window = floor(now / seconds)
        last, used = self._used.get(key, (window, 0))
        used = used if last == window else 0
        admitted = used < self.count
        self._used[key] = window, used + admitted
        self.refused += not admitted
        limit, remaining = str(self.count), str(max(0, self.count - used - 1))
        reset, unit = str(max(1, seconds - floor(now % seconds))), self.unit.capitalize()
        headers = {"Date": formatdate(now, usegmt=True)}
        if self.headers.startswith("kong"):
            headers |= {
                f"X-RateLimit-Limit-{unit}": limit,
                f"X-RateLimit-Remaining-{unit}": remaining,
            }
        if self.headers == "kong-2":
            headers |= {"RateLimit-Limit": limit, "RateLimit-Remaining": remaining}
            headers["RateLimit-Reset"] = reset
        if self.headers in ("retry-after", "kong-2") and not admitted:
            headers["Retry-After"] = reset
        return admitted, headers
