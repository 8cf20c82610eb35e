"""The faults of the sandbox: what happens to real services, their gateways and networks."""

import asyncio
import json
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from typing_extensions import Self

from sandbox.data import LISTS, STATUS_PATH, Row

_HTML = "<!doctype html><html><body><h1>Maintenance</h1></body></html>"
_RESPONSES = {
    "no-route": (404, '{"message": "no Route matched with those values"}'),
    "no-key": (401, '{"message": "No API key found in request"}'),
    "rejected": (403, '{"message": "Invalid authentication credentials"}'),
    "no-service": (403, '{"message": "You cannot consume this service"}'),
    "ip": (403, '{"message": "Your IP address is not allowed"}'),
    "limited": (429, '{"message": "API rate limit exceeded"}'),
    "unavailable": (503, '{"message": "The upstream server is currently unavailable"}'),
    "html": (200, _HTML),
    "empty": (200, ""),
    "null": (200, "null"),
    "no-list": (200, '{"size": 0}'),
    "rows-of-text": (200, json.dumps({each.rows_field: ["text"] for each in LISTS.values()})),
}
_CHANGES: dict[str, Callable[[Row], Row]] = {
    "id-of-another": lambda row: row | {"requestId": "00000000-0000-4000-8000-000000000000"},
    "id-in-capitals": lambda row: row | {"requestId": row["requestId"].upper()},
    "no-id": lambda row: {name: value for name, value in row.items() if name != "requestId"},
}
NAMES = ("reset", "cut", "hang", "redirect", "echo", "problem-200", *_RESPONSES, *_CHANGES)


def check_fault(fault: str) -> None:
    """Check a fault: one of `NAMES`, an HTTP status, or HTML such as `404-html`; each with `:N`.

    Raises:
        ValueError: if the sandbox does not know it.
    """
    name = re.sub(r":[1-9]\d*$", "", fault)
    if name not in NAMES and not re.fullmatch(r"[345]\d\d|[2345]\d\d-html", name):
        known = ", ".join(NAMES)
        raise ValueError(f"{fault!r}: known are a status from 300 to 599, 404-html, {known}")


@dataclass(frozen=True)
class Outage:
    """A time of some seconds, after a number of requests, without service.

    Attributes:
        kind: "503"; "reset": connections are reset; "refuse": the port is closed.
    """

    kind: str
    after: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Create an outage from KIND:AFTER:SECONDS, such as "503:200:100".

        Raises:
            ValueError: if the text has another form.
        """
        found = re.fullmatch(r"(503|reset|refuse):(\d+):(\d+\.?\d*)", text)
        if not found:
            raise ValueError(f"{text!r}: write KIND:AFTER:SECONDS; KIND is 503, reset or refuse")
        return cls(found[1], int(found[2]), float(found[3]))


def canned(name: str) -> web.Response:
    """A response that does not depend on the request."""
    status, text = _RESPONSES[name]
    kind = "text/html" if text == _HTML else "application/json"
    return web.Response(text=text, status=status, content_type=kind)


def problem(code: int, path: str) -> web.Response:
    """The error of a service: its own format for BYON, else a problem document (RFC 7807)."""
    title = {400: "Bad Request", 404: "Not Found"}.get(code, "Service Error")
    if path.startswith("/byon/"):
        error = {"code": title.replace(" ", ""), "message": title, "timestamp": 1521202708881}
        return web.json_response(error, status=code)
    error = {"type": "https://docs.tyntec.com/problems", "title": title, "status": code}
    error["detail"] = f"The message request failed: {title.lower()}"
    return web.json_response(error, status=code, content_type="application/problem+json")


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Reset a connection."""
    if isinstance(transport, asyncio.Transport):
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def respond(fault: str, request: web.BaseRequest, good: web.Response) -> web.Response:
    """The response, or the loss of the connection, in place of the `good` response."""
    if fault in _RESPONSES:
        return canned(fault)
    if fault in _CHANGES and request.path.startswith(STATUS_PATH) and good.status == 200:
        return web.json_response(_CHANGES[fault](json.loads(good.text or "")))
    if fault == "echo":
        words = f"The key {request.headers['apikey']} is not allowed"
        return web.json_response({"message": words}, status=403)
    if fault[0].isdigit() or fault in ("redirect", "problem-200"):
        return _with_status(fault, request)
    if fault == "hang":
        await asyncio.sleep(3600)
    elif fault == "reset":
        reset(request.transport)
    elif fault == "cut" and request.transport:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
        request.transport.write(head + b'{"requestId": "')
        request.transport.close()
    return good  # which aiohttp does not send on a closed connection


def _with_status(fault: str, request: web.BaseRequest) -> web.Response:
    status = int(fault[:3]) if fault[0].isdigit() else 302
    if fault == "problem-200":
        response, status = problem(500, request.path), 200
    elif fault.endswith("html"):
        response = canned("html")
    else:
        response = canned("limited") if status == 429 else problem(status, request.path)
    response.set_status(status)
    if 300 <= status < 400:
        elsewhere = request.url.with_host("localhost").with_path("/messaging/v1/sms")
        response.headers["Location"] = str(elsewhere)
    return response
