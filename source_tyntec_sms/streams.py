"""The four streams of tyntec's API: https://api.tyntec.com/reference/sms/current.html."""

from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from airbyte_cdk import HttpStream
from airbyte_cdk.sources.streams.http import HttpClient
from requests import Response

from source_tyntec_sms import client
from source_tyntec_sms.config import Config, api_url
from source_tyntec_sms.errors import UNKNOWN_ID, UnknownIdError, as_failure, defect
from source_tyntec_sms.records import Row, SchemaTransformer, decode
from source_tyntec_sms.report import Report

Result = tuple[str, Row | Exception]
EXTRA_PENDING = 10  # more requests than workers, so that no worker waits for the reader
PAGE_SIZE = 3000  # the most that tyntec allows


class TyntecStream(HttpStream, ABC):
    """What all endpoints share: the address, the API key, time-outs and retries.

    handler: shared by all streams of a sync, as an outage and a rate limit concern them all.
    """

    is_resumable = False  # HttpStream would resume from a page number, which may have moved
    url_base = ""

    def __init__(self, config: Config, handler: client.TyntecErrorHandler) -> None:
        super().__init__()
        self._config, self._stopped = config, Event()
        self.transformer = SchemaTransformer(self.get_json_schema())
        self.url_base, policy = f"{api_url()}/", handler.limit.policy
        # HttpStream takes no session, and its own one reaches any host.
        self._http_client = HttpClient(
            self.name,
            self.logger,
            handler,
            session=client.TyntecSession(self, handler.limit, self._stopped),
            backoff_strategy=client.TyntecBackoffStrategy(policy, self.logger),
            request_timeout=(policy.connect_timeout, policy.read_timeout),
        )

    def request_headers(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        key = self._config.api_key
        return {"apikey": key, "Accept": "application/json", "Accept-Encoding": "gzip"}

    def next_page_token(self, response: Response) -> None:
        """None: a stream that has pages requests them itself."""


class MessageStatus(TyntecStream):
    """The delivery status of each SMS whose request id is in the settings, one request each."""

    primary_key = "requestId"

    def path(self, **kwargs: Any) -> str:
        return f"messaging/v1/messages/{kwargs['stream_slice']['request_id']}"

    def parse_response(self, response: Response, **kwargs: Any) -> list[Row]:
        """The status, as a list of one row. Raises an UnknownIdError if the service refuses the id.

        Raises an AirbyteTracedException for any other response.
        """
        request_id, document = kwargs["stream_slice"]["request_id"], decode(response)
        row = document if isinstance(document, dict) else {}
        if not response.ok and "title" not in row:  # not the problem document of the service
            raise defect(f"tyntec refused the request: {client.describe(response)}.")
        if not response.ok:  # without the detail, which may name the id: one reason for many
            refused = f"tyntec refused the id: HTTP {response.status_code} ({row['title']})."
            raise UnknownIdError(UNKNOWN_ID if response.status_code == 404 else refused)
        found = str(row.get("requestId") or "nothing")
        if found.lower() != request_id.lower():
            raise defect(f"tyntec sent the status of {found} for {request_id}.")
        return [{**row, "requestId": request_id}]  # spelled as in the settings, to join rows by it

    def status(self, request_id: str) -> Row:
        """The status of one message. Raises the errors of `parse_response`, and the CDK's."""
        stream_slice = {"request_id": request_id}
        _, response = self._fetch_next_page(stream_slice)
        return self.parse_response(response, stream_slice=stream_slice)[0]

    def outcomes(self, request_ids: Sequence[str]) -> Iterator[Result]:
        """Read statuses in parallel. Yields each request id with its row or error, in any order.

        An error is an UnknownIdError or an AirbyteTracedException. Only a few more ids than there
        are workers are pending, so that neither many ids nor a slow reader fill the memory.
        """
        requested, completed = SimpleQueue[str | None](), SimpleQueue[Result]()
        workers, waiting, pending = self._config.num_workers, iter(request_ids), 0
        self._stopped.clear()

        def work() -> None:
            while request_id := requested.get():
                try:
                    completed.put((request_id, self.status(request_id)))
                except Exception as error:
                    completed.put((request_id, as_failure(error)))

        # Daemons, because the end of the process would wait for the threads of an executor.
        for _ in range(workers):
            Thread(target=work, daemon=True).start()
        try:
            while True:
                for request_id in islice(waiting, workers + EXTRA_PENDING - pending):
                    requested.put(request_id)
                    pending += 1
                if not pending:
                    return
                yield completed.get()
                pending -= 1
        finally:
            self._stopped.set()
            for _ in range(workers):
                requested.put(None)

    def read_records(self, *args: Any, **kwargs: Any) -> Iterator[Row]:
        """The statuses that tyntec has. Raises an error at the end, see `Report.finish`."""
        request_ids = self._config.request_ids
        report = Report(len(request_ids), self.logger)
        for request_id, outcome in self.outcomes(request_ids):
            report.add(request_id, outcome)
            report.log_progress()
            if isinstance(outcome, dict):
                yield outcome
            if report.is_hopeless:
                break
        report.finish()


class ListStream(TyntecStream, ABC):
    """The rows of a list. `endpoint`: its path. rows_field: the field that holds the rows."""

    endpoint: str
    rows_field: str
    _promised = 0

    def path(self, **kwargs: Any) -> str:
        return self.endpoint

    def request_params(self, *args: Any, **kwargs: Any) -> Any:
        return kwargs["next_page_token"]

    def parse_response(self, response: Response, **kwargs: Any) -> list[Row]:
        """The rows of a response. Raises an AirbyteTracedException if it has no list of objects.

        An object wraps the rows, which tyntec's OpenAPI file shows in an array.
        """
        if response.status_code == 204:
            return []
        document = decode(response)
        try:
            wrappers = document if isinstance(document, list) and document else [document]
            sizes = [each.get("size") for each in wrappers]
            self._promised = max([self._promised, *(n for n in sizes if isinstance(n, int))])
            # list.copy raises a TypeError for anything else, even if it is empty.
            return [{**row} for each in wrappers for row in list.copy(each[self.rows_field])]
        except (AttributeError, LookupError, TypeError):
            words = f"tyntec sent no list of '{self.rows_field}': {client.describe(response)}."
            raise defect(words) from None

    def rows(self, **params: int) -> list[Row]:
        """The rows of one request, none past the end. `params`: the query parameters."""
        _, response = self._fetch_next_page(next_page_token=params)
        if response.ok:
            return self.parse_response(response)
        if "page" not in params or response.status_code not in (400, 404, 416):
            raise defect(f"tyntec refused the request: {client.describe(response)}.")
        if response.status_code != 404:
            self.logger.warning("tyntec ended the list with %s.", client.describe(response))
        return []

    def pages(self) -> Iterator[list[Row]]:
        """The rows of each page. Without paging, that is one."""
        yield self.rows()

    def read_records(self, *args: Any, **kwargs: Any) -> Iterator[Row]:
        """The rows of the list. Raises an AirbyteTracedException if it was not read in full."""
        total = 0
        try:
            for page in self.pages():
                total += len(page)
                yield from page
        except Exception as error:
            raise as_failure(error) from None
        if self._promised > total:
            self.logger.warning("tyntec announced %d rows and sent %d.", self._promised, total)


class Contacts(ListStream):
    """The contacts of the account's phone numbers."""

    primary_key = "contactId"
    endpoint = "byon/contacts/v1"
    rows_field = "contacts"


class PhoneNumbers(ListStream):
    """The phone numbers created with the key. No field of a row is documented to be unique."""

    primary_key = None
    endpoint = "byon/phonebook/v1/numbers"
    rows_field = "provisioningRequests"

    def pages(self) -> Iterator[list[Row]]:
        """Pages of 3,000 rows. Fewer rows need no `page`, which tyntec documents only by name.

        It is not documented whether pages count from 0 or 1, or whether `page` is ignored.
        """
        first = rows = self.rows(size=PAGE_SIZE)
        yield [*map(dict, first)]  # copies, because the transformer changes rows in place
        for page in count(1):
            if len(rows) < PAGE_SIZE:
                return
            rows = self.rows(size=PAGE_SIZE, page=page)
            if rows != first:
                yield rows
            elif page > 1:
                self.logger.warning(
                    "tyntec ignores the page number: there may be more phone numbers."
                )
                return


class PhoneRegistrations(ListStream):
    """The requests by which phone numbers were registered."""

    primary_key = "requestId"
    endpoint = "byon/provisioning/v1"
    rows_field = "provisioningRequests"
