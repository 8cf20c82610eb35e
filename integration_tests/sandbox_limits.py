"""A rate limit as Kong sets it, tyntec's gateway: so many requests in a fixed window of time, for each key."""

import re
import time
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple

from typing_extensions import Self

UNITS = {"second": 1, "minute": 60, "hour": 3600}


class Drop(NamedTuple):
    """A limit that is lower for a while: only `to` requests for the last `seconds` of every `every` seconds."""

    to: int
    seconds: int
    every: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A drop written as TO:SECONDS:EVERY, such as "5:20:30".

        Raises:
            ValueError: if it is written in another way.
        """
        found = re.fullmatch(r"(\d+):(\d+):(\d+)", text)
        if not found or not 0 < int(found[2]) < int(found[3]):
            raise ValueError(f"{text!r} is no drop: write TO:SECONDS:EVERY, such as 5:20:30")
        return cls(*map(int, found.groups()))


@dataclass
class Limit:
    """At most `count` requests in a window of `seconds`; more are refused until the window ends, and not counted.

    Windows are aligned to the clock: the first request can come at the end of one.

    retry_after: whether a 429 says how long to wait, in whole seconds until the window ends, at least 1.
    headers: whether every answer says what remains (`RateLimit-*` and `X-RateLimit-*`).
    drop: when fewer requests are let through. Time counts from the first request.
    refused: how many requests were refused.
    """

    count: int
    seconds: int = 1
    retry_after: bool = True
    headers: bool = False
    drop: Drop | None = None
    refused: int = field(default=0, init=False)
    _first: float | None = field(default=None, init=False, repr=False)
    _used: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A limit written as COUNT/UNIT, such as "300/minute".

        Raises:
            ValueError: if it is written in another way.
        """
        found = re.fullmatch(rf"(\d+)/({'|'.join(UNITS)})", text)
        if not found:
            raise ValueError(
                f"{text!r} is no limit: write COUNT/UNIT, such as 300/minute; units are {', '.join(UNITS)}"
            )
        return cls(int(found[1]), UNITS[found[2]])

    def after(self, elapsed: float) -> int:
        """How many requests a window lets through, `elapsed` seconds after the first request."""
        if self.drop and elapsed % self.drop.every >= self.drop.every - self.drop.seconds:
            return self.drop.to
        return self.count

    def admit(self, key: str, now: float | None = None) -> tuple[bool, dict[str, str]]:
        """Whether a request with `key` is let through at `now` (seconds since the epoch), and the headers to answer."""
        now = time.time() if now is None else now
        self._first = now if self._first is None else self._first
        count, window = self.after(now - self._first), floor(now / self.seconds)
        last, used = self._used.get(key, (window, 0))
        used = used if last == window else 0
        admitted = used < count
        self._used[key] = window, used + admitted
        self.refused += not admitted
        remaining = max(0, count - used - 1)
        reset = str(max(1, self.seconds - floor(now % self.seconds)))
        headers = {}
        if self.headers:
            unit = next((unit for unit, seconds in UNITS.items() if self.seconds <= seconds), "hour").capitalize()
            headers = {
                "RateLimit-Limit": str(count),
                "RateLimit-Remaining": str(remaining),
                "RateLimit-Reset": reset,
                f"X-RateLimit-Limit-{unit}": str(count),
                f"X-RateLimit-Remaining-{unit}": str(remaining),
            }
        if self.retry_after and not admitted:
            headers["Retry-After"] = reset
        return admitted, headers
