"""The faults of the sandbox: answers that are wrong, hostile or none at all. Each is met over a real socket."""

import asyncio
import gzip
import json
import socket
import struct
import zlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from aiohttp import web
from typing_extensions import override

from integration_tests.sandbox_data import LISTS, Row

Fault = Callable[[web.Request, web.Response], Awaitable[web.StreamResponse]]
"""Given a request and the good answer to it, what is answered instead."""

Then = Literal["reset", "close", "hold", "keep"]
"""What becomes of a connection: it is reset, closed, left without a further byte, or kept for the next request."""

MB = 1_000_000
_BLOCK = 2**20
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _JSON + b"Transfer-Encoding: chunked\r\n\r\n"
_ROWS_FIELDS = {listing.rows_field for listing in LISTS.values()}


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


class Written(web.Response):
    """Stands for bytes that were written to the connection already."""

    def __init__(self, keep: bool = False) -> None:
        super().__init__()
        self._keep = keep

    @property
    @override
    def keep_alive(self) -> bool:
        return self._keep

    @override
    async def prepare(self, request: web.BaseRequest) -> None:
        """Write no header."""

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        """Write no body."""


async def write(request: web.Request, sent: bytes, then: Then) -> web.StreamResponse:
    """Write bytes in place of an answer, whatever they are."""
    transport = request.transport
    if transport is not None:
        transport.write(sent)
        if then == "reset":
            await asyncio.sleep(0.02)  # what was sent has to arrive first
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        elif then == "hold":
            await asyncio.sleep(3600)
    return Written(keep=then == "keep")


async def write_endlessly(request: web.Request, head: bytes, block: bytes, pause: float = 0) -> web.StreamResponse:
    """Write `head`, then `block` after `block` as fast as the reader takes them, until it goes away."""
    transport = request.transport
    if transport is not None:
        transport.write(head)
        while not transport.is_closing():
            transport.write(block)
            await asyncio.sleep(pause)
            while transport.get_write_buffer_size() > _BLOCK:
                await asyncio.sleep(0.001)
    return Written()


def raw(sent: bytes, then: Then = "reset") -> Fault:
    """A fault below HTTP: some bytes, and what becomes of the connection."""

    async def fault(request: web.Request, _good: web.Response) -> web.StreamResponse:
        return await write(request, sent, then)

    return fault


def endless(head: bytes, block: bytes, pause: float = 0) -> Fault:
    """An answer that never ends; `pause` is in seconds."""

    async def fault(request: web.Request, _good: web.Response) -> web.StreamResponse:
        return await write_endlessly(request, head, block, pause)

    return fault


def answering(body: bytes, content_type: str = "application/json", status: int = 200, **headers: str) -> Fault:
    """An answer with the wrong content. An underscore in a header's name stands for a hyphen."""

    async def fault(_request: web.Request, _good: web.Response) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={"Content-Type": content_type, **named})

    return fault


def refusing(words: Callable[[str], str]) -> Fault:
    """A 403 that quotes the API key in a form that `words` makes of it."""

    async def fault(request: web.Request, _good: web.Response) -> web.StreamResponse:
        return gateway(403, f"The key {words(request.headers['apikey'])} is not welcome")

    return fault


def changed(**fields: Any) -> Fault:
    """The good answer with other values in each of its records. A callable is given the value that was there."""

    def change(row: Row) -> Row:
        return {**row, **{name: new(row.get(name)) if callable(new) else new for name, new in fields.items()}}

    async def fault(_request: web.Request, good: web.Response) -> web.StreamResponse:
        if good.status != 200:
            return good
        # JSON has no infinity, but numbers too large for a float: they have to be sent as they are.
        sent = json.dumps(_map_records(json.loads(good.text or ""), change), ensure_ascii=False)
        return web.json_response(text=sent.replace('"-1e999"', "-1e999"))

    return fault


def _map_records(document: Any, change: Callable[[Row], Row]) -> Any:
    if isinstance(document, list):
        return [_map_records(each, change) for each in document]
    for name in _ROWS_FIELDS & document.keys():
        return {**document, name: [change(row) for row in document[name]]}
    return change(document)


def sent_with(lines: Callable[[], Iterator[bytes]] = lambda: iter(()), after: bytes = b"") -> Fault:
    """The good answer with further header lines, and with bytes behind its body. The connection is kept."""

    async def fault(request: web.Request, good: web.Response) -> web.StreamResponse:
        body = (good.text or "").encode()
        head = f"HTTP/1.1 {good.status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return await write(
            request, head.encode() + b"".join(line + b"\r\n" for line in lines()) + b"\r\n" + body + after, "keep"
        )

    return fault


def packed(*encodings: str) -> Fault:
    """A gigabyte of JSON that was packed into about a megabyte, or less if it is packed twice."""

    async def fault(_request: web.Request, _good: web.Response) -> web.StreamResponse:
        body = await asyncio.to_thread(bomb, *encodings)
        headers = {"Content-Type": "application/json", "Content-Encoding": ", ".join(encodings).replace("-members", "")}
        return web.Response(body=body, headers=headers)

    return fault


@cache
def bomb(encoding: str, *outer: str) -> bytes:
    """About a gigabyte of JSON: "gzip", "gzip-members" (a stream for each megabyte) or "deflate", packed again or not.

    One block is packed once and repeated, since packing all of it takes seconds.
    """
    first, block, last = b'{"status": "DELIVERED", "reference": "', b"x" * _BLOCK, b'"}'
    times = 1000
    if encoding == "gzip-members":
        result = gzip.compress(first) + gzip.compress(block) * times + gzip.compress(last)
    else:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        pieces = [packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for piece in (first, block, last)]
        result = pieces[0] + pieces[1] * times + pieces[2] + packer.flush()
        if encoding == "gzip":
            checksum = 0
            for piece in (first, *[block] * times, last):
                checksum = zlib.crc32(piece, checksum)
            length = len(first) + times * len(block) + len(last)
            result = gzip.compress(b"")[:10] + result + struct.pack("<II", checksum, length)
    for _ in outer:
        result = gzip.compress(result)
    return result


def _five_cookies() -> Iterator[bytes]:
    """Cookies that no earlier answer set, and that stay for longer than a date can tell."""
    for _ in range(5):
        yield f"Set-Cookie: {uuid4().hex}={'x' * 64}; Path=/; Max-Age=99999999999999999999".encode()


def _base64(key: str) -> str:
    return b64encode(key.encode()).decode()


async def _hang(_request: web.Request, _good: web.Response) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


async def _early_hints(request: web.Request, good: web.Response) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    return good


def large(size: int) -> Fault:
    """The good answer with a further field of `size` bytes, in the object that is the status or wraps the rows."""

    async def fault(request: web.Request, good: web.Response) -> web.StreamResponse:
        text = good.text or ""
        head = text.removesuffix("]").removesuffix("}") + ', "filler": "'
        tail = '"}]' if text.endswith("]") else '"}'
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(head.encode()) + size + len(tail)
        await response.prepare(request)
        await response.write(head.encode())
        for start in range(0, size, _BLOCK):
            await response.write(b"x" * min(_BLOCK, size - start))
        await response.write(tail.encode())
        return response

    return fault


FAULTS: Mapping[str, Fault] = {
    # The connection
    "reset-before": raw(b""),
    "reset-in-headers": raw(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "reset-after-headers": raw(_JSON + b"Content-Length: 500\r\n\r\n"),
    "cut": raw(_JSON + b'Content-Length: 500\r\n\r\n{"requestId": "x', "close"),
    "cut-chunk": raw(_CHUNKED + b'ff\r\n{"requestId": "x', "close"),
    "hang": _hang,
    # HTTP
    "no-http": raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "close"),
    "bad-version": raw(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}", "close"),
    "bad-status": raw(b"HTTP/1.1 two hundred OK\r\nContent-Length: 2\r\n\r\n{}", "close"),
    "103-then-200": _early_hints,
    "endless-100": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01),
    "endless-102": endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", pause=0.01),
    "two-lengths": raw(_JSON + b"Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}", "close"),
    "bad-length": raw(_JSON + b"Content-Length: many\r\n\r\n{}", "close"),
    "negative-length": raw(_JSON + b"Content-Length: -5\r\n\r\n{}", "close"),
    "negative-chunk": raw(_CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", "close"),
    "bad-chunk": raw(_CHUNKED + b"two\r\n{}\r\n0\r\n\r\n", "close"),
    "bare-header": sent_with(lambda: iter([b"this line has no colon"])),
    "many-headers": sent_with(lambda: (b"X-Header-%d: x" % number for number in range(200))),
    "long-header": sent_with(lambda: iter([b"X-Header: " + b"x" * 100_000])),
    "cookies": sent_with(_five_cookies),
    "extra-bytes": sent_with(after=b"\r\nthese bytes belong to no answer"),
    "extra-answer": sent_with(after=_JSON + b'Content-Length: 39\r\n\r\n{"requestId": "x", "status": "EXPIRED"}'),
    "bad-location": answering(b"", status=302, Location="http://["),
    "to-itself": answering(b"", status=302, Location="/byon/contacts/v1"),
    "other-host": answering(b"", status=302, Location="http://localhost.invalid/messaging/v1/sms"),
    "other-scheme": answering(b"", status=307, Location="ftp://127.0.0.1/messaging/v1/sms"),
    "no-content": answering(b"", status=204),
    # Encodings
    "bad-gzip": answering(gzip.compress(b'{"requestId": "x"}')[:-12], Content_Encoding="gzip"),
    "not-gzip": answering(b'{"requestId": "x"}', Content_Encoding="gzip"),
    "gzip-bomb": packed("gzip"),
    "gzip-bomb-members": packed("gzip-members"),
    "gzip-bomb-twice": packed("gzip", "gzip"),
    "deflate-bomb": packed("deflate"),
    "endless-chunks": endless(_CHUNKED + b'e\r\n{"requestId":"\r\n', b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
    "endless-body": endless(_JSON + b'Connection: close\r\n\r\n{"requestId": "', b"x" * 0x10000),
    "huge": large(50 * MB),
    "wrong-charset": answering(
        b'{"status": "DELIVERED", "reference": "M\xfcller"}', "application/json; charset=iso-8859-1"
    ),
    "unknown-charset": answering(
        '{"status": "DELIVERED", "reference": "Müller"}'.encode(), "application/json; charset=klingon"
    ),
    # JSON
    "html": answering(b"<html><body>Maintenance</body></html>", "text/html"),
    "empty": answering(b""),
    "null": answering(b"null"),
    "list": answering(b"[]"),
    "string": answering(b'"maintenance"'),
    "number": answering(b"42"),
    "nan": answering(b'{"size": NaN}'),
    "deep": answering(b"[" * 200_000),
    # Records
    "no-list": answering(b'{"size": 0}'),
    "rows-of-text": answering(json.dumps({name: ["a"] for name in sorted(_ROWS_FIELDS)} | {"size": 1}).encode()),
    "message-only": answering(b'{"message": "An unexpected error occurred"}'),
    "id-of-another": changed(requestId="id-0"),
    "id-in-capitals": changed(requestId=lambda value: str(value).upper()),
    "id-as-number": changed(requestId=4711),
    "huge-numbers": changed(largest=2**64 + 1, least="-1e999"),
    "emoji": changed(reference="Happy birthday 🎉"),
    # The gateway
    "rejected": answering(b'{"message": "Invalid authentication credentials"}', status=401),
    "no-service": answering(b'{"message": "You cannot consume this service"}', status=403),
    "no-route": answering(b'{"message": "no Route matched with those values"}', status=404),
    "echo": refusing(str),
    "echo-percent": refusing(partial(quote, safe="")),
    "echo-base64": refusing(_base64),
}
