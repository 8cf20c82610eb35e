"""Fixtures of the unit tests."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from airbyte_cdk.sources.streams.http import rate_limiting
from airbyte_cdk.utils import airbyte_secrets_utils
from requests_mock import Mocker

from source_tyntec_sms import client


class BlockedError(Exception):
    """A thread would wait until another one wakes it."""


class Clock:
    """Stands for the time and for a Condition. A wait moves it forward."""

    def __init__(self) -> None:
        self.now = 20_000 * 86400.0  # the begin of a day in UTC
        self.waits: list[float] = []

    def wait(self, seconds: float | None) -> None:
        if seconds is None:
            raise BlockedError
        self.waits.append(seconds)
        self.now += seconds

    def notify_all(self) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *args: object) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time in `client`, for one worker. A back-off takes 0.9 of the longest time."""
    clock = Clock()
    monkeypatch.setattr(client, "Condition", lambda: clock)
    monkeypatch.setattr(client, "monotonic", lambda: clock.now)
    monkeypatch.setattr(client, "time", lambda: clock.now)
    monkeypatch.setattr(client, "uniform", lambda *_: 0.9)
    monkeypatch.setattr(rate_limiting, "time", SimpleNamespace(sleep=clock.wait))
    return clock


@pytest.fixture
def api() -> Iterator[Mocker]:
    """The API, which responds as a test says. Other requests fail."""
    with Mocker(case_sensitive=True) as api:
        yield api


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from outside. Neither a key nor a log level of one test counts in the next."""
    for name in ("TYNTEC_API_URL", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    airbyte_secrets_utils.update_secrets([])
    yield
    for name in ("airbyte", "airbyte.SourceTyntecSms"):
        logging.getLogger(name).setLevel(logging.INFO)
