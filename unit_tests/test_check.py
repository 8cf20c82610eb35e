"""The test of a connection."""

import logging
from itertools import count

import pytest
import requests_mock
from airbyte_cdk.models import Status
from requests_mock import Mocker

from source_tyntec_sms import source as module
from source_tyntec_sms.client import CHECK, RetryPolicy
from unit_tests import tyntec
from unit_tests.conftest import Clock
from unit_tests.helpers import FAST, LOGGER, Settings, config, ids, source
from unit_tests.tyntec import KEY, STATUSES, UNKNOWN, Reply, gateway, status

Log = pytest.LogCaptureFixture


def check(settings: Settings, policy: RetryPolicy = FAST) -> str:
    """The message of a check, empty if the check succeeds."""
    result = source(policy).check(LOGGER, settings)
    assert (result.status is Status.SUCCEEDED) == (result.message is None)
    return result.message or ""


def warnings(log: Log) -> list[str]:
    return [record.message for record in log.records if record.levelno == logging.WARNING]


def test_one_status_is_read(api: Mocker, caplog: Log) -> None:
    api.get(f"{STATUSES}id-1", **status())
    assert check(config("id-1", "id-2")) == ""
    assert api.call_count == 1
    assert warnings(caplog) == []


def test_an_additional_id_replaces_an_unknown_one(api: Mocker, caplog: Log) -> None:
    api.get(requests_mock.ANY, **UNKNOWN)
    api.get(f"{STATUSES}id-3", **status("id-3"))
    assert check(config(*ids(5))) == ""
    (warning,) = warnings(caplog)
    assert "id-3" in warning
    assert "no status for the request id id-1" in warning


def test_unknown_ids_cost_101_requests(api: Mocker) -> None:
    api.get(requests_mock.ANY, **UNKNOWN)
    message = check(config(*ids(20_000), num_workers=40))
    assert message.startswith("The API key works, but")
    assert "no status for the request id id-1. Unknown to tyntec" in message
    assert "Enter the requestId of a newer message" in message
    assert api.call_count == 101


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(
    "failed",
    [gateway(401, "No key"), gateway(403, "IP"), tyntec.NO_ROUTE, tyntec.UNAVAILABLE],
)
def test_a_failure_fails_the_check_at_once(api: Mocker, at: int, failed: Reply) -> None:
    api.get(requests_mock.ANY, **UNKNOWN)
    api.get(f"{STATUSES}id-{at}", **failed)
    message = check(config(*ids(100)))
    assert f"HTTP {failed['status_code']}" in message
    assert "key works" not in message
    assert api.call_count < 30


def test_after_30_seconds_no_other_id_is_tried(
    api: Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "monotonic", count(0, 10).__next__)
    api.get(requests_mock.ANY, **UNKNOWN)
    assert "The API key works, but" in check(config(*ids(100)))
    assert api.call_count < 30


@pytest.mark.parametrize("seconds", [1, 30, 60])
def test_a_limited_check_ends_within_two_minutes(api: Mocker, clock: Clock, seconds: int) -> None:
    begin = clock.now
    api.get(requests_mock.ANY, **gateway(429, "Limit", Retry_After=str(seconds)))
    assert "limits the rate" in check(config(*ids(50)), CHECK)
    assert 50 < clock.now - begin < 120


def test_a_message_is_plain_and_masked(api: Mocker) -> None:
    api.get(requests_mock.ANY, **gateway(401, f"Who's {KEY}?"))
    assert check(config()).startswith("tyntec rejected the API key: HTTP 401 (Who's ****?)")
