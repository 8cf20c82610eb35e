"""The one way to tyntec: which host is spoken to, over how many connections, and for how long at most."""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

import requests
from airbyte_cdk.sources.streams.http.requests_native_auth.abstract_token import (
    AbstractHeaderAuthenticator,
)
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class ApiKeyAuthenticator(AbstractHeaderAuthenticator):
    """Adds the header `apikey`. Its presence also keeps requests from adding a credential out of a .netrc file.

    The CDK's `TokenAuthenticator` cannot serve: it puts a method and a space before the token, even an empty one.
    """

    auth_header = "apikey"
    token = ""

    def __init__(self, api_key: str) -> None:
        self.token = api_key


def session(api_url: str, answer_seconds: float, connections: int) -> requests.Session:
    """A session that can reach `api_url` and nothing else, for `connections` threads at the same time.

    An answer that is not there in full after `answer_seconds` ends as a time-out. requests limits only the silence
    between two bytes, so that a server which sends a byte a second would hold a worker for hours.
    """
    result = requests.Session()
    # Plain http is spoken on loopback only, where a proxy from the environment would see the key.
    result.trust_env = api_url.startswith("https://")
    result.adapters.clear()
    result.mount(f"{api_url}/", _Adapter(answer_seconds, connections))
    return result


class _DeadlineReader(io.RawIOBase):
    """A socket's reader that gives up at a moment in time, however often a byte arrives until then."""

    def __init__(self, raw: Any, sock: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._socket = sock
        self._silence = sock.gettimeout()
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        if self._silence is None or left < self._silence:
            self._socket.settimeout(left)
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Adapter(HTTPAdapter):
    """requests' adapter with a pool for all workers, for http too, and with a limit on the whole answer."""

    def __init__(self, seconds: float, connections: int) -> None:
        def answer(sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:
            response = HTTPResponse(sock, *args, **kwargs)
            response.fp = io.BufferedReader(_DeadlineReader(response.fp.detach(), sock, seconds))
            return response

        member = {"response_class": staticmethod(answer)}
        self._connection_class = {
            "http": type("_HttpConnection", (HTTPConnection,), member),
            "https": type("_HttpsConnection", (HTTPSConnection,), member),
        }
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._connection_class[pool.scheme]
        return pool
