"""Many request ids, read by many workers."""

import random
from dataclasses import replace

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import QUICK, config, failures, ids, read, rows, statuses

IDS = statuses(240)
WORKERS = 40


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_each_worker_has_a_request_pending(start_sandbox: StartSandbox, workers: int) -> None:
    known = [*IDS][: 2 * workers]
    sandbox = start_sandbox(statuses=IDS, delay=2)
    output = read(config(*known, num_workers=workers), "message_status")
    assert ids(output) == known
    assert sandbox.most_at_once == workers


def test_a_slow_id_delays_no_other(start_sandbox: StartSandbox) -> None:
    slow, *others = IDS
    sandbox = start_sandbox(statuses=IDS, faults={slow: "hang:1"})
    output = read(config(*IDS), "message_status", policy=replace(QUICK, read_timeout=5))
    assert not failures(output)
    assert rows(output)[-1]["requestId"] == slow
    assert ids(output) == sorted(IDS)
    assert sandbox.received[-1].path.endswith(slow)
    assert sandbox.requests() == 1 + len(IDS)
    assert {row["requestId"] for row in rows(output)[:-1]} == {*others}


def test_chaos_costs_no_row_and_doubles_none(start_sandbox: StartSandbox) -> None:
    unknown = [*IDS][7::50]
    faults = ["500", "503", "429", "reset", "cut", "html", "empty"]

    def chaos(path: str, attempt: int) -> str | None:
        chance = random.Random(f"{path} {attempt}")
        return chance.choice(faults) if chance.random() < 0.15 else None

    known = {name: row for name, row in IDS.items() if name not in unknown}
    start_sandbox(statuses=known, chaos=chaos)
    output = read(config(*IDS, num_workers=20), "message_status")
    assert not failures(output)
    assert ids(output) == sorted(known)
    assert all(output.is_in_logs(f"Unknown to tyntec.*5 not read.*{name}") for name in unknown)
