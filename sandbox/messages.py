"""Generated message statuses of the last 30 days, with the variety of a real business.

Phone numbers are reserved for fiction, or are examples of tyntec's documentation.
"""

import time
from datetime import datetime, timedelta, timezone
from random import Random
from typing import NamedTuple
from uuid import UUID

from sandbox.data import STATUS_PATH, Row

_DAYS = 30
_BAD_DAY = 9  # days ago, when one network refuses many messages
_WEEKDAYS = (1.0, 1.05, 1.05, 1.0, 1.1, 0.5, 0.35)  # the share of messages from Monday on


class _Network(NamedTuple):
    mccmnc: str
    ttid: int
    number: str  # with a # for each random digit
    share: int
    price: float  # of one part in euros
    delivered: float
    seconds: float  # the median time to deliver


_NETWORKS = (
    _Network("26201", 77292, "+4912345####", 30, 0.069, 0.965, 3),
    _Network("26202", 77293, "+4912346####", 22, 0.069, 0.955, 3.5),
    _Network("26203", 77297, "+4912347####", 18, 0.065, 0.94, 5),
    _Network("20801", 71081, "+3363998####", 9, 0.048, 0.95, 4),
    _Network("23415", 72341, "+447700900###", 8, 0.035, 0.96, 2.5),
    _Network("23410", 72340, "+447700900###", 5, 0.035, 0.95, 2.5),
    _Network("24001", 72401, "+467017406##", 5, 0.052, 0.955, 4),
    _Network("310260", 73126, "+120255501##", 3, 0.0075, 0.9, 8),
)
_BAD_NETWORK = _NETWORKS[2]
_UNDELIVERABLE = {  # reason: GSM error code and share
    "Absent subscriber": ("0006", 34),
    "Unknown subscriber": ("0001", 26),
    "Teleservice not provisioned": ("000b", 9),
    "Call barred": ("000d", 8),
    "Illegal subscriber": ("0009", 6),
}


class _Message(NamedTuple):
    """What is stored of a message. The rest is drawn from its number on each request."""

    number: int
    request_id: str
    network: _Network
    recipient: str
    pending: bool
    sent: datetime


class Messages:
    """The statuses of a number of messages, the same ones on each start within a day.

    Attributes:
        settle_seconds: the pending messages become final one by one within that time.
        ids: the request ids.
    """

    def __init__(self, count: int, now: datetime | None = None, settle_seconds: float = 60) -> None:
        self._start, self._started = now or datetime.now(timezone.utc), time.monotonic()
        self._settle_seconds = settle_seconds
        messages = [_message(number, self._start) for number in range(count)]
        self._messages = {message.request_id: message for message in messages}
        self.ids = list(self._messages)

    def sent(self) -> list[tuple[str, datetime, str]]:
        """The request id, the time and the recipient of each message, as its sender keeps them."""
        return [(each.request_id, each.sent, each.recipient) for each in self._messages.values()]

    def status(self, request_id: str) -> Row | None:
        """The status of a message at this moment, None for an unknown id."""
        if not (message := self._messages.get(request_id)):
            return None
        random, network = Random(f"status {message.number}"), message.network
        status, done, error = self._outcome(random, message)
        submitted = message.sent + timedelta(milliseconds=random.randrange(150, 900))
        is_final = status not in {"ACCEPTED", "BUFFERED", "REJECTED"}
        done_date: Row = {"doneDate": _date_time(max(done, submitted))} if is_final else {}
        size = random.choices((1, 2, 3), (6, 2, 2))[0]
        price = network.price if status != "REJECTED" else 0
        return {
            "requestId": request_id,
            "status": status,
            "from": random.choice(("Example", "Example", "+49123456780")),
            "to": message.recipient,
            "submitDate": _date_time(submitted, hours=2 if random.random() < 0.1 else 0),
            **done_date,
            **error,
            "href": f"https://api.tyntec.com{STATUS_PATH}{request_id}",
            "mccmnc": network.mccmnc,
            "ttid": network.ttid,
            "overallPrice": f"{size * price:.4f}",
            "priceEffective": "2018-06-01T00:00:00+0200",
            "reference": f"order {message.number}",
            "size": size,
            "parts": [
                {
                    "partId": f"{request_id}-{part}",
                    "deliveryState": status,
                    **done_date,
                    **{name: code for name, code in error.items() if name == "errorCode"},
                    "price": f"{price:.4f}",
                    "currency": "EUR",
                    "priceEffective": "2018-06-01T00:00:00+0200",
                    "statusText": f"Your order {message.number} has "[:20],
                }
                for part in range(1, size + 1)
            ],
        }

    def _outcome(self, random: Random, message: _Message) -> tuple[str, datetime, Row]:
        """The delivery state, when it was reached, and the error."""
        network, sent = message.network, message.sent
        settled = self._settle_seconds * random.random()
        if message.pending and time.monotonic() - self._started < settled:
            recent = self._start - sent < timedelta(minutes=5)
            return "ACCEPTED" if recent else "BUFFERED", sent, {}
        seconds, error = network.seconds * random.lognormvariate(0, 0.7), {}
        bad_day = (self._start - timedelta(days=_BAD_DAY)).date()
        is_bad = network is _BAD_NETWORK and sent.date() == bad_day
        status = "DELIVERED"
        if random.random() > (0.6 if is_bad else network.delivered):
            failures = ("UNDELIVERABLE", "EXPIRED", "REJECTED")
            status = random.choices(failures, (60, 27, 13))[0]
        if status == "REJECTED":
            error = {"errorReason": "Destination not allowed"}
        elif status == "EXPIRED":
            seconds, error = 48 * 3600, {"errorCode": "0006", "errorReason": "Absent subscriber"}
        elif status == "UNDELIVERABLE":
            shares = [share for _, share in _UNDELIVERABLE.values()]
            reason = random.choices(list(_UNDELIVERABLE), shares)[0]
            error = {"errorCode": _UNDELIVERABLE[reason][0], "errorReason": reason}
        if message.pending:
            return status, self._start + timedelta(seconds=settled), error
        return status, min(sent + timedelta(seconds=seconds), self._start), error


def _message(number: int, now: datetime) -> _Message:
    random = Random(f"message {number}")
    request_id = str(UUID(int=random.getrandbits(128), version=4))
    if random.random() < 0.02:
        request_id = f"12-{request_id}"
    network = random.choices(_NETWORKS, [network.share for network in _NETWORKS])[0]
    digits = [str(random.randrange(10)) if digit == "#" else digit for digit in network.number]
    pending = random.random() < 0.03
    if pending:
        sent = now - timedelta(minutes=random.choice((5, 60, 600, 2800)) * random.random())
    else:  # on one of the last days, whatever the hour of `now`
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        days = [midnight - timedelta(days=ago) for ago in range(1, _DAYS + 1)]
        day = random.choices(days, [_WEEKDAYS[day.weekday()] for day in days])[0]
        sent = day + timedelta(seconds=random.uniform(0, 86400))
    return _Message(number, request_id, network, "".join(digits), pending, sent)


def _date_time(moment: datetime, hours: int = 0) -> str:
    """One of the two documented forms: 2020-05-11T11:46:41+00:00 or 2018-06-01T00:00:00+0200."""
    text = moment.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")
    return f"{text[:-6]}+{hours:02d}00" if hours else text
