"""Faults and rate limits with the waits and time limits of production. Run by `make soak`."""

import itertools
import re

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import config, longest, run
from integration_tests.sandbox_limits import Limit
from source_tyntec_sms.session import READ

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
SECONDS_TO_START = 20  # ten of them start at once


@pytest.mark.parametrize("fault", ["hang", "trickle", "500", "429", "reset-before"])
def test_a_check_answers_within_two_minutes(start_sandbox: StartSandbox, fault: str) -> None:
    sandbox = start_sandbox(faults={"message_status": fault}, trickle=1, retry_after="7" if fault == "429" else None)
    result = run(sandbox.url, "check", time_scale=1, timeout=200)
    assert result.connection_status["status"] == "FAILED"
    assert result.seconds < 120


@pytest.mark.parametrize("stream", ["message_status", "contacts"])
@pytest.mark.parametrize("fault", ["hang", "trickle", "503", "cut"])
def test_a_read_ends_as_soon_as_the_policy_says(start_sandbox: StartSandbox, fault: str, stream: str) -> None:
    sandbox = start_sandbox(faults={stream: fault}, trickle=1)
    ids = [f"id-{number}" for number in range(100)]
    result = run(
        sandbox.url, "read", config(*ids, num_workers=20), streams=[stream, "phone_numbers"], time_scale=1, timeout=1000
    )
    assert result.ended(stream) == "INCOMPLETE"
    assert result.errors(stream)[0]["failure_type"] == "transient_error"
    assert len(result.records("phone_numbers")) == len(sandbox.rows["phone_numbers"])
    assert result.seconds < longest(READ) + SECONDS_TO_START


@pytest.mark.parametrize("retry_after", [True, False], ids=["with Retry-After", "bare"])
def test_a_limit_per_minute_costs_time_but_no_row(start_sandbox: StartSandbox, retry_after: bool) -> None:
    ids = [f"id-{number}" for number in range(650)]
    sandbox = start_sandbox(
        statuses={name: sandbox_data.status(name) for name in ids}, limit=Limit(300, 60, retry_after), delay=0.05
    )
    result = run(sandbox.url, "read", config(*ids), streams=["message_status"], time_scale=1, timeout=400)
    assert result.exit_code == 0
    assert len(result.records("message_status")) == 650
    # Two windows pass until the last ids may be sent; one more where the first begins in the middle of a minute.
    assert result.seconds < (1.1 if retry_after else 1.25) * 120 + 60
    assert sandbox.refused < 0.1 * 650
    assert "RATE_LIMITED" in result.reasons("message_status")
    assert "tyntec limits the rate of requests: waiting for" in result.log("INFO")


@pytest.mark.parametrize("stream", ["message_status", "contacts"])
def test_a_long_wait_is_told_at_least_once_a_minute(start_sandbox: StartSandbox, stream: str) -> None:
    sandbox = start_sandbox(faults={stream: "429:1"}, retry_after="150")
    result = run(sandbox.url, "read", streams=[stream], time_scale=1, timeout=400)
    assert result.exit_code == 0
    told = re.findall(r"limits the rate of requests: waiting for (\d+) seconds", result.log("INFO"))
    waits = [150, *map(int, told), 0]
    assert max(before - after for before, after in itertools.pairwise(waits)) <= 60
    assert result.reasons(stream) == ["RATE_LIMITED"] * 3
