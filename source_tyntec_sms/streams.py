"""The four streams of tyntec's API (https://api.tyntec.com/reference/sms/current.html), over one base stream."""

import logging
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import Any
from urllib import parse

import requests
from airbyte_cdk import HttpStream, as_airbyte_message, models
from airbyte_cdk.sources.streams.http import HttpClient

from source_tyntec_sms import error_handler
from source_tyntec_sms.config import Config, api_url
from source_tyntec_sms.errors import ANSWERS, FAILURE_TYPES, Meaning, in_plain_words, traced
from source_tyntec_sms.paging import Pages
from source_tyntec_sms.records import Row, SchemaTransformer, decode, to_string
from source_tyntec_sms.session import Pace, RetryPolicy, TyntecSession

Result = tuple[Any, Future[Any]]
MAX_ITEMS_PER_WORKER = 2
SECONDS_BETWEEN_NOTICES = 55  # and a little, until the next look: at least one a minute
SECONDS_BETWEEN_PROGRESS = 30
IDS_BETWEEN_PROGRESS = 1000
IDS_PER_WARNING = 100
MAX_CONSECUTIVE_FAILURES = 10
MAX_NAMED_IDS = 10
MAX_NAMED_REASONS = 3
FAILED = "failed"  # a kind, beside "read" and those in answers.yaml
DELIVERY_STATES = ("ACCEPTED", "BUFFERED", "DELIVERED", "EXPIRED", "REJECTED", "UNDELIVERABLE")
# The CDK's HTTP client reports failed requests in its own words: the streams say the same in plain ones.
_client_logger = logging.getLogger("airbyte.tyntec.http_client")
_client_logger.addFilter(lambda record: record.levelno <= logging.DEBUG)


class TyntecStream(HttpStream, ABC):
    """What all endpoints share. It is a config_error if the environment variable with their address cannot be used.

    answers: what an answer means. max_bytes: how large it may be.
    """

    # Full refresh only. HttpStream would offer to resume one, from a page number that may have moved by then.
    is_resumable = False
    url_base = ""
    answers: Mapping[str, Meaning]
    max_bytes: int

    def __init__(self, config: Config, policy: RetryPolicy, pace: Pace) -> None:
        super().__init__()
        self._config, self._policy, self._pace = config, policy, pace
        self.url_base = f"{api_url()}/"
        self._next_notice = 0.0
        self.transformer = SchemaTransformer(self.get_json_schema())
        facts = {"host": parse.urlsplit(self.url_base).hostname, "limit": self.max_bytes // 1_000_000}
        handler = error_handler.TyntecErrorHandler(self.answers, policy, pace, facts, self.problem, self.logger)
        session = TyntecSession(self.url_base, pace, self.max_bytes)
        # HttpStream cannot be given a session or a logger: its own reaches any host, and logs in the CDK's words.
        self._http_client = HttpClient(self.name, _client_logger, handler, session=session, backoff_strategy=handler)

    def request_headers(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {"apikey": self._config.api_key, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}

    def request_kwargs(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {"allow_redirects": False, "timeout": (self._policy.connect_timeout, self._policy.answer_timeout)}

    def next_page_token(self, response: requests.Response) -> None:
        """None: a stream that has pages requests them itself."""

    @abstractmethod
    def problem(self, response: requests.Response) -> str | None:
        """What is wrong with a successful answer, which is then retried, or None. If it is not JSON, a ValueError."""

    def results(self, items: Iterable[Any], ask: Callable[[Any], Any], workers: int) -> Iterator[Result | None]:
        """Call `ask` for each item in `workers` threads, and yield the item with the future of it, once that is done.

        After half a second without any it yields None. No more than a few items per worker are asked or wait for the
        reader, so that neither many items nor a slow reader fill the memory. For one worker it is a single item.
        """
        most_pending = 1 + MAX_ITEMS_PER_WORKER * (workers - 1)
        waiting, pending = iter(items), dict[Future[Any], Any]()
        done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._pace.start()
        pool = ThreadPoolExecutor(workers)
        try:
            while True:
                for item in islice(waiting, 0 if self._pace.stopped else most_pending - len(pending)):
                    future = pool.submit(ask, item)
                    pending[future] = item
                    future.add_done_callback(done.put)
                if not pending:
                    return
                try:
                    future = done.get(timeout=0.5)
                    yield pending.pop(future), future
                except Empty:
                    yield None
        finally:
            if pending:
                self._pace.stop()  # the reader has closed this generator
            pool.shutdown(wait=False, cancel_futures=True)

    def rate_limit_notice(self, progress: Callable[[], str]) -> Iterator[models.AirbyteMessage]:
        """Say that tyntec limits the rate of requests, and how far reading is, about once a minute."""
        if (hold := self._pace.hold) and time.monotonic() >= self._next_notice:
            self._next_notice = time.monotonic() + SECONDS_BETWEEN_NOTICES
            self.logger.info("tyntec limits the rate of requests: waiting for %.0f seconds. %s", hold + 0.5, progress())
            reason = models.AirbyteStreamStatusReason(type=models.AirbyteStreamStatusReasonType.RATE_LIMITED)
            stream = models.StreamDescriptor(name=self.name)
            yield as_airbyte_message(stream, models.AirbyteStreamStatus.RUNNING, [reason])


class NoStatusError(Exception):
    """tyntec has no status for a request id. Arguments: what the id is counted as, and the error that says why."""


class MessageStatus(TyntecStream):
    """The delivery status of each SMS whose request id is in the settings, one request for each id."""

    primary_key = "requestId"
    answers = ANSWERS["every endpoint"] | ANSWERS["message status"]
    max_bytes = 5_000_000

    def path(self, **kwargs: Any) -> str:
        return f"messaging/v1/messages/{parse.quote(kwargs['stream_slice']['request_id'], safe='')}"

    def problem(self, response: requests.Response) -> str | None:
        """What is wrong: it is the status of another message, or none at all, such as an error under the wrong code."""
        document = decode(response)
        fields = document if isinstance(document, dict) else {}
        asked, status = parse.unquote((response.request.url or "").rpartition("/")[2]), fields.get("status")
        named = to_string(fields.get("requestId"))
        # A problem document has a status too: a number.
        if str(status)[:1].isdecimal() or (named in (None, "") and status not in DELIVERY_STATES):
            return f"tyntec is failing: {error_handler.quote_answer(response)} where a status was expected."
        other = named if isinstance(named, str) else "another message"
        if named in (None, "") or other.lower() == asked.lower():
            return None
        return f"tyntec answered the request for {asked} with the status of {error_handler.quote(other)}."

    def parse_response(self, response: requests.Response, **kwargs: Any) -> list[Row]:
        return [decode(response)]

    def status(self, request_id: str) -> Row:
        """The status of one message, or a NoStatusError. Without a usable answer, the CDK's error."""
        _, response = self._fetch_next_page({"request_id": request_id})
        if not response.ok:
            meaning = self.answers[str(response.status_code)]
            raise NoStatusError(meaning.counted_as, meaning.error(answer=error_handler.quote_answer(response)))
        (status,) = self.parse_response(response)
        status["requestId"] = request_id  # tyntec's may differ in case, or be missing: the rows are joined by it
        return status

    def read_records(self, *args: Any, **kwargs: Any) -> Iterator[Row | models.AirbyteMessage]:
        """The statuses that tyntec has. At the end an error if any could not be read, or if there is none at all."""
        report = Report(len(self._config.request_ids), self.logger)
        for result in self.results(self._config.request_ids, self.status, self._config.num_workers):
            yield from self.rate_limit_notice(report.progress)
            if result:
                request_id, future = result
                error = future.exception()
                if not error:
                    yield future.result()
                if not isinstance(error, CancelledError):
                    report.add(request_id, error)
            if report.consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                self._pace.stop()
        report.finish()


class Report:
    """Counts and describes the outcome for each request id of a read. `total`: the number of ids."""

    def __init__(self, total: int, logger: logging.Logger) -> None:
        self._total, self._logger = total, logger
        self._counts = Counter(read=0)
        self._not_read = defaultdict[tuple[str, models.FailureType, str], list[str]](list)  # ids by kind, type, reason
        self._next_progress = time.monotonic() + SECONDS_BETWEEN_PROGRESS
        self.consecutive_failures = 0

    def progress(self) -> str:
        """For how many ids the outcome is known, and what it is."""
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self._counts.items())
        return f"{self._counts.total():,} of {self._total:,} request ids asked: {counts}."

    def add(self, request_id: str, error: BaseException | None) -> None:
        """Record the outcome for one request id. `error` is the reason if its status could not be read."""
        kind = "read"
        if error:
            kind, why = error.args if isinstance(error, NoStatusError) else (FAILED, in_plain_words(error))
            self._not_read[kind, why.failure_type, str(why)].append(request_id)
        self._counts[kind] += 1
        self.consecutive_failures = self.consecutive_failures + 1 if kind == FAILED else 0
        asked, now = self._counts.total(), time.monotonic()
        if asked < self._total and (asked % IDS_BETWEEN_PROGRESS == 0 or now >= self._next_progress):
            self._next_progress = now + SECONDS_BETWEEN_PROGRESS
            self._logger.info(self.progress())

    def finish(self) -> None:
        """Name the ids that were not read, and raise an error if any failed, or not one was read."""
        for (_, _, why), ids in self._not_read.items():
            for start in range(0, len(ids), IDS_PER_WARNING):
                names = ", ".join(ids[start : start + IDS_PER_WARNING])
                self._logger.warning("Request ids not read: %s. Reason: %s", names, why)
        self._logger.info(self.progress())
        failed = self._counts[FAILED]
        if self._counts["read"] and not failed:
            return
        reasons = {key: ids for key, ids in self._not_read.items() if key[0] == FAILED or not failed}
        most = sorted(reasons.items(), key=lambda reason: -len(reason[1]))[:MAX_NAMED_REASONS]
        told = " ".join(why if len(reasons) == 1 else f"{len(ids):,} of them: {why}" for (_, _, why), ids in most)
        if rest := self._total - self._counts.total():
            told += f" Reading stopped with {rest:,} more to read."
        names = ", ".join(islice(chain.from_iterable(reasons.values()), MAX_NAMED_IDS))
        if failed > MAX_NAMED_IDS:
            names += f" and {failed - MAX_NAMED_IDS:,} more"
        problem = ANSWERS["problems"]["failed statuses" if failed else "no status"]
        error = problem.error(failed=failed, total=self._total, names=names, reasons=told, progress=self.progress())
        error.failure_type = min((failure_type for _, failure_type, _ in reasons), key=FAILURE_TYPES.index)
        raise error


class ListStream(TyntecStream, ABC):
    """A stream whose endpoint answers with a list of rows, each of which is a record.

    endpoint: the path. rows_field: the field of the answer that holds the rows. page_size: how many rows a request asks
    for, None if the endpoint has no pages.
    """

    answers = ANSWERS["every endpoint"] | ANSWERS["list"]
    max_bytes = 256_000_000
    endpoint: str
    rows_field: str

    def path(self, **kwargs: Any) -> str:
        return self.endpoint

    def request_params(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(kwargs["next_page_token"])

    def read_records(self, *args: Any, **kwargs: Any) -> Iterator[Row | models.AirbyteMessage]:
        """The rows of the list. An error if it could not be read in full."""
        pages = Pages(self.page_size)
        # `params` are those of the next request, once the rows of the one before are known; None after the last.
        for result in self.results(iter(lambda: pages.params, None), partial(self._new_rows, pages), workers=1):
            yield from self.rate_limit_notice(lambda: "The list is asked for again after that.")
            if result:
                _, future = result
                if error := future.exception():
                    plain = in_plain_words(error)
                    raise traced(f"The stream {self.name} could not be read. {plain}", plain.failure_type)
                yield from future.result()
        read, announced = f"{pages.read:,}", f"{pages.announced:,}"
        if pages.read < pages.announced:
            self.logger.warning("%s: tyntec announced %s rows, but gave %s.", self.name, announced, read)
        elif pages.repeated_full_page:
            self.logger.warning("%s: tyntec gave a full page twice: there may be more than %s rows.", self.name, read)

    def _new_rows(self, pages: Pages, params: Mapping[str, Any]) -> list[Row]:
        _, answer = self._fetch_next_page(next_page_token=params)
        objects = [] if answer.status_code in (204, 404) else self.parse_response(answer)
        if not objects and not pages.may_end_with(answer.status_code):
            raise self.answers["404"].error(answer=error_handler.quote_answer(answer))
        rows = list(chain.from_iterable(each[self.rows_field] for each in objects))
        return pages.new_rows(rows, objects[0].get("size") if objects else None)

    def problem(self, response: requests.Response) -> str | None:
        """What is wrong: the list is missing, or a row of it is no object."""
        for wrapper in self.parse_response(response):
            rows = wrapper.get(self.rows_field) if isinstance(wrapper, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                answer = error_handler.quote_answer(response)
                return f"tyntec is failing: {answer} without the list of objects '{self.rows_field}' that was expected."
        return None

    def parse_response(self, response: requests.Response, **kwargs: Any) -> list[Row]:
        """The objects that wrap the rows. tyntec documents one, in places in an array."""
        document = decode(response)
        return document if isinstance(document, list) and document else [document]


class Contacts(ListStream):
    """The contacts of the account's phone numbers."""

    primary_key = "contactId"
    endpoint = "byon/contacts/v1"
    rows_field = "contacts"


class PhoneNumbers(ListStream):
    """The phone numbers that were created with the key. No field of a row is documented to be unique."""

    primary_key = None
    endpoint = "byon/phonebook/v1/numbers"
    rows_field = "provisioningRequests"
    page_size = 3000  # the most that tyntec allows


class PhoneRegistrations(ListStream):
    """The requests by which phone numbers were registered."""

    primary_key = "requestId"
    endpoint = "byon/provisioning/v1"
    rows_field = "provisioningRequests"
