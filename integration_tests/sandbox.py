"""A stand-in for tyntec's API: its endpoints, their errors, rate limits, and faults on demand, over a real socket.

    python -m integration_tests.sandbox --port 8080 --key my-key --fault contacts=503:2 --limit 300/minute
    python -m integration_tests.sandbox --port 0 -- python main.py check --config integration_tests/sample_config.json

It answers as tyntec's public documents say. It was never compared with the live API. With a command after `--`, it
serves while the command runs, whose environment variable TYNTEC_API_URL is the sandbox's address.
"""

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

from aiohttp import web
from typing_extensions import Self

from integration_tests import sandbox_data
from integration_tests.sandbox_data import LISTS, STATUS_PATH, STREAMS, Row
from integration_tests.sandbox_faults import FAULTS, MB, Fault, error, gateway, large, raw, write
from integration_tests.sandbox_limits import Drop, Limit

Paging = Literal[
    "from 0", "from 1", "ignored", "last page again", "overlapping", "404 after the last", "204 after the last"
]
T = TypeVar("T")

FAULT_NAMES = (*FAULTS, "large", "late", "trickle")
_LONGEST_COOKIES = 4096


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

    rows: the rows of list streams that are not to have their default rows. Afterwards, the rows of all of them.
    messages: how many message statuses there are besides the samples; see `sandbox_messages`. settle_seconds: the time
        in which those that are pending become final.
    faults: stream or request id to the name of a fault: an HTTP status from 100 to 999, or one of `FAULT_NAMES`. With
        ":N" after the name only the first N requests meet it, counted for each path.
    chaos: given a path and how often it was asked for, the name of a fault, or None for a good answer.
    limit: the rate limit. refused: how many requests it refused.
    retry_after, location: the headers of faults that are an HTTP status, the second only of 3xx.
    trickle: seconds between two bytes of the fault of that name. filler: how many bytes the fault "large" adds.
    delay: seconds before each answer. asked: what was asked for, in order. most_at_once: requests under way.
    in_array: whether the object around rows is wrapped in an array.
    paging, most_per_page: how a list in pages behaves, and the most rows of one page.
    between: called with the sandbox and the number of the request, from 1, before each answer with a page: it may
        change `rows`.
    listed: how many rows pages hold in all, if not all that there are.
    size_counts: what an answer's `size` is: the number of rows in it, in the whole list, a number, or left out.

    Raises:
        ValueError: if `faults` names one that is not known.
        OSError: on entry, if the port cannot be listened on.
    """

    key: str = "sandbox-key"
    port: int = 0
    byon: bool = True
    in_array: bool = False
    delay: float = 0
    trickle: float = 0.02
    filler: int = 6 * MB
    paging: Paging = "from 0"
    size_counts: Literal["page", "list"] | int | None = "page"
    most_per_page: int = 3000
    listed: int | None = None
    between: Callable[["Sandbox", int], None] | None = None
    faults: dict[str, str] = field(default_factory=dict)
    chaos: Callable[[str, int], str | None] | None = None
    limit: Limit | None = None
    retry_after: str | None = None
    location: str = "/messaging/v1/sms"
    statuses: dict[str, Row] = field(default_factory=lambda: dict(sandbox_data.STATUSES))
    messages: int = 0
    settle_seconds: float = 60
    rows: dict[str, list[Row]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        if unknown := self.rows.keys() - LISTS.keys():
            raise ValueError(f"no lists of the sandbox: {', '.join(sorted(unknown))}; known are {', '.join(LISTS)}")
        for fault in self.faults.values():
            check_fault(fault)
        self.rows = {name: listing.rows(listing.count) for name, listing in LISTS.items()} | self.rows
        self._counts: Counter[str] = Counter()
        self._at_once = 0
        # What a connection still has to be told, if its answers come late.
        self._owed: WeakKeyDictionary[Any, web.Response] = WeakKeyDictionary()
        self._message_status: Callable[[str], Row | None] = lambda _request_id: None
        if self.messages:
            from integration_tests.sandbox_messages import Messages  # noqa: PLC0415  # only where it is needed

            self._message_status = Messages(self.messages, settle_seconds=self.settle_seconds).status

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def refused(self) -> int:
        return self.limit.refused if self.limit else 0

    def requests(self, path: str = "") -> int:
        """How many requests there were for `path` and what is below it."""
        return sum(asked.path.startswith(path) for asked in self.asked)

    def status(self, request_id: str) -> Row | None:
        """The status of a message, None if the sandbox does not know the id."""
        return self.statuses.get(request_id) or self._message_status(request_id)

    def __enter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(listening), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self, listening: socket.socket) -> None:
        app = web.Application(middlewares=[self._gate])
        app.router.add_get(f"{STATUS_PATH}{{request_id}}", self._status)
        for name, listing in LISTS.items():
            app.router.add_get(listing.path, partial(self._list, name))
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def _stop(self) -> None:
        await self._runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @web.middleware
    async def _gate(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        path = request.raw_path.split("?")[0]
        self.asked.append(Asked(time.monotonic(), request.method, path, dict(request.query), dict(request.headers)))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            refusal, headers = self._refuse(request)
            if self.delay:
                await asyncio.sleep(self.delay)
            try:
                response = await handler(request) if refusal is None else refusal
            except web.HTTPException:
                response = gateway(404, "no Route matched with those values")
            if not response.prepared:
                response.headers.update(headers)
            return response
        finally:
            self._at_once -= 1

    def _refuse(self, request: web.Request) -> tuple[web.Response | None, Mapping[str, str]]:
        """What the gateway answers on its own, if it does, and the headers that it adds to every answer."""
        key = request.headers.get("apikey")
        if len(request.headers.get("Cookie", "")) > _LONGEST_COOKIES:
            return gateway(431, "Request Header Or Cookie Too Large"), {}
        if not key:
            return gateway(401, "No API key found in request"), {}
        if key != self.key:
            return gateway(401, "Invalid authentication credentials"), {}
        if self.limit is None:
            return None, {}
        admitted, headers = self.limit.admit(key)
        return None if admitted else gateway(429, "API rate limit exceeded"), headers

    async def _status(self, request: web.Request) -> web.StreamResponse:
        request_id = request.match_info["request_id"]
        status = self.status(request_id)
        good = error(404, byon=False) if status is None else web.json_response(status)
        return await self._answer(request, good, request_id, "message_status")

    async def _list(self, name: str, request: web.Request) -> web.StreamResponse:
        if not self.byon:
            return gateway(404, "no Route matched with those values")
        self._counts[name] += 1
        if not LISTS[name].paged:
            rows = self.rows[name]
            good = self._wrapped(name, rows) if rows else web.Response(status=204)
        else:
            if self.between:
                self.between(self, self._counts[name])
            good = self._page(name, request.query)
        return await self._answer(request, good, name)

    def _page(self, name: str, query: Mapping[str, str]) -> web.Response:
        size = min(int(query.get("size", "100")), self.most_per_page)
        rows = self.rows[name][: self.listed]
        step = size - 5 if self.paging == "overlapping" else size
        pages = [rows[start : start + size] for start in range(0, len(rows), step)]
        first = 1 if self.paging == "from 1" else 0
        page = int(query.get("page", first)) - first
        if self.paging == "ignored":
            page = 0
        if self.paging == "last page again":
            page = min(page, len(pages) - 1)
        if 0 <= page < len(pages):
            return self._wrapped(name, pages[page])
        if self.paging == "404 after the last":
            return error(404, byon=True)
        return web.Response(status=204) if self.paging == "204 after the last" else self._wrapped(name, [])

    def _wrapped(self, name: str, rows: list[Row]) -> web.Response:
        document: Any = {LISTS[name].rows_field: rows}
        sizes = {"page": len(rows), "list": len(self.rows[name])}
        if self.size_counts is not None:
            document["size"] = sizes.get(str(self.size_counts), self.size_counts)
        return web.json_response([document] if self.in_array else document)

    async def _answer(self, request: web.Request, good: web.Response, *names: str) -> web.StreamResponse:
        """The good answer, or the fault that this request is to meet."""
        self._counts[request.path] += 1
        if (owed := self._owed.get(request.transport)) is not None:
            self._owed[request.transport] = good
            return owed
        times = self._counts[request.path]
        fault = self.chaos(request.path, times) if self.chaos else None
        for found in (self.faults[name] for name in names if name in self.faults):
            name, _, most = found.partition(":")
            if fault is None and (not most or times <= int(most)):
                fault = name
        return good if fault is None else await self._fault(fault)(request, good)

    def _fault(self, name: str) -> Fault:
        own = {"large": large(self.filler), "late": self._late, "trickle": self._trickle}
        if name.isdigit():
            return partial(self._http_status, int(name))
        return own[name] if name in own else FAULTS[name]

    async def _http_status(self, code: int, request: web.Request, good: web.Response) -> web.StreamResponse:
        if code < 200:
            return await raw(f"HTTP/1.1 {code} Informational\r\n\r\n".encode(), "hold")(request, good)
        response = error(code, byon=not request.path.startswith(STATUS_PATH))
        if self.retry_after is not None:
            response.headers["Retry-After"] = self.retry_after
        if 300 <= code < 400:
            response.headers["Location"] = self.location
        return response

    async def _late(self, request: web.Request, good: web.Response) -> web.StreamResponse:
        """A 500, after which each answer on this connection belongs to the request before."""
        self._owed[request.transport] = good
        return error(500, byon=not request.path.startswith(STATUS_PATH))

    async def _trickle(self, request: web.Request, _good: web.Response) -> web.StreamResponse:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
        answer = head + b'{"requestId": "' + b"x" * 9000
        for byte in answer:
            if request.transport is None or request.transport.is_closing():
                break
            request.transport.write(bytes([byte]))
            await asyncio.sleep(self.trickle)
        return await write(request, b"", "close")


def check_fault(fault: str) -> None:
    """Check that the sandbox knows `fault`.

    Raises:
        ValueError: if it does not, naming those that it knows.
    """
    found = re.fullmatch(r"([^:]+)(:[1-9]\d*)?", fault)
    if not found or not (re.fullmatch(r"[1-9]\d\d", found[1]) or found[1] in FAULT_NAMES):
        known = ", ".join(FAULT_NAMES)
        raise ValueError(f"{fault!r} is no fault of the sandbox: known are HTTP statuses from 100 to 999, {known}")


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A type for argparse that shows the words of a ValueError, which argparse would hide."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return parsed


def _port_argument(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise ValueError(f"{text!r} is no port: write a number from 0 to 65535")
    return int(text)


def _fault_argument(text: str) -> tuple[str, str]:
    where, equals, fault = text.partition("=")
    if not equals:
        raise ValueError(
            f"{text!r}: write WHERE=FAULT, such as contacts=503:2; WHERE is one of {', '.join(STREAMS)} or a request id"
        )
    check_fault(fault)
    return where, fault


def _rows_argument(text: str) -> tuple[str, list[Row]]:
    name, _, count = text.partition("=")
    if name not in LISTS or not count.isdigit():
        raise ValueError(f"{text!r}: write LIST=COUNT; lists are {', '.join(LISTS)}")
    return name, LISTS[name].rows(int(count))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m integration_tests.sandbox", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--port", type=_argument(_port_argument), default=8080, help="0 takes a free one (default: 8080)")
    add("--key", default="sandbox-key", help="the API key that is accepted (default: sandbox-key)")
    add("--delay", type=float, default=0, metavar="SECONDS", help="before each answer")
    add("--no-byon", action="store_true", help=f"an account without {', '.join(LISTS)}")
    add(
        "--messages",
        type=int,
        default=0,
        metavar="N",
        help="N message statuses of the last 30 days, besides the samples",
    )
    add("--settle", type=float, default=60, metavar="SECONDS", help="until pending --messages are final (default: 60)")
    add("--rows", type=_argument(_rows_argument), action="append", default=[], metavar="LIST=COUNT",
        help=f"how many rows a list has: {', '.join(LISTS)}")  # fmt: skip
    add("--fault", type=_argument(_fault_argument), action="append", default=[], metavar="WHERE=FAULT[:N]",
        help="WHERE is a stream, a known request id, or id: and any request id;\n"
        f"the first N requests, or all, meet a FAULT: an HTTP status, {', '.join(FAULT_NAMES)}")  # fmt: skip
    add("--retry-after", metavar="VALUE", help="the header Retry-After of faults that are an HTTP status")
    add("--limit", type=_argument(Limit.parse), metavar="COUNT/UNIT", help="a rate limit, such as 300/minute")
    add("--limit-headers", action="store_true", help="every answer says what remains of the limit")
    add("--limit-bare", action="store_true", help="the 429 of the limit has no Retry-After")
    add("--limit-drop", type=_argument(Drop.parse), metavar="TO:SECONDS:EVERY",
        help="such as 5:20:30, to let through 5 for 20 of every 30 seconds")  # fmt: skip
    add("command", nargs="*", metavar="COMMAND", help="serve until it ends, and end with its exit code")
    return parser


def main() -> int:
    """Serve until interrupted, or while a command runs.

    The exit code is that of the command, 1 if the port cannot be used, 2 if an argument cannot.
    """
    parser = _parser()
    arguments = parser.parse_args()
    if limit := arguments.limit:
        limit = replace(
            limit, headers=arguments.limit_headers, retry_after=not arguments.limit_bare, drop=arguments.limit_drop
        )
    elif arguments.limit_headers or arguments.limit_bare or arguments.limit_drop:
        parser.error("--limit-headers, --limit-bare and --limit-drop need --limit")
    sandbox = Sandbox(
        key=arguments.key,
        port=arguments.port,
        delay=arguments.delay,
        byon=not arguments.no_byon,
        messages=arguments.messages,
        settle_seconds=arguments.settle,
        rows=dict(arguments.rows),
        faults={where.removeprefix("id:"): fault for where, fault in arguments.fault},
        retry_after=arguments.retry_after,
        limit=limit,
    )
    for where, _ in arguments.fault:
        if where not in STREAMS and not where.startswith("id:") and not sandbox.status(where):
            parser.error(
                f"argument --fault: {where!r} is neither a stream ({', '.join(STREAMS)}) nor a request id that the "
                f"sandbox knows; write id:{where} for one that it does not know"
            )
    if arguments.command and not shutil.which(arguments.command[0]):
        parser.error(f"there is no command {arguments.command[0]}")
    try:
        with sandbox:
            if arguments.command:
                environment = {**os.environ, "TYNTEC_API_URL": sandbox.url}
                return subprocess.run(arguments.command, env=environment, check=False).returncode
            print(f"The sandbox listens on {sandbox.url}. Stop it with Ctrl-C.", flush=True)
            threading.Event().wait()
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        print(f"The sandbox cannot listen on port {arguments.port}: {reason}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
