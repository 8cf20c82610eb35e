"""Compares tyntec's live API with its documentation, for whoever has a key: what held, what did not, and what is new.

    python -m integration_tests.live

It takes the settings from secrets/config.json, asks about 30 questions of the four paths that the connector reads,
runs the connector's `check` and its `read` of all streams, and writes secrets/live-report.md. The report has names and
types of fields, formats and counts. It has no value of a record, and neither an id nor the key.
"""

import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from uuid import uuid4

import requests
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from integration_tests.connector import ROOT, STREAMS, run
from integration_tests.sandbox_data import LISTS, PATHS, STATUS_PATH, Listing, Row
from source_tyntec_sms.config import Config, api_url
from source_tyntec_sms.source import SourceTyntecSms

CONFIG = ROOT / "secrets" / "config.json"
REPORT = ROOT / "secrets" / "live-report.md"
HELP = (
    'Write {"api_key": "<your key>", "message_request_id": "<the requestId of an SMS that you sent>"} to '
    "secrets/config.json, which Git ignores, and run this again."
)
SECONDS_BETWEEN_REQUESTS = 0.2
LONGEST_SYNC = 6 * 3600
MOST_IDS, MOST_ROWS = 20, 3000
PIECE, MOST_PIECES = 2**16, 1000
STATES = {"ACCEPTED", "BUFFERED", "DELIVERED", "EXPIRED", "REJECTED", "UNDELIVERABLE"}
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
OUTCOMES = {True: "held", False: "did not hold", None: "new"}
_PATTERN = re.compile(r"[+-]?\d+(\.\d+)?|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)")
_NAME = re.compile(r"[A-Za-z_]{1,40}\d?")  # another name could be data, such as a phone number
_RATE_LIMIT = re.compile(r"(x-)?ratelimit-[a-z-]+|retry-after", re.IGNORECASE)

Line = tuple[bool | None, str, object]
"""Whether a documented fact held, None if the documentation is silent; the fact; what was seen, empty for nothing."""


class Answer(NamedTuple):
    """tyntec's answer to one request. status: 0 if there was none. document: the JSON in it, or None."""

    status: int
    document: Any = None

    def __str__(self) -> str:
        names = [name for each in self.objects[:1] for name, _ in values(each) if "." not in name]
        return f"HTTP {self.status} with {', '.join(names) or 'no object'}" if self.status else "no answer"

    @property
    def objects(self) -> list[Row]:
        """The objects that the answer consists of: one, or those of an array."""
        document = self.document if isinstance(self.document, list) else [self.document]
        return [each for each in document if isinstance(each, dict)]

    def rows(self, listing: Listing) -> list[Row]:
        """The rows of a list."""
        found = [each.get(listing.rows_field) for each in self.objects]
        return [row for rows in found if isinstance(rows, list) for row in rows if isinstance(row, dict)]


class Api:
    """Asks tyntec: four paths of one host, slowly, with no redirect followed and no cookie kept.

    asked: how many requests there were. headers: the names of the headers on rate limits in their answers.
    """

    def __init__(self, key: str) -> None:
        self._key, self._address = key, api_url()
        self.asked, self.headers = 0, set[str]()

    def status(self, request_id: str, key: str | None = None) -> Answer:
        """The answer about one request id."""
        return self.get(STATUS_PATH + quote(request_id, safe=""), key)

    def get(self, path: str, key: str | None = None, **params: int) -> Answer:
        """The answer to a GET."""
        assert PATHS.fullmatch(path), "only the documented paths are asked for"

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update({"apikey": key or self._key, "Accept": "application/json"})
            return request

        time.sleep(SECONDS_BETWEEN_REQUESTS)
        self.asked += 1
        try:
            with requests.Session() as session:
                session.trust_env = self._address.startswith("https://")  # over plain http, a proxy would see the key
                options: dict[str, Any] = {"auth": sign, "allow_redirects": False, "stream": True, "timeout": 60}
                response = session.get(f"{self._address}{path}", params=params, **options)
                self.headers.update(filter(_RATE_LIMIT.fullmatch, response.headers))
                body = b"".join(islice(response.iter_content(PIECE), MOST_PIECES))
        except requests.RequestException:
            return Answer(0)
        try:
            return Answer(response.status_code, json.loads(body))
        except (ValueError, RecursionError):
            return Answer(response.status_code)


def values(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each field of a row with its value; those inside of it as `parts[].price`."""
    for name, value in row.items():
        path = prefix + (name if _NAME.fullmatch(name) else "(a name that may be data)")
        yield path, value
        inside, mark = (value, "[].") if isinstance(value, list) else ([value], ".")
        for each in inside:
            if isinstance(each, dict):
                yield from values(each, path + mark)


def described(value: object) -> str:
    """The JSON type of a value, and its format, with a 9 for each digit; nothing else of it."""
    kind = TYPES.get(type(value), "null")
    if isinstance(value, str) and _PATTERN.fullmatch(value):
        kind += f" like {re.sub('9{5,}', '9…', re.sub('[0-9]', '9', value))}"
    return kind + (" of milliseconds" if type(value) is int and 10**12 <= value < 10**13 else "")


def documented_fields(schema: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each documented field with its type, which is date-time or one of JSON's."""
    for name, field in schema["properties"].items():
        if name != "phoneNumber":  # which is not documented, but may come
            yield prefix + name, field.get("format") or next(kind for kind in field["type"] if kind != "null")
            yield from documented_fields(field.get("items") or {"properties": {}}, f"{prefix}{name}[].")


def field_lines(rows: Sequence[Row], stream: Stream) -> Iterator[Line]:
    """Whether each field has its documented type, and which fields are not documented."""
    seen = defaultdict[str, Counter[str]](Counter)
    for row in rows:
        for name, value in values(row):
            seen[name][described(value)] += 1
    documented = dict(documented_fields(stream.get_json_schema()))
    for name in documented | seen:
        kinds, kind = seen[name], documented.get(name)
        start = "string like 9999-99-99T" if kind == "date-time" else kind or ""
        held = all(each.startswith((start, "null")) for each in kinds) if kind else None
        told = ", ".join(f"{each}: {count}" for each, count in kinds.items())
        yield held, f"`{name}`, {kind or 'not documented'}", told


def status_lines(api: Api, stream: Stream, request_ids: Sequence[str]) -> Iterator[Line]:
    """What tyntec answers about request ids, and about one that does not exist."""
    answers = [(request_id, api.status(request_id)) for request_id in request_ids]
    found = [(request_id, answer.document) for request_id, answer in answers if answer.status == 200]
    rows = [(request_id, row) for request_id, row in found if isinstance(row, dict)]
    yield bool(found), "request ids with a status", f"{len(found)} of {len(answers)}"
    for words, count in Counter(str(answer) for _, answer in answers if answer.status != 200).items():
        yield None, "the other request ids", f"{count} times {words}"
    same = sum(str(row.get("requestId")).casefold() == request_id.casefold() for request_id, row in rows)
    known = sum(str(row.get("status")) in STATES for _, row in rows)
    facts = {"a status is one object": len(rows), "with the id asked for": same, "with a documented state": known}
    for fact, count in facts.items():
        yield count == len(found), fact, f"{count} of {len(found)}" if found else ""
    unknown = api.status(str(uuid4()))
    is_problem = any(each.keys() >= {"type", "title", "status", "detail"} for each in unknown.objects)
    yield unknown.status == 404 and is_problem, "an unknown id: 404 with a problem document", unknown
    yield from field_lines([row for _, row in rows], stream)


def list_lines(api: Api, stream: Stream) -> Iterator[Line]:
    """What tyntec answers for a list."""
    listing = LISTS[stream.name]
    answer = api.get(listing.path)
    whole = api.get(listing.path, size=MOST_ROWS) if listing.paged and answer.status == 200 else answer
    rows = whole.rows(listing) or answer.rows(listing)
    enabled = answer.status in (200, 204)
    no_route = answer == Answer(404, {"message": "no Route matched with those values"})
    yield None if enabled else no_route, "without BYON: 404 `no Route matched with those values`", answer
    if answer.status == 200:
        has_rows = any(isinstance(each.get(listing.rows_field), list) for each in answer.objects)
        yield has_rows, f"the list `{listing.rows_field}`", f"{len(answer.rows(listing))} rows"
        yield None, "in an object, or an array of one?", described(answer.document)
        for name in [stream.primary_key] if stream.primary_key else ["requestId", "phoneNumber"]:
            ids = [json.dumps(row[name]) for row in rows if name in row]
            unique = len(set(ids)) == len(rows) if stream.primary_key else None
            yield unique, f"`{name}` in every row, and unique", f"{len(set(ids))} different ones in {len(ids)} rows"
        if listing.paged:
            yield from page_lines(api, listing, answer, whole)
    if enabled:
        yield from field_lines(rows, stream)


def page_lines(api: Api, listing: Listing, default: Answer, whole: Answer) -> Iterator[Line]:
    """What the parameters `page` and `size` do. default, whole: the answers without them, and with the largest size."""
    rows = whole.rows(listing)
    yield whole.status == 200, f"`size` may be {MOST_ROWS}", f"{len(rows)} rows"
    yield None, "default page size?", f"{len(default.rows(listing))} rows of {len(rows)}"
    # The first size of which three pages in a row differ: rows of one request may be alike.
    for size in range(1, len(rows) // 3 + 1):
        expected = [rows[start : start + size] for start in (0, size, 2 * size)]
        if len(set(map(json.dumps, expected))) == 3:
            break
    else:
        yield None, "is `page` honoured, and is the first 0 or 1?", ""
        return
    answers = [api.get(listing.path, page=page, size=size) for page in range(3)]
    pages = [answer.rows(listing) for answer in answers]
    schemes = {
        "yes, the first is 0": pages == expected,
        "yes, the first is 1": pages[1:] == expected[:2],
        "no": [] != pages[0] == pages[1] == pages[2],
    }
    scheme = next((words for words, fits in schemes.items() if fits), "the pages fit neither")
    yield None, "is `page` honoured, and is the first 0 or 1?", scheme
    yield all(len(page) <= size for page in pages), "`size` limits the rows", f"{[*map(len, pages)]} for {size}"
    counts = [len(rows), *(len(page) for page in pages if page)]
    told = [str(each.objects[0].get("size")) for each in (whole, *answers) if each.rows(listing)]
    meanings = {
        "nothing, it is missing": set(told) == {"None"},
        "its rows": told == [*map(str, counts)],
        "the whole list": len(set(told)) == 1,
    }
    meaning = next((words for words, fits in meanings.items() if fits), "neither its rows nor the whole list")
    yield None, "what does the `size` of an answer count?", meaning
    after = api.get(listing.path, page=len(rows) // size + 2, size=size)
    yield None, "a page after the last?", f"{after}, {len(after.rows(listing))} rows" if len(rows) < MOST_ROWS else ""


def connector_lines(config: Row) -> Iterator[Line]:
    """What the connector makes of it: its `check`, and its `read` of all streams."""
    try:
        check, read = (run(None, name, config, time_scale=1, timeout=LONGEST_SYNC) for name in ("check", "read"))
        outcome = check.connection_status["status"]
    except (AssertionError, ValueError):
        yield False, "nothing but Airbyte messages, in plain words and without the key", "something else"
        return
    yield outcome == "SUCCEEDED", "`check` succeeds", outcome
    for stream in STREAMS:
        words = [*read.statuses(stream)[-1:], *(str(error["failure_type"]) for error in read.errors(stream))]
        yield words == ["COMPLETE"], f"`read` of {stream}", f"{', '.join(words)}: {len(read.records(stream))} records"


def report(config: Row) -> str:
    """The report, in Markdown.

    Raises:
        AirbyteTracedException: if a setting cannot be used.
    """
    settings, streams = Config.parse(config), {each.name: each for each in SourceTyntecSms().streams(config)}
    api = Api(settings.api_key)
    first = api.status(settings.request_ids[0])
    sections: dict[str, list[Line]] = {"key": [(first.status not in (0, 401, 403), "the key is accepted", first)]}
    if sections["key"][0][0]:
        sections["message_status"] = [*status_lines(api, streams["message_status"], settings.request_ids[:MOST_IDS])]
        sections |= {name: [*list_lines(api, streams[name])] for name in LISTS}
        wrong = api.status(str(uuid4()), key=uuid4().hex)  # once, and after all others: tyntec may not like it
        sections["key"].append((wrong.status in (401, 403), "a wrong key: 401 or 403", wrong))
        names = ", ".join(sorted(api.headers)) or "none"
        sections["rate limits"] = [(None, "headers?", f"{names}, in {api.asked} answers")]
        sections["connector"] = [*connector_lines(config)]
    text = "# tyntec's live API, compared with its documentation\n\n"
    text += f"{date.today()}, {urlsplit(api_url()).hostname}, connector {version('airbyte-source-tyntec-sms')}. "
    text += "New is what the documentation does not say. In formats, a 9 stands for any digit.\n"
    for title, lines in sections.items():
        text += f"\n## {title}\n\n| | Documentation | Seen |\n|---|---|---|\n"
        for held, fact, seen in lines:
            text += f"| {OUTCOMES[held] if str(seen) else 'not seen'} | {fact} | {seen} |\n"
    return text


def main() -> None:
    """Write the report, and print it. The exit code is 1 if the settings cannot be used."""
    try:
        config = json.loads(CONFIG.read_text())
    except (OSError, ValueError):
        sys.exit(HELP)
    try:
        text = report(config if isinstance(config, dict) else {})
    except AirbyteTracedException as error:
        sys.exit(error.message)
    REPORT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
