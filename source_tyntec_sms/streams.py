"""What is read: the four streams of tyntec's API, over one base stream."""

import json
import logging
import time
from abc import ABC
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote as percent_encode
from urllib.parse import unquote, urlsplit

import requests
from airbyte_cdk import models
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.streams.http import HttpClient, HttpStream
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_tyntec_sms import error_handler
from source_tyntec_sms.config import Config, api_url
from source_tyntec_sms.error_handler import quote, quote_answer
from source_tyntec_sms.errors import config_error, in_plain_words, traced
from source_tyntec_sms.paging import Pages
from source_tyntec_sms.records import Row, SchemaTransformer, decode
from source_tyntec_sms.session import ApiKeyAuthenticator, Pace, ReadStoppedError, RetryPolicy, TyntecSession

Item = TypeVar("Item")

MOST_ROWS_PER_PAGE = 3000
ITEMS_PER_WORKER = 3
SECONDS_BETWEEN_NOTICES = 60
SECONDS_BETWEEN_PROGRESS = 30
IDS_BETWEEN_PROGRESS = 1000
IDS_PER_WARNING = 100
CONSECUTIVE_FAILURES = 10
NAMED_FAILURES = 10

# The CDK's HTTP client reports failed requests in its own words: the streams say the same in plain ones.
_client_logger = logging.getLogger("airbyte.tyntec.http_client")
_client_logger.addFilter(lambda record: record.levelno <= logging.DEBUG)


class Skipped(NamedTuple):
    """Why tyntec has no status for a request id. `kind`: unknown or refused."""

    kind: str
    why: str


class TyntecStream(HttpStream, ABC):
    """What all endpoints share: the address, the key, the pace, the limits, and what an answer means.

    answers: what an answer means. max_bytes: how large it may be.

    Raises, while it is constructed:
        AirbyteTracedException: config_error if the environment variable with the address cannot be used.
    """

    # Full refresh only. HttpStream would offer to resume one, from a page number that may have moved by then.
    is_resumable = False
    url_base = ""
    answers: error_handler.Answers
    max_bytes: int

    def __init__(self, config: Config, policy: RetryPolicy, pace: Pace) -> None:
        super().__init__()
        self._config, self._policy, self._pace = config, policy, pace
        self.url_base = f"{api_url()}/"
        self._next_notice, self._noticed_refusals = 0.0, pace.refusals
        self.transformer = SchemaTransformer(self.get_json_schema())
        facts = {"host": urlsplit(self.url_base).hostname, "limit": self.max_bytes // 1_000_000}
        # HttpStream cannot be given a session or a logger: its own reaches any host, and logs in the CDK's words.
        self._http_client = HttpClient(
            name=self.name,
            logger=_client_logger,
            error_handler=error_handler.TyntecErrorHandler(self.answers, policy, pace, facts, self.problem),
            backoff_strategy=error_handler.TyntecBackoffStrategy(policy, self.logger),
            authenticator=ApiKeyAuthenticator(config.api_key),
            session=TyntecSession(self.url_base, pace, policy, self.max_bytes),
        )

    def request_headers(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}

    def request_kwargs(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {"allow_redirects": False, "timeout": (self._policy.connect_timeout, self._policy.answer_timeout)}

    def next_page_token(self, response: requests.Response) -> None:
        """None: a stream that has pages asks for them itself."""

    def problem(self, document: Any, response: requests.Response) -> str | None:
        """Why the document of a successful answer cannot be meant, if so: then it is asked for again."""

    def results(
        self, items: Iterable[Item], ask: Callable[[Item], Any], workers: int
    ) -> Iterator[tuple[Item, Any] | None]:
        """Call `ask` for each item in `workers` threads, and yield the item with what it returned or raised.

        After a second without any it yields None. Only a few items for each worker are under way, so that neither many
        items nor a slow reader fill the memory.
        """
        todo: SimpleQueue[Item | None] = SimpleQueue()
        done: SimpleQueue[tuple[Item, Any]] = SimpleQueue()

        def work() -> None:
            while (item := todo.get()) is not None:
                done.put((item, _outcome(ask, item)))

        waiting, under_way = iter(items), 0
        pool = ThreadPoolExecutor(workers)
        for _ in range(workers):
            pool.submit(work)
        try:
            while True:
                for item in islice(waiting, 0 if self._pace.stopped else workers * ITEMS_PER_WORKER - under_way):
                    todo.put(item)
                    under_way += 1
                if not under_way:
                    return
                result = _get(done)
                under_way -= result is not None
                yield result
        finally:
            if under_way:
                self._pace.stop()  # whoever reads the stream has lost interest
            for _ in range(workers):
                todo.put(None)
            pool.shutdown(wait=False)

    def rate_limit_notice(self, progress: str) -> Iterator[models.AirbyteMessage]:
        """Say that tyntec limits the rate of requests, and how far reading is, at most once a minute."""
        now, hold = time.monotonic(), self._pace.hold
        if now >= self._next_notice and (hold or self._pace.refusals > self._noticed_refusals):
            self._next_notice, self._noticed_refusals = now + SECONDS_BETWEEN_NOTICES, self._pace.refusals
            wait = f"waits for {hold:.0f} seconds" if hold >= 1 else "slows down"
            self.logger.info("tyntec limits the rate of requests: the connector %s. %s", wait, progress)
            reason = models.AirbyteStreamStatusReason(type=models.AirbyteStreamStatusReasonType.RATE_LIMITED)
            stream = models.StreamDescriptor(name=self.name)
            yield as_airbyte_message(stream, models.AirbyteStreamStatus.RUNNING, [reason])


class MessageStatus(TyntecStream):
    """The delivery status of each SMS whose request id is in the settings, one request for each id.

    https://api.tyntec.com/reference/sms/current.html: GET /messaging/v1/messages/{requestId}
    """

    primary_key = "requestId"
    answers = error_handler.STATUS_ANSWERS
    max_bytes = 5_000_000

    def path(self, **kwargs: Any) -> str:
        return f"messaging/v1/messages/{percent_encode(kwargs['stream_slice']['request_id'], safe='')}"

    def problem(self, document: Any, response: requests.Response) -> str | None:
        """Whether the status is that of another message, or the gateway's error under the wrong HTTP status."""
        if not isinstance(document, dict):
            return None
        # A problem document has a status too, but a number.
        is_problem = isinstance(document.get("status"), int)
        if is_problem or not document.keys() & self.get_json_schema()["properties"].keys():
            return f"tyntec is failing: {quote_answer(response)} where a status was expected."
        asked = unquote(urlsplit(response.request.url or "").path.rpartition("/")[2])
        got = document.get("requestId") or asked
        got = got if isinstance(got, str) else json.dumps(got, ensure_ascii=False)
        different = got.casefold() != asked.casefold()
        return f"tyntec answered the request for {asked} with the status of {quote(got)}." if different else None

    def status(self, request_id: str) -> Row | Skipped:
        """The status of one message, or why tyntec has none for this id.

        Raises:
            AirbyteTracedException: with the words for the user, if tyntec did not tell.
            ReadStoppedError: if tyntec was not asked, because reading has stopped.
        """
        try:
            _, response = self._fetch_next_page({"request_id": request_id})
            if response.status_code == requests.codes.not_found:
                return Skipped("unknown", "is unknown to tyntec, or older than three months.")
            if not response.ok:
                return Skipped("refused", f"was refused by tyntec: {quote_answer(response)}.")
            (status,) = self.parse_response(response)
        except ReadStoppedError:
            raise
        except Exception as error:
            raise in_plain_words(error) from None
        status["requestId"] = status.get("requestId") or request_id
        return status

    def parse_response(self, response: requests.Response, **kwargs: Any) -> list[Row]:
        status = decode(response)
        if not isinstance(status, dict):
            raise _wrong(status, "where the status of a message was expected")
        return [status]

    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """The status of each message that tyntec knows.

        Raises:
            AirbyteTracedException: at the end, if any status could not be read, or tyntec has none for any of the ids.
        """
        request_ids = self._config.request_ids
        report = Report(len(request_ids), self.logger)
        self._pace.start()
        for result in self.results(request_ids, self.status, self._config.num_workers):
            yield from self.rate_limit_notice(report.progress)
            if result and not isinstance(result[1], ReadStoppedError):
                if isinstance(result[1], dict):
                    yield result[1]
                report.add(*result)
            if report.consecutive_failures >= CONSECUTIVE_FAILURES:
                self._pace.stop()
        report.finish()


class Report:
    """Counts what became of the request ids of one read, and finds the words for it."""

    def __init__(self, total: int, logger: logging.Logger) -> None:
        self._total, self._logger = total, logger
        self._counts = Counter(read=0)
        self._ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)  # those not read, by kind and reason
        self._failure_types: set[FailureType] = set()
        self._next_progress = time.monotonic() + SECONDS_BETWEEN_PROGRESS
        self.consecutive_failures = 0

    @property
    def progress(self) -> str:
        """How many ids were asked for, and what came of it."""
        counts = ", ".join(f"{count:,} {kind}" for kind, count in self._counts.items())
        return f"{self._counts.total():,} of {self._total:,} request ids asked: {counts}."

    def add(self, request_id: str, outcome: Row | Skipped | AirbyteTracedException) -> None:
        """Count what became of one id."""
        kind, why = outcome if isinstance(outcome, Skipped) else ("read", "")
        if isinstance(outcome, AirbyteTracedException):
            kind, why = "failed", str(outcome)
            self._failure_types.add(outcome.failure_type)
        self._counts[kind] += 1
        self.consecutive_failures = self.consecutive_failures + 1 if kind == "failed" else 0
        if kind != "read":
            self._ids[kind, why].append(request_id)
            if len(self._ids[kind, why]) % IDS_PER_WARNING == 0:
                self._name(kind, why, IDS_PER_WARNING)
        asked, now = self._counts.total(), time.monotonic()
        if asked < self._total and (asked % IDS_BETWEEN_PROGRESS == 0 or now >= self._next_progress):
            self._next_progress = now + SECONDS_BETWEEN_PROGRESS
            self._logger.info(self.progress)

    def finish(self) -> None:
        """Name the rest of the ids that were not read, and say how many were.

        Raises:
            AirbyteTracedException: if any status could not be read, or tyntec has none for any of the ids.
        """
        for (kind, why), request_ids in self._ids.items():
            self._name(kind, why, len(request_ids) % IDS_PER_WARNING)
        self._logger.info(self.progress)
        reasons = {why: request_ids for (kind, why), request_ids in self._ids.items() if kind == "failed"}
        if reasons:
            failed, rest = list(chain(*reasons.values())), self._total - self._counts.total()
            names = ", ".join(failed[:NAMED_FAILURES])
            names += f" and {len(failed) - NAMED_FAILURES:,} more" if len(failed) > NAMED_FAILURES else ""
            most = sorted(reasons, key=lambda why: -len(reasons[why]))[:3]
            told = " ".join(why if len(reasons) == 1 else f"{len(reasons[why]):,} of them: {why}" for why in most)
            told += f" The other {rest:,} were not asked for: they would have failed too." if rest else ""
            fixable = FailureType.config_error in self._failure_types
            raise traced(
                f"{len(failed):,} of {self._total:,} statuses could not be read: {names}. {told} {self.progress}",
                FailureType.config_error if fixable else self._failure_types.pop(),
            )
        if not self._counts["read"]:
            raise config_error(
                f"tyntec has no status for any of the {self._total:,} SMS request ids: each {next(iter(self._ids))[1]} "
                "Enter the requestId of a newer message in the setting 'SMS Message Request ID'."
            )

    def _name(self, kind: str, why: str, last: int) -> None:
        if last:
            what = "not read: %s. %s" if kind == "failed" else "skipped: %s. Each %s"
            self._logger.warning(f"Request ids {what}", ", ".join(self._ids[kind, why][-last:]), why)  # noqa: G004


class ListStream(TyntecStream, ABC):
    """A stream whose endpoint answers with a list of rows, each of which is a record.

    endpoint: the path. rows_field: the field of the answer that holds the rows.
    """

    answers = error_handler.LIST_ANSWERS
    max_bytes = 256_000_000
    endpoint: str
    rows_field: str

    def path(self, **kwargs: Any) -> str:
        return self.endpoint

    def request_params(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(kwargs["next_page_token"])

    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """The rows of the list.

        Raises:
            AirbyteTracedException: with the words for the user, if the list could not be read in full.
        """
        self._pace.start()
        try:
            yield from self.rows()
        except Exception as error:
            plain = in_plain_words(error)
            raise traced(f"The stream {self.name} could not be read. {plain}", plain.failure_type) from None

    def rows(self) -> Iterator[StreamData]:
        """The rows of the list, all in one answer."""
        response = yield from self.get({})
        if response.status_code == requests.codes.not_found:
            raise self.not_found(response)
        yield from self.parse_response(response)

    def get(self, params: Mapping[str, Any]) -> Generator[models.AirbyteMessage, None, requests.Response]:
        """The answer to one request with the query parameters `params`."""
        response: requests.Response | Exception = ReadStoppedError()
        for result in self.results([params], lambda params: self._fetch_next_page(None, None, params)[1], workers=1):
            yield from self.rate_limit_notice("Then the list is asked for again.")
            response = result[1] if result else response
        if isinstance(response, Exception):
            raise response
        return response

    def parse_response(self, response: requests.Response, **kwargs: Any) -> list[Row]:
        """The rows in an answer; none if it is 204, or a page too many.

        Raises:
            AirbyteTracedException: if the answer, or a row in it, has another shape.
        """
        rows = [row for page in self.pages(response) for row in page[self.rows_field]]
        for row in rows:
            if not isinstance(row, dict):
                raise _wrong(row, f"among the rows of '{self.rows_field}'")
        return rows

    def pages(self, response: requests.Response) -> list[dict[str, Any]]:
        """The objects that wrap rows in an answer: one, or an array of them."""
        if response.status_code in (requests.codes.no_content, requests.codes.not_found):
            return []
        document = decode(response)
        pages = document if isinstance(document, list) and document else [document]
        for page in pages:
            if not isinstance(page, dict) or not isinstance(page.get(self.rows_field), list):
                raise _wrong(page, f"without the list '{self.rows_field}' that was expected")
        return pages

    def not_found(self, response: requests.Response) -> AirbyteTracedException:
        """The error for a list, or a page in the middle of it, that is not there."""
        return config_error(
            f"tyntec has no such list for this account, or broke it off: {quote_answer(response)}. Deselect this "
            "stream in the connection, or ask tyntec whether the account may use it."
        )


class Contacts(ListStream):
    """The contacts of the account's phone numbers.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/contacts/v1
    """

    primary_key = "contactId"
    endpoint = "byon/contacts/v1"
    rows_field = "contacts"


class PhoneNumbers(ListStream):
    """The phone numbers that were created with the key. No field of a row is documented to be unique.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/phonebook/v1/numbers
    """

    primary_key = None
    endpoint = "byon/phonebook/v1/numbers"
    rows_field = "provisioningRequests"
    page_size = MOST_ROWS_PER_PAGE

    def rows(self) -> Iterator[StreamData]:
        """The rows of the list, page by page."""
        pages = Pages(self.page_size or MOST_ROWS_PER_PAGE)
        while pages.params:
            response = yield from self.get(pages.params)
            found = self.pages(response)
            needed = pages.read or response.status_code == requests.codes.not_found
            if not found and needed and not pages.may_be_whole:
                raise self.not_found(response)
            yield from pages.new_rows(self.parse_response(response), found[0].get("size") if found else None)
        if pages.read < pages.announced:
            self.logger.warning("tyntec announced %d phone numbers, but gave %d.", pages.announced, pages.read)
        elif pages.repeated_full_page:
            self.logger.warning("tyntec gave a full page twice: there may be more than %d phone numbers.", pages.read)


class PhoneRegistrations(ListStream):
    """The requests by which phone numbers were registered.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/provisioning/v1
    """

    primary_key = "requestId"
    endpoint = "byon/provisioning/v1"
    rows_field = "provisioningRequests"


def _get(queue: "SimpleQueue[Item]") -> Item | None:
    try:
        return queue.get(timeout=1)
    except Empty:
        return None


def _outcome(ask: Callable[[Item], Any], item: Item) -> Any:
    try:
        return ask(item)
    except Exception as error:
        return error


def _wrong(document: object, where: str) -> AirbyteTracedException:
    """The error for a JSON document of another kind than tyntec documents."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    kind = kinds.get(type(document), "a number")
    return traced(
        f"tyntec answered with {kind} {where}. If this lasts, report it to the maintainers of this connector.",
        FailureType.system_error,
    )
