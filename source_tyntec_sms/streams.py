"""What is read: the four streams of tyntec's API, over one base stream."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote

import requests
from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.streams.http import HttpClient, HttpStream
from airbyte_cdk.sources.streams.http.error_handlers import BackoffStrategy, ErrorHandler
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from typing_extensions import override

from source_tyntec_sms.answers import Answers, StatusAnswers, in_plain_words, kind_of, unexpected
from source_tyntec_sms.errors import traced
from source_tyntec_sms.paging import Pages
from source_tyntec_sms.records import SchemaTransformer, decode
from source_tyntec_sms.retries import READ, Backoff, Budget
from source_tyntec_sms.settings import MAX_WORKERS, Settings, api_url
from source_tyntec_sms.tally import Tally
from source_tyntec_sms.transport import ApiKeyAuthenticator, session

MOST_ROWS_PER_PAGE = 3000


class TyntecStream(HttpStream, ABC):
    """What all endpoints share: the address, the key, the headers, the limits, and what an answer means.

    Raises, while it is constructed:
        AirbyteTracedException: config_error if an environment variable that the connector reads cannot be used.
    """

    # Full refresh only. HttpStream would offer to resume one, from a page number that may have moved by then.
    is_resumable = False
    answers: type[Answers] = Answers

    def __init__(self, settings: Settings, budget: Budget = READ) -> None:
        self._settings = settings
        self._url = api_url()
        self._budget = budget.scaled()
        self._answers = self.answers(self._budget)
        authenticator = ApiKeyAuthenticator(settings.api_key)
        super().__init__(authenticator=authenticator)
        # HttpStream cannot be given a session: its own reaches any host, and pools ten connections for http.
        self._http_client = HttpClient(
            name=self.name,
            logger=self.logger,
            error_handler=self.get_error_handler(),
            backoff_strategy=self.get_backoff_strategy(),
            authenticator=authenticator,
            session=session(self._url, self._budget.answer, connections=MAX_WORKERS),
        )
        self.transformer = SchemaTransformer(self.get_json_schema())

    @property
    @override
    def url_base(self) -> str:
        return f"{self._url}/"

    @override
    def get_error_handler(self) -> ErrorHandler:
        return self._answers

    @override
    def get_backoff_strategy(self) -> BackoffStrategy:
        return Backoff(self._budget, self.logger)

    @override
    def request_headers(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {"Accept": "application/json"}

    @override
    def request_kwargs(self, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        return {
            "allow_redirects": False,
            "timeout": (self._budget.connect, self._budget.silence),
        }

    @override
    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        return None

    @override
    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """The records of one slice.

        Raises:
            AirbyteTracedException: with the words for the user, if the slice could not be read in full.
        """
        try:
            yield from super().read_records(*args, **kwargs)
        except Exception as error:
            raise in_plain_words(error) from None


class MessageStatus(TyntecStream):
    """The delivery state of each SMS whose request id is in the settings, one request per id.

    https://api.tyntec.com/reference/sms/current.html: GET /messaging/v1/messages/{requestId}
    """

    primary_key = "requestId"
    answers = StatusAnswers

    def __init__(self, settings: Settings, budget: Budget = READ) -> None:
        super().__init__(settings, budget)
        self._start()

    def _start(self) -> None:
        self._answers.hopeless = False
        self._tally = Tally(len(self._settings.request_ids), self.logger)

    @override
    def path(self, *, stream_slice: Mapping[str, Any] | None = None, **kwargs: Any) -> str:
        return f"messaging/v1/messages/{quote((stream_slice or {})['request_id'], safe='')}"

    @override
    def stream_slices(self, **kwargs: Any) -> Iterable[Mapping[str, Any]]:
        self._start()
        for request_id in self._settings.request_ids:
            yield {"request_id": request_id}

    @override
    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterable[StreamData]:
        """The status of the slice's request id, if tyntec knows it.

        Raises:
            AirbyteTracedException: on the last of the slices, if any of them could not be read, or none is known.
        """
        request_id = (stream_slice or {})["request_id"]
        if self._tally.stopped:
            error = self._tally.untried()
        else:
            try:
                status = self.status(request_id)
            except AirbyteTracedException as failure:
                error = self._tally.failed(request_id, failure, self._answers.hopeless)
                self._answers.hopeless |= self._tally.stopped
            else:
                if status is not None:
                    yield status
                    error = self._tally.known()
                else:
                    error = self._tally.unknown(request_id)
        if error:
            raise error

    def status(self, request_id: str) -> Mapping[str, Any] | None:
        """The status of one message, None if tyntec does not know the id.

        Raises:
            AirbyteTracedException: with the words for the user, if tyntec did not tell.
        """
        records = super().read_records(SyncMode.full_refresh, stream_slice={"request_id": request_id})
        return next(iter(records), None)  # type: ignore[return-value]  # parse_response yields no messages

    @override
    def parse_response(
        self, response: requests.Response, *, stream_slice: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> Iterable[Mapping[str, Any]]:
        if response.status_code == requests.codes.not_found:
            return
        status = decode(response)
        if not isinstance(status, dict):
            raise unexpected(f"{kind_of(status)} where the status of a message was expected")
        if status.get("requestId") in (None, ""):
            status["requestId"] = (stream_slice or {})["request_id"]
        yield status


class ListStream(TyntecStream, ABC):
    """A stream whose endpoint answers with a list of rows, each of which is a record."""

    @property
    @abstractmethod
    def rows_field(self) -> str:
        """The field of the answer that holds the rows."""

    @override
    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        self._answers.hopeless = False
        try:
            yield from super().read_records(*args, **kwargs)
        except AirbyteTracedException as error:
            raise traced(f"The stream {self.name} could not be read. {error}", error.failure_type) from None

    @override
    def parse_response(self, response: requests.Response, **kwargs: Any) -> Iterable[Mapping[str, Any]]:
        for page in self.pages(response):
            yield from page[self.rows_field]

    def pages(self, response: requests.Response) -> list[dict[str, Any]]:
        """The objects that wrap rows in an answer: one, or an array of them; none if it is 204, or a page too many.

        Raises:
            AirbyteTracedException: if the answer, or a row in it, has another shape.
        """
        if response.status_code in (requests.codes.no_content, requests.codes.not_found):
            return []
        document = decode(response)
        pages = document if isinstance(document, list) and document else [document]
        for page in pages:
            rows = page.get(self.rows_field) if isinstance(page, dict) else None
            if not isinstance(rows, list):
                raise unexpected(f"{kind_of(page)} without the list '{self.rows_field}' that was expected")
            for row in rows:
                if not isinstance(row, dict):
                    raise unexpected(f"{kind_of(row)} among the rows of '{self.rows_field}'")
        return pages


class Contacts(ListStream):
    """The contacts of the account's phone numbers.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/contacts/v1
    """

    primary_key = "contactId"
    rows_field = "contacts"

    @override
    def path(self, **kwargs: Any) -> str:
        return "byon/contacts/v1"


class PhoneNumbers(ListStream):
    """The phone numbers that were created with the key. No field of a row is documented to be unique.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/phonebook/v1/numbers
    """

    primary_key = None
    rows_field = "provisioningRequests"
    page_size = MOST_ROWS_PER_PAGE

    @override
    def path(self, **kwargs: Any) -> str:
        return "byon/phonebook/v1/numbers"

    @override
    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        self._pages = Pages(self.page_size or MOST_ROWS_PER_PAGE, self.logger)
        self._answers.may_be_read = False
        yield from super().read_records(*args, **kwargs)

    @override
    def request_params(
        self,
        stream_state: Mapping[str, Any] | None,
        stream_slice: Mapping[str, Any] | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> MutableMapping[str, Any]:
        return {"size": self.page_size, **(next_page_token or {})}

    @override
    def parse_response(self, response: requests.Response, **kwargs: Any) -> Iterable[Mapping[str, Any]]:
        pages = self.pages(response)
        rows = [row for page in pages for row in page[self.rows_field]]
        yield from self._pages.new_rows(rows, pages[0].get("size") if pages else 0)

    @override
    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        self._answers.may_be_read = self._pages.may_be_read
        return self._pages.token


class PhoneRegistrations(ListStream):
    """The requests by which phone numbers were registered.

    https://api.tyntec.com/reference/sms/current.html: GET /byon/provisioning/v1
    """

    primary_key = "requestId"
    rows_field = "provisioningRequests"

    @override
    def path(self, **kwargs: Any) -> str:
        return "byon/provisioning/v1"
