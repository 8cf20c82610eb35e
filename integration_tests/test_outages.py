"""An outage in the middle of a sync: a passing one costs time, a lasting one ends the sync."""

from dataclasses import replace

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import QUICK, config, failures, ids, read, statuses
from sandbox import Outage

IDS = statuses(120)
# Waits for at least 1.5 seconds in all, five times the outage below.
PATIENT = replace(QUICK, first_wait=0.01, longest_wait=0.3, max_attempts=12)


@pytest.mark.parametrize("kind", ["503", "reset", "refuse"])
def test_an_outage_that_passes_costs_no_row(start_sandbox: StartSandbox, kind: str) -> None:
    sandbox = start_sandbox(statuses=IDS, outage=Outage(kind, 60, 0.3))
    output = read(config(*IDS), "message_status", policy=PATIENT)
    assert not failures(output)
    assert ids(output) == sorted(IDS)
    assert kind == "refuse" or sandbox.requests() > len(IDS)


@pytest.mark.parametrize("kind", ["503", "reset", "refuse"])
def test_an_outage_that_lasts_is_one_error(start_sandbox: StartSandbox, kind: str) -> None:
    sandbox = start_sandbox(statuses=IDS, outage=Outage(kind, 60, 3600))
    output = read(config(*IDS), "message_status", "contacts")
    assert failures(output).keys() == {"", "message_status", "contacts"}
    failed, words = failures(output)["message_status"]
    assert failed == "transient_error"
    assert "ry again later" in words
    assert f"{len(ids(output))} of 120 message statuses read" in words
    assert 60 - QUICK.max_attempts <= len(ids(output)) <= 60
    assert sandbox.requests() < 60 + 40 * QUICK.max_attempts
