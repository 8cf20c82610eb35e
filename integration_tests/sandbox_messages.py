"""Any number of believable message statuses for the sandbox, sent over the last 30 days.

Everything is invented but the shape, which follows tyntec's public documents. Phone numbers come from ranges that are
reserved for fiction, or from tyntec's own examples.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from uuid import UUID

from integration_tests.sandbox_data import Row

_DAYS = 30
_PENDING_SHARE = 0.03
_RETRY_SHARE = 0.02
_BAD_DAY = 9  # days ago: one network refuses many messages, so that there is something to see

# Messages by weekday, from Monday on, and by hour in UTC.
_WEEKDAYS = (1.0, 1.05, 1.05, 1.0, 1.1, 0.5, 0.35)
_HOURS = (1, 1, 1, 1, 1, 3, 8, 16, 24, 26, 24, 20, 16, 18, 20, 22, 24, 22, 18, 12, 8, 5, 3, 2)


@dataclass(frozen=True)
class _Network:
    mccmnc: str
    ttid: int
    number: str  # a phone number, with a # for each digit to draw
    messages: int  # its share
    price: str  # of one part, in euros
    delivered: float
    seconds: float  # the median time to deliver


_NETWORKS = (
    _Network("26201", 77292, "+4912345####", 30, "0.0690", 0.965, 3),
    _Network("26202", 77293, "+4912346####", 22, "0.0690", 0.955, 3.5),
    _Network("26203", 77297, "+4912347####", 18, "0.0650", 0.94, 5),
    _Network("20801", 71081, "+3363998####", 9, "0.0480", 0.95, 4),
    _Network("23415", 72341, "+447700900###", 8, "0.0350", 0.96, 2.5),
    _Network("23410", 72340, "+447700900###", 5, "0.0350", 0.95, 2.5),
    _Network("24001", 72401, "+467017406##", 5, "0.0520", 0.955, 4),
    _Network("310260", 73126, "+120255501##", 3, "0.0075", 0.9, 8),
)
_BAD_NETWORK = _NETWORKS[2]

_UNDELIVERABLE = {  # reason: (GSM error code in hexadecimal, share)
    "Absent subscriber": ("1B", 34),
    "Unknown subscriber": ("1", 26),
    "Memory capacity exceeded": ("20", 12),
    "Teleservice not provisioned": ("B", 9),
    "Call barred": ("D", 8),
    "Illegal subscriber": ("9", 6),
    "System failure": ("22", 5),
}
_TEXTS = (
    ("Your order {} has been shipped and arrives tomorrow.", 1),
    ("{} is your verification code. Do not share it.", 1),
    ("Reminder: your appointment is tomorrow at 10:30.", 1),
    (
        "Your parcel {} is waiting for you. Opening hours: Monday to Saturday, 8 a.m. to 8 p.m. " + "Bring an ID. " * 7,
        2,
    ),
    ("Dear customer, here is the summary of your booking {}. " + "See you soon! " * 20, 3),
)


class Messages:
    """The statuses of `count` messages, the same at any time of a day, except that pending ones were sent recently.

    now: when this object starts to answer, with a time zone; by default the current time. Its clock runs from there.
    settle_seconds: within that time, the messages that are pending at the start become final, one after the other.
    ids: the request ids.
    """

    def __init__(self, count: int, now: datetime | None = None, settle_seconds: float = 60) -> None:
        self._start = now or datetime.now(timezone.utc)
        self._started = time.monotonic()
        self._settle_seconds = settle_seconds
        self._messages = {}
        for number in range(count):
            message = _Message(number, self._start)
            self._messages[message.request_id] = message
        self.ids: list[str] = list(self._messages)

    def sent(self) -> list[tuple[str, datetime, str]]:
        """Request id, time of sending and recipient of each message, as the sending application would note them."""
        return [(message.request_id, message.sent, message.recipient) for message in self._messages.values()]

    def status(self, request_id: str) -> Row | None:
        """What tyntec answers for a request id at this moment; None if it does not know it."""
        if request_id not in self._messages:
            return None
        elapsed = time.monotonic() - self._started
        return self._messages[request_id].row(self._start, elapsed, self._settle_seconds)


class _Message:
    """One message. It keeps little: the rest of it is drawn from its number again each time its status is asked for."""

    __slots__ = ("number", "pending", "recipient", "request_id", "sent")

    def __init__(self, number: int, now: datetime) -> None:
        random = Random(f"message {number}")
        self.number = number
        request_id = UUID(int=random.getrandbits(128), version=4)
        self.request_id = f"12-{request_id}" if random.random() < 0.02 else str(request_id)
        network = self._network(random)
        self.recipient = "".join(str(random.randrange(10)) if digit == "#" else digit for digit in network.number)
        self.pending = random.random() < _PENDING_SHARE
        self.sent = _recently(random, now) if self.pending else _some_time(random, now)

    def _network(self, random: Random) -> _Network:
        return random.choices(_NETWORKS, [network.messages for network in _NETWORKS])[0]

    def row(self, start: datetime, elapsed: float, settle_seconds: float) -> Row:
        """The status, `elapsed` seconds after the start."""
        random = Random(f"status {self.number}")
        again = Random(f"message {self.number}")
        again.getrandbits(128), again.random()
        network = self._network(again)

        bad = network is _BAD_NETWORK and self.sent.date() == (start - timedelta(days=_BAD_DAY)).date()
        status = _final(random, 0.6 if bad else network.delivered)
        done = self.sent + timedelta(seconds=_seconds_to(random, status, network))
        settles = settle_seconds * random.random()
        if self.pending:
            done = start + timedelta(seconds=settles)
            if elapsed < settles:
                status = "ACCEPTED" if start - self.sent < timedelta(minutes=5) else "BUFFERED"
        else:
            done = min(done, start)
        final = status not in {"ACCEPTED", "BUFFERED"}

        text, size = random.choice(_TEXTS)
        text = text.format(random.randrange(100_000, 1_000_000))
        submitted = self.sent + timedelta(milliseconds=random.randrange(150, 900))
        error = _error(random, status)
        done_date: Row = {"doneDate": _date_time(max(done, submitted))} if final and status != "REJECTED" else {}
        price_effective = "2018-06-01T00:00:00+0200"
        # A rejected message costs nothing.
        price = float(network.price) if status != "REJECTED" else 0.0
        return {
            "requestId": self.request_id,
            "status": status,
            "from": random.choice(("Example", "Example", "+49123456780")),
            "to": self.recipient,
            # The documents show both forms.
            "submitDate": _date_time(submitted, hours=2 if random.random() < 0.1 else 0),
            **done_date,
            **error,
            "href": f"https://api.tyntec.com/messaging/v1/messages/{self.request_id}",
            "mccmnc": network.mccmnc,
            "ttid": network.ttid,
            "overallPrice": f"{size * price:.4f}",
            "priceEffective": price_effective,
            "reference": f"campaign {self.sent:%Y-%m}" if size > 1 else f"order {self.number + 4711}",
            "size": size,
            "parts": [
                {
                    "partId": f"{self.request_id}-{part}",
                    "deliveryState": status,
                    **done_date,
                    **({"errorCode": error["errorCode"]} if "errorCode" in error else {}),
                    "price": f"{price:.4f}",
                    "currency": "EUR",
                    "priceEffective": price_effective,
                    "statusText": text[:20],
                }
                for part in range(1, size + 1)
            ],
        }


def _recently(random: Random, now: datetime) -> datetime:
    """When a message was sent that is still pending: minutes, or up to two days ago."""
    if random.random() < 0.4:
        return now - timedelta(seconds=random.uniform(1, 290))
    return now - timedelta(hours=min(random.expovariate(1 / 6) + 0.1, 47))


def _some_time(random: Random, now: datetime) -> datetime:
    """A time within the last 30 days, in the rhythm of an office; of a past day whatever the time of `now`."""
    days = [now - timedelta(days=ago) for ago in range(_DAYS)]
    weights = [_WEEKDAYS[day.weekday()] for day in days]
    day = random.choices(days, weights)[0]
    hour = random.choices(range(24), _HOURS)[0]
    time_of_day = timedelta(seconds=random.uniform(0, 3600))
    sent = day.replace(hour=hour, minute=0, second=0, microsecond=0) + time_of_day
    if sent < now - timedelta(minutes=10):
        return sent
    # Today's hours that are yet to come: another day.
    day = random.choices(days[1:], weights[1:])[0]
    return day.replace(hour=hour, minute=0, second=0, microsecond=0) + time_of_day


def _final(random: Random, delivered: float) -> str:
    if random.random() < delivered:
        return "DELIVERED"
    return random.choices(("UNDELIVERABLE", "EXPIRED", "REJECTED"), (60, 27, 13))[0]


def _seconds_to(random: Random, status: str, network: _Network) -> float:
    if status == "EXPIRED":
        return 48 * 3600.0
    if status == "DELIVERED" and random.random() < _RETRY_SHARE:
        return random.expovariate(1 / 2400) + 60
    return network.seconds * random.lognormvariate(0, 0.7)


def _error(random: Random, status: str) -> Row:
    if status == "REJECTED":
        return {"errorReason": "Destination not allowed"}
    if status == "EXPIRED":
        return {"errorCode": "1B", "errorReason": "Absent subscriber"}
    if status == "UNDELIVERABLE":
        reason = random.choices(list(_UNDELIVERABLE), [share for _, share in _UNDELIVERABLE.values()])[0]
        return {"errorCode": _UNDELIVERABLE[reason][0], "errorReason": reason}
    return {}


def _date_time(moment: datetime, hours: int = 0) -> str:
    """In one of the two forms of the documents: 2020-05-11T11:46:41+00:00, 2018-06-01T00:00:00+0200."""
    text = moment.astimezone(timezone(timedelta(hours=hours))).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}{f'+{hours:02d}00' if hours else '+00:00'}"
