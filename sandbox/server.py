"""The server of the sandbox: routes, the gateway's checks, lists in pages."""

import asyncio
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from aiohttp import web
from typing_extensions import Self

from sandbox.data import LISTS, STATUS_PATH, STATUSES, Row
from sandbox.faults import Outage, canned, check_fault, problem, reset, respond
from sandbox.limits import Limit
from sandbox.messages import Messages

Paging = Literal["from 0", "from 1", "ignored", "refused"]
AfterLast = Literal["empty", "204", "404", "400", "416", "503"]
_DEFAULT_SIZE, _MAX_SIZE = 100, 3000


@dataclass(frozen=True)
class Received:
    """A request, and when it was received on the monotonic clock."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Sandbox:
    """A server on 127.0.0.1 that runs in a thread while the context lasts.

    Attributes:
        byon: whether the account has the BYON service, which the lists belong to.
        delay: the seconds before each response.
        messages: how many statuses `sandbox.messages` adds; they are final after `settle_seconds`.
        rows: the rows by list; a list that is missing gets its default rows.
        in_array: whether the object around the rows is in an array.
        announced: the `size` of each response with rows, by default their number.
        paging: the number of the first page; "ignored": each page is the first one; "refused": a
            request with `page` gets a 400. `after_last` is the response to a page after the last.
        faults: the name of a fault (see `check_fault`) by stream or request id; with ":N", only
            the first N requests of each path meet it.
        chaos: returns the name of a fault for a path and its number of requests, or None.
        retry_after: the header of faults that are an HTTP status.
        received: the requests in order. most_at_once: the highest number of pending requests.

    Raises:
        ValueError: if `faults` or `rows` has an unknown name.
        OSError: on entry, if the port cannot be used.
    """

    key: str = "sandbox-key"
    port: int = 0
    byon: bool = True
    delay: float = 0
    statuses: dict[str, Row] = field(default_factory=lambda: dict(STATUSES))
    messages: int = 0
    settle_seconds: float = 60
    rows: dict[str, list[Row]] = field(default_factory=dict)
    in_array: bool = False
    announced: int | None = None
    paging: Paging = "from 0"
    after_last: AfterLast = "empty"
    faults: dict[str, str] = field(default_factory=dict)
    chaos: Callable[[str, int], str | None] | None = None
    retry_after: str | None = None
    limit: Limit | None = None
    outage: Outage | None = None
    received: list[Received] = field(default_factory=list, init=False)
    most_at_once: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if unknown := self.rows.keys() - LISTS.keys():
            raise ValueError(f"unknown lists {', '.join(unknown)}: known are {', '.join(LISTS)}")
        for fault in self.faults.values():
            check_fault(fault)
        self.rows = {name: each.rows(each.count) for name, each in LISTS.items()} | self.rows
        self._messages = Messages(self.messages, settle_seconds=self.settle_seconds)
        self._paths = {each.path: name for name, each in LISTS.items()}
        self._counts: Counter[str] = Counter()
        self._pending = 0
        self._outage_end: float | None = None

    @property
    def url(self) -> str:
        """The address of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"  # ignore-https-check: loopback

    @property
    def refused(self) -> int:
        """How many requests the rate limit refused."""
        return self.limit.refused if self.limit else 0

    def requests(self, path: str = "") -> int:
        """Count the requests for `path` and the paths below it."""
        return sum(request.path.startswith(path) for request in self.received)

    def status(self, request_id: str) -> Row | None:
        """The status of a message, None for an unknown id."""
        return self.statuses.get(request_id) or self._messages.status(request_id)

    def __enter__(self) -> Self:
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _bind(self) -> socket.socket:
        """A socket that holds the port. Connections are refused until the server listens on it."""
        bound = socket.socket()
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", self.port))
        except OSError:
            bound.close()
            raise
        return bound

    async def _start(self) -> None:
        self._http = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._server = await self._loop.create_server(self._http, sock=self._socket)

    async def _stop(self) -> None:
        self._server.close()
        self._socket.close()
        await asyncio.sleep(0.01)  # a connection just accepted gets a transport, which is closed
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.shutdown(0.1)

    async def _refuse_connections(self, seconds: float) -> None:
        self._server.close()
        for connection in self._http.connections:
            reset(connection.transport)
        self._socket = self._bind()
        await asyncio.sleep(seconds)
        self._server = await self._loop.create_server(self._http, sock=self._socket)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, now = request.rel_url.raw_path, time.monotonic()
        query, headers = dict(request.query), dict(request.headers)
        self.received.append(Received(now, request.method, path, query, headers))
        self._pending += 1
        self.most_at_once = max(self.most_at_once, self._pending)
        try:
            if (response := self._in_outage(request, now)) is not None:
                return response
            return await self._respond(request, path)
        finally:
            self._pending -= 1

    def _in_outage(self, request: web.BaseRequest, now: float) -> web.Response | None:
        outage = self.outage
        if outage is None or len(self.received) <= outage.after:
            return None
        if self._outage_end is None:
            self._outage_end = now + outage.seconds
            if outage.kind == "refuse":
                self._refusal = self._loop.create_task(self._refuse_connections(outage.seconds))
        if now >= self._outage_end:
            return None
        if outage.kind != "503":
            reset(request.transport)
        return canned("unavailable")

    async def _respond(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """The response of the gateway, in Kong's order: route, key, limit; else of a service."""
        stream = "message_status" if path.startswith(STATUS_PATH) else self._paths.get(path)
        if stream is None or request.method != "GET" or (stream in LISTS and not self.byon):
            return canned("no-route")
        key = request.headers.get("apikey")
        if key != self.key:
            return canned("rejected" if key else "no-key")
        admitted, headers = self.limit.admit(key) if self.limit else (True, {})
        if self.delay:
            await asyncio.sleep(self.delay)
        response = await self._serve(request, path, stream) if admitted else canned("limited")
        response.headers.update(headers)
        return response

    async def _serve(self, request: web.BaseRequest, path: str, stream: str) -> web.Response:
        request_id = unquote(path.removeprefix(STATUS_PATH))
        if stream in LISTS:
            good = self._list(stream, request.query)
        else:
            status = self.status(request_id)
            good = web.json_response(status) if status else problem(404, path)
        self._counts[path] += 1
        if not (fault := self._fault(path, request_id, stream)):
            return good
        check_fault(fault)  # a test may have changed the faults
        response = await respond(fault, request, good)
        if self.retry_after and fault.isdigit():
            response.headers["Retry-After"] = self.retry_after
        return response

    def _fault(self, path: str, *names: str) -> str | None:
        times = self._counts[path]
        if self.chaos and (fault := self.chaos(path, times)):
            return fault
        for name in names:
            fault, _, most = self.faults.get(name, "").partition(":")
            if fault and (not most or times <= int(most)):
                return fault
        return None

    def _list(self, name: str, query: Mapping[str, str]) -> web.Response:
        rows, listing = self.rows[name], LISTS[name]
        if not listing.paged:
            return self._wrap(name, rows) if rows else web.Response(status=204)
        size = int(query.get("size", _DEFAULT_SIZE))
        if size > _MAX_SIZE or ("page" in query and self.paging == "refused"):
            return problem(400, listing.path)
        first = 1 if self.paging == "from 1" else 0
        page = 0 if self.paging == "ignored" else int(query.get("page", first)) - first
        found = rows[page * size : (page + 1) * size] if page >= 0 else []
        if found or page == 0 or self.after_last == "empty":
            return self._wrap(name, found)
        if self.after_last == "204":
            return web.Response(status=204)
        return problem(int(self.after_last), listing.path)

    def _wrap(self, name: str, rows: list[Row]) -> web.Response:
        size = len(rows) if self.announced is None else self.announced
        document = {LISTS[name].rows_field: rows, "size": size}
        return web.json_response([document] if self.in_array else document)
