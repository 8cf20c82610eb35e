"""Generated message statuses of the last 30 days, with the variety of a real business.

Phone numbers are reserved for fiction, or are examples of tyntec's documentation.
"""

import time
from datetime import datetime, timedelta, timezone
from random import Random
from typing import NamedTuple
from uuid import UUID

from sandbox.data import STATUS_PATH, Row

_WEEKDAYS = (1.0, 1.05, 1.05, 1.0, 1.1, 0.5, 0.35)  # the share of messages from Monday on
_NETWORKS = {  # mccmnc: start of the phone numbers, price of a part in euros, delivery rate, share
    "26201": ("+491234567", 0.069, 0.965, 30),
    "26202": ("+491234568", 0.069, 0.955, 22),
    "26203": ("+491234569", 0.065, 0.94, 18),
    "20801": ("+336399801", 0.048, 0.95, 9),
    "23415": ("+4477009001", 0.035, 0.96, 13),
    "24001": ("+467017406", 0.052, 0.955, 5),
    "310260": ("+120255501", 0.0075, 0.9, 3),
}
_FAILURES = {  # status, GSM error code and reason: share
    ("UNDELIVERABLE", "0006", "Absent subscriber"): 25,
    ("UNDELIVERABLE", "0001", "Unknown subscriber"): 20,
    ("UNDELIVERABLE", "000b", "Teleservice not provisioned"): 8,
    ("UNDELIVERABLE", "000d", "Call barred"): 7,
    ("EXPIRED", "0006", "Absent subscriber"): 27,
    ("REJECTED", None, "Destination not allowed"): 13,
}
_BAD_NETWORK, _BAD_DAY = "26203", timedelta(days=9)  # the day when it refuses many messages


class _Message(NamedTuple):
    sent: datetime
    settled: float
    status: Row


class Messages:
    """The statuses of a number of messages, the same ones on each start within a day.

    Attributes:
        settle_seconds: the pending messages become final one by one within that time.
        ids: the request ids.
    """

    def __init__(self, count: int, now: datetime | None = None, settle_seconds: float = 60) -> None:
        self._started, now = time.monotonic(), now or datetime.now(timezone.utc)
        messages = [_message(number, now, settle_seconds) for number in range(count)]
        self._messages = {message.status["requestId"]: message for message in messages}
        self.ids = list(self._messages)

    def sent(self) -> list[tuple[str, datetime, str]]:
        """The request id, the time and the recipient of each message, as its sender keeps them."""
        return [(key, each.sent, each.status["to"]) for key, each in self._messages.items()]

    def status(self, request_id: str) -> Row | None:
        """The status of a message at this moment, None for an unknown id."""
        if not (message := self._messages.get(request_id)):
            return None
        if time.monotonic() - self._started < message.settled:
            final = {"doneDate", "errorCode", "errorReason", "parts"}
            pending = {name: value for name, value in message.status.items() if name not in final}
            return pending | {"status": "BUFFERED"}
        return message.status


def _message(number: int, now: datetime, settle_seconds: float) -> _Message:
    random, midnight = Random(number), now.replace(hour=0, minute=0, second=0, microsecond=0)
    request_id = str(UUID(int=random.getrandbits(128), version=4))
    shares = [share for *_, share in _NETWORKS.values()]
    mccmnc = random.choices(list(_NETWORKS), shares)[0]
    prefix, price, delivery_rate, _ = _NETWORKS[mccmnc]
    days = [midnight - timedelta(days=ago) for ago in range(1, 31)]
    sent = random.choices(days, [_WEEKDAYS[day.weekday()] for day in days])[0]
    sent += timedelta(seconds=random.uniform(0, 86399))
    done, settled = sent + timedelta(seconds=random.lognormvariate(1.3, 0.9)), 0.0
    if random.random() < 0.03:  # pending
        sent, settled = (
            now - timedelta(hours=random.uniform(0, 47)),
            settle_seconds * random.random(),
        )
        done = now + timedelta(seconds=settled)
    if mccmnc == _BAD_NETWORK and sent.date() == (now - _BAD_DAY).date():
        delivery_rate = 0.6
    status, code, reason = "DELIVERED", None, None
    if random.random() > delivery_rate:
        status, code, reason = random.choices(list(_FAILURES), list(_FAILURES.values()))[0]
    part = {
        "deliveryState": status,
        "doneDate": _date_time(done),
        "errorCode": code,
        "price": f"{price:.4f}",
        "currency": "EUR",
        "priceEffective": "2018-06-01T00:00:00+0200",
        "statusText": f"Your order {number} has "[:20],
    }
    size = random.choices((1, 2, 3), (6, 2, 2))[0]
    fields = {
        "requestId": request_id,
        "status": status,
        "from": "Example",
        "to": f"{prefix}{random.randrange(10, 100)}",
        "submitDate": _date_time(sent, hours=random.choice((0, 0, 2))),
        "doneDate": part["doneDate"],
        "errorCode": code,
        "errorReason": reason,
        "href": f"https://api.tyntec.com{STATUS_PATH}{request_id}",
        "mccmnc": mccmnc,
        "ttid": 77292,
        "overallPrice": f"{size * price:.4f}",
        "priceEffective": part["priceEffective"],
        "reference": f"order {number}",
        "size": size,
        "parts": [{"partId": f"{request_id}-{index}", **part} for index in range(1, size + 1)],
    }
    return _Message(sent, settled, {name: value for name, value in fields.items() if value})


def _date_time(moment: datetime, hours: int = 0) -> str:
    """One of the two documented forms: 2020-05-11T11:46:41+00:00 or 2018-06-01T00:00:00+0200."""
    text = moment.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")
    return f"{text[:-6]}+{hours:02d}00" if hours else text
