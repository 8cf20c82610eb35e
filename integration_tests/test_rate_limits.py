"""Rate limits as tyntec's gateway sets them, in windows of a second or of an hour."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import check, config, failures, ids, read, statuses
from sandbox import Limit
from sandbox.limits import HEADERS
from source_tyntec_sms.client import CHECK, READ

IDS = statuses(32)
NOON = 1_700_000_000 // 86400 * 86400 + 43200.0


@pytest.mark.parametrize("headers", HEADERS)
def test_a_limit_costs_no_row(start_sandbox: StartSandbox, headers: str) -> None:
    sandbox = start_sandbox(statuses=IDS, limit=Limit(8, "second", headers))
    output = read(config(*IDS, num_workers=40), "message_status", policy=READ)
    assert not failures(output)
    assert ids(output) == sorted(IDS)
    assert sandbox.refused
    assert output.is_in_logs("tyntec's rate limit is reached. All requests wait")


def test_sources_with_one_key_share_a_limit(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(statuses=IDS, limit=Limit(8, "second", "none"))
    halves = [*IDS][:16], [*IDS][16:]
    with ThreadPoolExecutor() as pool:
        reads = [
            pool.submit(read, config(*half, num_workers=40), "message_status", policy=READ)
            for half in halves
        ]
    for half, each in zip(halves, reads, strict=True):
        assert not failures(each.result())
        assert ids(each.result()) == half
    assert sandbox.refused


@pytest.mark.parametrize("headers", ["kong-1", "kong-2", "retry-after"])
def test_an_hour_used_up_fails_and_says_when(start_sandbox: StartSandbox, headers: str) -> None:
    sandbox = start_sandbox(statuses=IDS, limit=Limit(7, "hour", headers, clock=lambda: NOON + 600))
    output = read(config(*IDS), "message_status", policy=READ)
    kind, words = failures(output)["message_status"]
    assert kind == "transient_error"
    assert re.search(r"resets in (50 minutes|3,000 seconds)", words)
    assert "7 of 32 message statuses read" in words
    assert len(ids(output)) == 7
    assert sandbox.refused <= 32
    assert "resets in" in check(config(*IDS), CHECK)
