"""What the unit tests share: a source that waits next to nothing, and a clean environment."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import requests
import requests_mock
from airbyte_cdk.models import SyncMode
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.utils import airbyte_secrets_utils
from hypothesis import settings
from hypothesis import strategies as st

from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.session import CHECK, READ

# A busy machine makes single examples slow. That is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

API = "https://api.tyntec.com"
STATUSES = f"{API}/messaging/v1/messages"
LOGGER = logging.getLogger("test")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
SHORT: dict[str, Any] = {"first_wait": 0.001, "longest_wait": 0.002, "longest_bare_hold": 0.002}


def source(**policy: Any) -> SourceTyntecSms:
    """The connector with waits of a millisecond or two, and with `policy` in its policies."""
    return SourceTyntecSms(replace(READ, **{**SHORT, **policy}), replace(CHECK, **{**SHORT, **policy}))


def config(*request_ids: str, **settings: Any) -> dict[str, Any]:
    """A configuration with these request ids, or with one, and with `settings`."""
    first, *others = request_ids or ("id-1",)
    return {"api_key": "k3y-k3y", "message_request_id": first, "additional_message_request_ids": others, **settings}


def streams(settings: Mapping[str, Any] | None = None, **policy: Any) -> dict[str, HttpStream]:
    """The streams of the connector by their name."""
    found = source(**policy).streams(config() if settings is None else settings)
    return {stream.name: stream for stream in found if isinstance(stream, HttpStream)}


LISTS = [name for name in streams() if name != "message_status"]


def messages(stream: HttpStream) -> list[Any]:
    """All that `stream` yields in a full refresh."""
    return [
        message
        for stream_slice in stream.stream_slices(sync_mode=SyncMode.full_refresh)
        for message in stream.read_records(SyncMode.full_refresh, stream_slice=stream_slice)
    ]


def read(stream: HttpStream) -> list[dict[str, Any]]:
    """The records of `stream`."""
    return [message for message in messages(stream) if isinstance(message, dict)]


def response(
    body: bytes = b"{}", status_code: int = 200, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """An answer of the API."""
    return requests_mock.create_response(
        requests.Request("GET", API).prepare(),
        content=body,
        status_code=status_code,
        headers=headers or {},
    )


@pytest.fixture
def api() -> Iterator[requests_mock.Mocker]:
    """The API, which answers what a test tells it to, and fails a test that asks for anything else."""
    with requests_mock.Mocker() as mocker:
        yield mocker


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No address, proxy or certificates from outside, and no key of one test masked in the messages of the next."""
    for name in ("TYNTEC_API_URL", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    airbyte_secrets_utils.update_secrets([])
    yield
    airbyte_secrets_utils.update_secrets([])
