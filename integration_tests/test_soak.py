"""Outages and rate limits with the waits of production, in processes. `make soak` runs it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import MAIN, arguments, config, failures, ids, run, statuses
from sandbox import Limit, Outage

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
KINDS = ["503", "reset", "refuse"]
IDS = statuses(400)


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_of_100_seconds_costs_time(
    start_sandbox: StartSandbox, tmp_path: Path, kind: str
) -> None:
    start_sandbox(statuses=IDS, outage=Outage(kind, 200, 100))
    given = arguments(tmp_path, config(*IDS), "message_status")
    assert ids(run([*MAIN, "read", *given], timeout=600)) == sorted(IDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_that_lasts_ends_within_minutes(
    start_sandbox: StartSandbox, tmp_path: Path, kind: str
) -> None:
    start_sandbox(statuses=IDS, outage=Outage(kind, 200, 3600))
    given = arguments(tmp_path, config(*IDS), "message_status")
    started = time.monotonic()
    output = run([*MAIN, "read", *given], exit_code=1, timeout=600)
    assert time.monotonic() - started < 300
    assert failures(output)["message_status"][0] == "transient_error"
    assert 180 <= len(ids(output)) <= 200


@pytest.mark.parametrize("count", [2, 4])
def test_processes_with_one_key_share_a_limit(
    start_sandbox: StartSandbox, tmp_path: Path, count: int
) -> None:
    sandbox = start_sandbox(statuses=IDS, limit=Limit(10, "second", "none"))
    shares = [[*IDS][number::count] for number in range(count)]
    commands = []
    for number, share in enumerate(shares):
        (folder := tmp_path / str(number)).mkdir()
        given = arguments(folder, config(*share, num_workers=40), "message_status")
        commands.append([*MAIN, "read", *given])
    with ThreadPoolExecutor() as pool:
        outputs = pool.map(lambda command: run(command, timeout=800), commands)
        assert [ids(output) for output in outputs] == shares
    assert sandbox.refused
