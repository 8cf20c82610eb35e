"""What becomes of a connection: one that failed once is not used again, since it may answer late."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from integration_tests.connector import config, run

Answer = Callable[[int, int, str], bytes]
"""Given the number of the request, that on its connection (both from 1) and the request id, what is answered."""

IDS = [f"id-{number}" for number in range(6)]


class Server:
    """A server that answers on each connection with whatever bytes it is told to.

    requests: how many there were, by connection.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.requests: Counter[int] = Counter()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            for number in range(1000):
                connection, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            while first := lines.readline():
                while lines.readline().strip():
                    pass
                with self._lock:
                    self.requests[number] += 1
                    total, here = self.requests.total(), self.requests[number]
                connection.sendall(self._answer(total, here, first.split()[1].decode().rpartition("/")[2]))


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    """Starts servers."""
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.socket.shutdown(socket.SHUT_RDWR)
        server.socket.close()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def good(request_id: str) -> bytes:
    """A status without the id, so that nothing in it tells whose it is but the reference."""
    return http(json.dumps({"status": "DELIVERED", "reference": request_id}).encode())


FAILURES = {
    "429": http(b'{"message": "API rate limit exceeded"}', "429 Too Many Requests"),
    "500": http(b"{}", "500 Internal Server Error"),
    "408": http(b"{}", "408 Request Timeout"),
    "no JSON": http(b"<html>"),
    "bad gzip": http(b"this is no gzip", "200 OK", "Content-Encoding: gzip"),
    "negative chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    "no status": http(b'{"message": "An unexpected error occurred"}'),
    "another message": http(b'{"requestId": "another", "status": "DELIVERED"}'),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_connection_that_answers_late_after_a_failure_gives_no_message_the_status_of_another(
    serve: Callable[[Answer], Server], failure: str
) -> None:
    owed: list[bytes] = []

    def answer(request: int, on_connection: int, request_id: str) -> bytes:
        if request == 1:
            owed.append(good(request_id))
            return FAILURES[failure]
        if request == on_connection:  # still the first connection
            owed.append(good(request_id))
            return owed.pop(0)
        return good(request_id)

    server = serve(answer)
    result = run(server.url, "read", config(*IDS, num_workers=1), streams=["message_status"])
    assert result.exit_code == 0
    assert {row["requestId"]: row["reference"] for row in result.records("message_status")} == dict(
        zip(IDS, IDS, strict=True)
    )
    assert list(server.requests.values()) == [1, len(IDS)]


def test_a_second_answer_behind_the_first_is_taken_for_no_other_message(serve: Callable[[Answer], Server]) -> None:
    server = serve(lambda _request, _on_connection, request_id: good(request_id) + good("nobody"))
    result = run(server.url, "read", config(*IDS, num_workers=2), streams=["message_status"])
    assert result.exit_code == 0
    assert all(row["reference"] == row["requestId"] for row in result.records("message_status"))
    assert len(result.records("message_status")) == len(IDS)


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_a_connection_is_kept_while_nothing_fails(serve: Callable[[Answer], Server], status: str) -> None:
    server = serve(
        lambda request, _on_connection, _id: http(b'{"status": "DELIVERED"}', "200 OK" if request == 1 else status)
    )
    result = run(server.url, "read", config(*IDS, num_workers=1), streams=["message_status"])
    assert result.exit_code == 0
    assert list(server.requests.values()) == [len(IDS)]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nX-Header: ",
        b"",
    ],
    ids=["chunk size", "trailer", "header", "status line"],
)
def test_a_line_of_100_megabytes_does_not_fill_the_memory(serve: Callable[[Answer], Server], head: bytes) -> None:
    server = serve(lambda *_: head + b"1" * 100_000_000)
    result = run(server.url, "read", streams=["message_status"])
    assert result.ended("message_status") == "INCOMPLETE"
    assert result.errors("message_status")[0]["failure_type"] == "transient_error"
    assert result.peak_memory < 300  # the lowest versions of urllib3 read such a line whole
