"""The faults again, with the waits and time limits of production. Run by `make soak`."""

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import config, run
from source_tyntec_sms.session import CHECK, READ

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
SECONDS_TO_START = 20  # ten of them start at once


@pytest.mark.parametrize("fault", ["hang", "trickle", "500", "429", "reset-before"])
def test_a_check_answers_within_two_minutes(start_sandbox: StartSandbox, fault: str) -> None:
    sandbox = start_sandbox(faults={"message_status": fault}, trickle=1, retry_after="14" if fault == "429" else None)
    result = run(sandbox.url, "check", time_scale=1, timeout=200)
    assert result.connection_status["status"] == "FAILED"
    assert result.seconds < min(120, CHECK.longest + SECONDS_TO_START)


@pytest.mark.parametrize("fault", ["hang", "trickle", "503", "429", "cut"])
def test_a_read_ends_within_its_budget(start_sandbox: StartSandbox, fault: str) -> None:
    sandbox = start_sandbox(
        faults={"message_status": fault, "contacts": fault}, trickle=1, retry_after="30" if fault == "429" else None
    )
    result = run(
        sandbox.url, "read", config(*(f"id-{n}" for n in range(100)), num_workers=20), time_scale=1, timeout=1000
    )
    for stream in ("message_status", "contacts"):
        assert result.ended(stream) == "INCOMPLETE"
        assert result.errors(stream)[0]["failure_type"] == "transient_error"
    assert "were not tried" in result.error("message_status")
    assert len(result.records("phone_numbers")) == 3210
    assert result.seconds < READ.longest + SECONDS_TO_START
