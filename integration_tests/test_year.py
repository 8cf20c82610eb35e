"""A year of a connection that nobody touches, as Airbyte runs it, with a simulated clock.

`pytest -rP integration_tests/test_year.py` prints the days on which something happened.
"""

import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests_mock
from airbyte_cdk import AirbyteTracedException
from airbyte_cdk.models import AirbyteStreamStatus, ConfiguredAirbyteCatalogSerializer, Status
from requests import ConnectionError as LostConnectionError

from integration_tests.harness import catalog, config
from sandbox import Limit
from sandbox.data import LISTS, STATUS_PATH, Row
from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.client import READ, RetryPolicy

LOGGER = logging.getLogger("airbyte")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NO_WAIT = RetryPolicy(first_wait=0, longest_wait=0, longest_limit=0)  # the account moves its clock
CHECK = replace(NO_WAIT, max_attempts=2)
STREAMS = {"message_status": "requestId", "contacts": "contactId"}
EVERY = 12 * HOUR  # a sync
ATTEMPTS = 5  # of a sync, in Airbyte
KEYS = ("key-of-january", "key-of-february")
LISTED = 8  # the newest request ids, which a script keeps in the connection
FAILING, FOREIGN = 139, 249  # messages, by the day of their submission

FAILED_SYNC = "a sync failed"
NEW_KEY = "A PERSON enters the new key"
WITHOUT_ID = "A PERSON removes the id that always fails"

EVENTS = {
    30: "the key is replaced",
    60: "tyntec is down for a minute",
    75: "tyntec is down for twenty minutes",
    85: "tyntec is down for a night",
    92: "the first request id has expired",
    120: "another program uses up the limit of the hour",
    FAILING: "a status fails with HTTP 500 from now on",
    170: "the script adds ids that never existed, for three days",
    180: "a month without messages begins",
    210: "messages are sent again",
    230: "BYON is switched off",
    240: "BYON is switched on again",
    FOREIGN: "tyntec sends the status of another message, once",
    260: "somebody cancels a sync",
    300: "tyntec is down for a night",
}
OUTAGES = [
    (60 * DAY, 60 * DAY + MINUTE),
    (75 * DAY, 75 * DAY + 20 * MINUTE),
    (85 * DAY - 4 * HOUR, 85 * DAY + 4 * HOUR),
    (300 * DAY - 4 * HOUR, 300 * DAY + 4 * HOUR),
]


def request_id(number: int) -> str:
    return f"{number:08d}-4671-4feb-9bc7-6b0df1880000"


@dataclass
class Account:
    """tyntec's side: one message a day, whose status is final within 48 hours."""

    now: datetime = START
    key: str = KEYS[0]
    attempts: Counter[str] = field(default_factory=Counter)
    foreign: bool = True

    def __post_init__(self) -> None:
        self.limit = Limit(1000, "hour", "retry-after", self._timestamp)
        days = [day for day in range(365) if not 180 <= day < 210]
        self.sent = {request_id(day): START + day * DAY - HOUR for day in days}

    def _timestamp(self) -> float:
        return self.now.timestamp()

    @property
    def age(self) -> timedelta:
        return self.now - START

    def finality(self, name: str) -> datetime:
        """When the status of a message becomes final: 1 to 47 hours after its submission."""
        return self.sent[name] + (1 + int(name[:8]) * 7 % 47) * HOUR

    def status(self, name: str, now: datetime) -> Row | None:
        """The status that tyntec has at a time: none from three months after the final one."""
        if name not in self.sent or not self.sent[name] <= now < self.finality(name) + 90 * DAY:
            return None
        state = "BUFFERED" if now < self.finality(name) else "DELIVERED"
        return {"requestId": name, "status": state, "reference": f"order {name}"}

    def respond(self, request: Any, context: Any) -> Any:
        """Respond, and move the clock by the time that the response and a retry would take."""
        self.now += timedelta(milliseconds=100)
        context.status_code, document = self._response(request, context)
        if context.status_code < 500:
            self.attempts[request.path] = 0
        else:
            self.attempts[request.path] += 1
            wait = READ.first_wait * 2.0 ** (self.attempts[request.path] - 1)
            self.now += timedelta(seconds=min(wait, READ.longest_wait))
        if context.status_code == 599:
            raise LostConnectionError
        return document

    def _response(self, request: Any, context: Any) -> tuple[int, Any]:
        """The HTTP status and the document of the gateway, or of the service behind it."""
        for start, end in OUTAGES:
            if start <= self.age < end:  # the second half is without any connection
                return 503 if self.age < start + (end - start) / 2 else 599, {"message": "down"}
        is_list = request.path == LISTS["contacts"].path
        if is_list and 230 * DAY <= self.age < 240 * DAY:
            return 404, {"message": "no Route matched with those values"}
        if request.headers["apikey"] != self.key:
            return 403, {"message": "Invalid authentication credentials"}
        admitted, headers = self.limit.admit(self.key)
        context.headers.update(headers)
        if not admitted:
            return 429, {"message": "API rate limit exceeded"}
        contacts = {"contacts": LISTS["contacts"].rows(2), "size": 2}
        return (200, contacts) if is_list else self._status(request.path[len(STATUS_PATH) :])

    def _status(self, name: str) -> tuple[int, Any]:
        if name == request_id(FAILING):
            return 500, {"title": "Internal Server Error"}
        if self.foreign and name == request_id(FOREIGN):
            self.foreign = False
            name = request_id(FOREIGN - 1)
        status = self.status(name, self.now)
        return (200, status) if status else (404, {"title": "Not Found"})


@dataclass
class Connection:
    """Airbyte's side: jobs of up to five attempts, and the tables of three sync modes.

    A stream that ends with an error keeps its tables. After an attempt that failed, a check must
    succeed before the next one reads.
    """

    account: Account
    key: str = KEYS[0]
    removed: set[str] = field(default_factory=set)
    failed: bool = False
    reason: str = ""
    log: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    overwrite: dict[str, list[Row]] = field(default_factory=dict)
    append: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    deduped: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))

    def settings(self) -> dict[str, Any]:
        """The first id as it was entered, and those that the script has put in."""
        sent = [name for name, at in self.account.sent.items() if at <= self.account.now]
        newest = [name for name in sent[-LISTED:] if name not in self.removed]
        if 170 <= self.account.age.days < 173:
            newest += [request_id(number) for number in (900, 901)]
        return config(request_id(0), *newest, api_key=self.key, num_workers=1)

    def job(self) -> None:
        """Run a sync. Whether it failed is in `failed`, and why is in `reason`."""
        loaded, first_reason, outcome = set[str](), "", FAILED_SYNC
        is_cancelled = self.account.now == START + 260 * DAY
        for attempt in range(ATTEMPTS):
            if self.failed and (reason := self.check()):
                self.reason = reason
            else:
                self.failed = not self.read(loaded, is_cancelled=is_cancelled)
            first_reason = first_reason or self.reason
            if not self.failed or is_cancelled:
                outcome = f"attempt {attempt + 1} succeeded, the first one failed"
                break
            self.account.now += timedelta(seconds=10 * 3**attempt)
        if first_reason:
            reason = (first_reason.partition("): ")[2] or first_reason)[:70]  # not counts and ids
            self.log[self.account.age.days].append(f"{outcome}: {reason}")

    def check(self) -> str:
        outcome = SourceTyntecSms(NO_WAIT, CHECK).check(LOGGER, self.settings())
        return "" if outcome.status == Status.SUCCEEDED else outcome.message or "no reason"

    def read(self, loaded: set[str], *, is_cancelled: bool) -> bool:
        """Read, and load the streams that are complete, unless an attempt before has."""
        settings, started = self.settings(), self.account.now
        rows, complete, self.reason = defaultdict[str, list[Row]](list), list[str](), ""
        for message in self._messages(settings):
            if message.record:
                rows[message.record.stream].append(message.record.data)
            if message.trace and message.trace.error and not self.reason:
                self.reason = message.trace.error.message
            status = message.trace and message.trace.stream_status
            if status and status.status == AirbyteStreamStatus.COMPLETE:
                complete.append(status.stream_descriptor.name)
            if is_cancelled and len(rows["message_status"]) == 3:
                return False
        for name in complete:
            self._expect(name, rows[name], settings, started)
            if name not in loaded:
                self._load(name, rows[name])
                loaded.add(name)
        return complete == [*STREAMS]

    def _messages(self, settings: dict[str, Any]) -> Iterator[Any]:
        selected = ConfiguredAirbyteCatalogSerializer.load(catalog(*STREAMS))
        with suppress(AirbyteTracedException):  # after an error of each stream
            yield from SourceTyntecSms(NO_WAIT, CHECK).read(LOGGER, settings, selected)

    def _expect(self, name: str, rows: list[Row], settings: Any, started: datetime) -> None:
        """A complete stream has each row once, and those of each id that tyntec knew."""
        keys = [row[STREAMS[name]] for row in rows]
        assert len(keys) == len(set(keys)) > 0
        if name == "message_status":
            given = [settings["message_request_id"], *settings["additional_message_request_ids"]]
            before, after = (
                {each for each in given if self.account.status(each, now)}
                for now in (started, self.account.now)
            )
            assert after <= set(keys) <= before
            assert all(row["reference"] == f"order {row['requestId']}" for row in rows)

    def _load(self, name: str, rows: list[Row]) -> None:
        self.overwrite[name] = rows
        self.append[name] += rows
        self.deduped[name].update((row[STREAMS[name]], row) for row in rows)


def act(connection: Connection) -> str:
    """What a person does about the message of a connection that has failed for two days."""
    account = connection.account
    if "rejected the API key" in connection.reason:
        connection.key = account.key
        return NEW_KEY
    if request_id(FAILING) in connection.reason and "HTTP 500" in connection.reason:
        connection.removed.add(request_id(FAILING))
        return WITHOUT_ID
    return ""  # BYON: message statuses are read, and another stream waits until it is back


def live(account: Account, connection: Connection) -> dict[int, str]:
    """Live through the year. Returns on which day a person acted, and how."""
    acts: dict[int, str] = {}
    failing_since: datetime | None = None
    scheduled = START
    while scheduled < START + 365 * DAY:
        account.now = max(scheduled, account.now)
        day = account.age.days
        if day >= 30:
            account.key = KEYS[1]
        if scheduled == START + 120 * DAY:
            while account.limit.admit(account.key)[0]:
                pass
        connection.job()
        failing_since = (failing_since or scheduled) if connection.failed else None
        if failing_since and scheduled - failing_since >= 2 * DAY and (done := act(connection)):
            acts[day] = done
            failing_since = None
        scheduled += EVERY
    return acts


@pytest.mark.timeout(600)
def test_a_year_needs_a_person_twice(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "airbyte")
    account = Account()
    connection = Connection(account)
    with requests_mock.Mocker() as api:
        api.get(requests_mock.ANY, json=account.respond)
        acts = live(account, connection)
        requests = api.call_count
    for day in sorted({*EVENTS, *connection.log}):
        syncs = Counter(connection.log[day]).items()
        failed = [f"{each} (twice)" if count > 1 else each for each, count in syncs]
        words = filter(None, [EVENTS.get(day, ""), *failed, acts.get(day, "")])
        sys.stdout.write(f"{START + day * DAY:%d %B}: {'; '.join(words)}\n")
    sys.stdout.write(f"{requests:,} requests. Rows at the end:\n")
    for name in STREAMS:
        tables = connection.overwrite, connection.append, connection.deduped
        overwritten, appended, deduped = (len(table[name]) for table in tables)
        counts = f"{overwritten} overwritten, {appended} appended, {deduped} deduplicated"
        sys.stdout.write(f"{name}: {counts}\n")
    assert acts == {32: NEW_KEY, 141: WITHOUT_ID}
    failed_days = {day for day, words in connection.log.items() if FAILED_SYNC in str(words)}
    assert failed_days == {
        *(30, 31, 32), 85, 120, *(FAILING, 140, 141), *range(230, 240), 300,
    }  # fmt: skip
    final = [n for n in account.sent if account.finality(n) < START + 364 * DAY]
    statuses = connection.deduped["message_status"]
    assert statuses.keys() <= account.sent.keys()
    lost = {n for n in final if statuses.get(n, {}).get("status") != "DELIVERED"}
    assert lost == {request_id(FAILING)}
    assert len(connection.overwrite["contacts"]) == 2
