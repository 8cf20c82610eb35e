"""A stand-in for tyntec's API: the four endpoints, their errors, and faults on demand, over a real socket.

    python -m integration_tests.sandbox --port 8080 --key my-key --fault contacts=503:2

It answers as tyntec's public documents say. It was never compared with the live API.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from aiohttp import web
from typing_extensions import Self

from integration_tests import sandbox_data
from integration_tests.sandbox_data import Row

Endpoint = Literal["message_status", "contacts", "phone_numbers", "phone_registrations"]
Paging = Literal["from 0", "from 1", "ignored", "last page again", "overlapping", "404 after the last"]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LISTS = {
    "contacts": "contacts",
    "phone_numbers": "provisioningRequests",
    "phone_registrations": "provisioningRequests",
}


@dataclass(frozen=True)
class Asked:
    """A request that the sandbox received, and when on the monotonic clock."""

    at: float
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Sandbox:
    """A server on loopback while the context lasts.

    faults: endpoint or request id to the name of a fault, see `FAULTS`: a number is an answer with that status. With
        ":N" after the name only the first N requests meet it, counted for each request id.
    chaos: given a path and how often it was asked for, the name of a fault, or None for a good answer.
    trickle: seconds between two bytes of the fault of that name.
    delay: seconds before each answer. asked: what was asked for, in order.
    most_per_page: the most phone numbers in an answer.
    size_counts: whether an answer's `size` is the number of rows in it or in the whole list.
    """

    key: str = "sandbox-key"
    port: int = 0
    byon: bool = True
    in_array: bool = False
    delay: float = 0
    trickle: float = 0.02
    paging: Paging = "from 0"
    size_counts: Literal["page", "list"] = "page"
    most_per_page: int = 3000
    faults: dict[str, str] = field(default_factory=dict)
    chaos: Callable[[str, int], str | None] | None = None
    retry_after: str | None = None
    location: str = "/messaging/v1/sms"
    statuses: dict[str, Row] = field(default_factory=lambda: dict(sandbox_data.STATUSES))
    contacts: list[Row] = field(default_factory=lambda: sandbox_data.contacts(3))
    phone_numbers: list[Row] = field(default_factory=lambda: sandbox_data.phone_numbers(3210))
    phone_registrations: list[Row] = field(default_factory=lambda: sandbox_data.phone_registrations(2))
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self, path: str = "") -> int:
        """How many requests there were for `path` and what is below it."""
        return sum(asked.path.startswith(path) for asked in self.asked)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_get("/messaging/v1/messages/{request_id}", self._status)
        app.router.add_get("/byon/contacts/v1", self._contacts)
        app.router.add_get("/byon/phonebook/v1/numbers", self._phone_numbers)
        app.router.add_get("/byon/provisioning/v1", self._phone_registrations)
        return app

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    @web.middleware
    async def _gate(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        path = request.raw_path.split("?")[0]
        self.asked.append(Asked(time.monotonic(), request.method, path, dict(request.query), dict(request.headers)))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            key = request.headers.get("apikey")
            if not key:
                return gateway(401, "No API key found in request")
            if key != self.key:
                return gateway(401, "Invalid authentication credentials")
            try:
                return await handler(request)
            except web.HTTPException:
                return gateway(404, "no Route matched with those values")
        finally:
            self._at_once -= 1

    async def _faulty(self, request: web.Request, *names: str) -> web.StreamResponse | None:
        self._counts[request.path] += 1
        if self.chaos and (fault := self.chaos(request.path, self._counts[request.path])):
            return await self._fault(fault, request)
        for name in names:
            if name in self.faults:
                fault, _, times = self.faults[name].partition(":")
                if not times or self._counts[request.path] <= int(times):
                    return await self._fault(fault, request)
        return None

    async def _fault(self, name: str, request: web.Request) -> web.StreamResponse:
        if name == "trickle":
            return await self._trickle(request)
        if not name.isdigit():
            return await FAULTS[name](request)
        response = error(int(name), byon=request.path.startswith("/byon"))
        if self.retry_after is not None:
            response.headers["Retry-After"] = self.retry_after
        if 300 <= response.status < 400:
            response.headers["Location"] = self.location
        return response

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        answer = _JSON_HEAD + b'Content-Length: 9000\r\n\r\n{"requestId": "' + b"x" * 9000
        for byte in answer:
            if request.transport is None or request.transport.is_closing():
                break
            request.transport.write(bytes([byte]))
            await asyncio.sleep(self.trickle)
        return web.Response()

    async def _status(self, request: web.Request) -> web.StreamResponse:
        request_id = request.match_info["request_id"]
        if (answer := await self._faulty(request, request_id, "message_status")) is not None:
            return answer
        if request_id not in self.statuses:
            return error(404, byon=False)
        return web.json_response(self.statuses[request_id])

    async def _contacts(self, request: web.Request) -> web.StreamResponse:
        return await self._list(request, "contacts", self.contacts)

    async def _phone_registrations(self, request: web.Request) -> web.StreamResponse:
        return await self._list(request, "phone_registrations", self.phone_registrations)

    async def _phone_numbers(self, request: web.Request) -> web.StreamResponse:
        size = min(int(request.query.get("size", "100")), self.most_per_page)
        rows = self.phone_numbers
        step = size - 5 if self.paging == "overlapping" else size
        pages = [rows[start : start + size] for start in range(0, len(rows), step)]
        first = 1 if self.paging == "from 1" else 0
        page = int(request.query.get("page", first)) - first
        if self.paging == "ignored":
            page = 0
        if self.paging == "last page again":
            page = min(page, len(pages) - 1)
        if self.paging == "404 after the last" and page >= len(pages):
            return error(404, byon=True)
        return await self._list(request, "phone_numbers", pages[page] if 0 <= page < len(pages) else [])

    async def _list(self, request: web.Request, endpoint: Endpoint, rows: list[Row]) -> web.StreamResponse:
        if not self.byon:
            return gateway(404, "no Route matched with those values")
        if (answer := await self._faulty(request, endpoint)) is not None:
            return answer
        if not rows and endpoint != "phone_numbers":
            return web.Response(status=204)
        whole: list[Row] = getattr(self, endpoint)
        document: Any = {_LISTS[endpoint]: rows, "size": len(whole if self.size_counts == "list" else rows)}
        return web.json_response([document] if self.in_array else document)


def gateway(code: int, message: str) -> web.Response:
    """An answer of the gateway in front of the services."""
    return web.json_response({"message": message}, status=code)


def error(code: int, byon: bool) -> web.Response:
    """An error of a service: a problem document (RFC 7807) of the SMS service, or the BYON services' own form."""
    if code == 429:
        return gateway(429, "API rate limit exceeded")
    if byon:
        names = {404: ("ContactNotFound", "Contact not found")}
        kind, message = names.get(code, ("InternalError", "Something went wrong"))
        return web.json_response({"code": kind, "message": message, "timestamp": 1521202708881}, status=code)
    titles = {
        404: ("Not Found", "The message request was not found"),
        400: ("Bad Request", "The request id is malformed"),
    }
    title, detail = titles.get(code, ("Service Error", "The request could not be handled"))
    return web.json_response(
        {"type": "https://docs.tyntec.com/problems", "title": title, "status": code, "detail": detail},
        status=code,
        content_type="application/problem+json",
    )


def answering(body: bytes, content_type: str = "application/json", status: int = 200, **headers: str) -> Fault:
    """A fault that is an answer with the wrong content. An underscore in a header's name stands for a hyphen."""

    async def fault(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={"Content-Type": content_type, **named})

    return fault


def raw(sent: bytes, reset: bool = True) -> Fault:
    """A fault below HTTP: some bytes, then the connection is reset or closed."""

    async def fault(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            transport.write(sent)
            await asyncio.sleep(0.02)
            if reset:
                connection: socket.socket = transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        return web.Response()

    return fault


async def _echo(request: web.Request) -> web.StreamResponse:
    return gateway(403, f"The key {request.headers['apikey']} is not welcome")


async def _hang(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


_JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

FAULTS: dict[str, Fault] = {
    "reset-before": raw(b""),
    "reset-in-headers": raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "reset-after-headers": raw(_JSON_HEAD + b"Content-Length: 500\r\n\r\n"),
    "cut": raw(_JSON_HEAD + b'Content-Length: 500\r\n\r\n{"requestId": "x', reset=False),
    "cut-chunk": raw(_JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"requestId": "x', reset=False),
    "echo": _echo,
    "hang": _hang,
    "html": answering(b"<html><body>Maintenance</body></html>", "text/html"),
    "empty": answering(b""),
    "null": answering(b"null"),
    "list": answering(b"[]"),
    "string": answering(b'"maintenance"'),
    "number": answering(b"42"),
    "no-list": answering(b'{"size": 0}'),
    "rows-of-text": answering(b'{"contacts": ["a"], "provisioningRequests": ["a"], "size": 1}'),
    "nan": answering(b'{"size": NaN}'),
    "deep": answering(b"[" * 200_000),
    "huge": answering(json.dumps({"requestId": "huge", "filler": "x" * 50_000_000}).encode()),
    "bad-gzip": answering(gzip.compress(b'{"requestId": "x"}')[:-12], Content_Encoding="gzip"),
    "not-gzip": answering(b'{"requestId": "x"}', Content_Encoding="gzip"),
    "wrong-charset": answering(
        b'{"status": "DELIVERED", "reference": "M\xfcller"}', "application/json; charset=iso-8859-1"
    ),
    "unknown-charset": answering(
        '{"status": "DELIVERED", "reference": "Müller"}'.encode(), "application/json; charset=klingon"
    ),
    "no-content": answering(b"", status=204),
    "to-itself": answering(b"", status=302, Location="/byon/contacts/v1"),
    "other-host": answering(b"", status=302, Location="http://localhost.invalid/messaging/v1/sms"),
    "other-scheme": answering(b"", status=307, Location="ftp://127.0.0.1/messaging/v1/sms"),
    "rejected": answering(b'{"message": "Invalid authentication credentials"}', status=401),
    "no-service": answering(b'{"message": "You cannot consume this service"}', status=403),
    "no-route": answering(b'{"message": "no Route matched with those values"}', status=404),
}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m integration_tests.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: 8080)")
    parser.add_argument("--key", default="sandbox-key", help="the API key that is accepted (default: sandbox-key)")
    parser.add_argument("--delay", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--no-byon", action="store_true", help="an account without contacts and phone numbers")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="WHERE=FAULT[:TIMES]",
        help=f"a stream or a request id, and an HTTP status or one of: {', '.join([*FAULTS, 'trickle'])}",
    )
    arguments = parser.parse_args()
    faults = dict(fault.split("=", 1) for fault in arguments.fault)
    with Sandbox(
        key=arguments.key, port=arguments.port, delay=arguments.delay, byon=not arguments.no_byon, faults=faults
    ) as sandbox:
        print(f"The sandbox listens on {sandbox.url}. Stop it with Ctrl-C.", flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
