"""Rate limits as tyntec's gateway sets them, in windows of a second or two. Those of a minute are in test_soak.py."""

import subprocess
import tempfile
import time

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import ROOT, command_line, config, environment, run, strict_json
from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_limits import Drop, Limit

IDS = [f"id-{number}" for number in range(90)]


def limited(start_sandbox: StartSandbox, limit: Limit, **options: object) -> Sandbox:
    statuses = {name: sandbox_data.status(name) for name in IDS}
    return start_sandbox(statuses=statuses, limit=limit, delay=0.03, **options)


@pytest.mark.parametrize(
    ("limit", "refusals"),
    [
        (Limit(20), 0.5),
        (Limit(20, retry_after=False), 0.6),
        (Limit(40, seconds=2), 0.4),
        (Limit(20, headers=True), 0.2),
        (Limit(40, drop=Drop(to=5, seconds=1, every=3)), 0.7),
    ],
    ids=["Retry-After", "bare 429", "two seconds", "RateLimit headers", "a limit that drops"],
)
@pytest.mark.parametrize("workers", [10, 40])
def test_a_rate_limit_costs_no_row_and_few_refusals(
    start_sandbox: StartSandbox, limit: Limit, refusals: float, workers: int
) -> None:
    sandbox = limited(start_sandbox, Limit(limit.count, limit.seconds, limit.retry_after, limit.headers, limit.drop))
    result = run(sandbox.url, "read", config(*IDS, num_workers=workers), streams=["message_status"], time_scale=1)
    assert result.exit_code == 0
    assert sorted(row["requestId"] for row in result.records("message_status")) == sorted(IDS)
    assert sandbox.refused <= refusals * len(IDS) + workers


def test_while_it_waits_it_says_so_and_how_far_it_is(start_sandbox: StartSandbox) -> None:
    sandbox = limited(start_sandbox, Limit(40, seconds=4))
    result = run(sandbox.url, "read", config(*IDS), streams=["message_status"], time_scale=1)
    assert result.exit_code == 0
    assert "RATE_LIMITED" in result.reasons("message_status")
    assert "tyntec limits the rate of requests: waiting for" in result.log("INFO")
    assert "of 90 request ids asked: " in result.log("INFO")


@pytest.mark.parametrize("stream", ["message_status", "contacts"])
def test_a_refusal_is_no_failed_attempt(start_sandbox: StartSandbox, stream: str) -> None:
    # Twelve refusals and then seven failures: more than eight attempts, if refusals counted.
    answers = ["429"] * 12 + ["500"] * 7
    sandbox = start_sandbox(chaos=lambda _path, request: answers[request - 1] if request <= len(answers) else None)
    result = run(sandbox.url, "read", streams=[stream])
    assert result.exit_code == 0
    assert result.records(stream)


def test_a_wait_that_is_too_long_fails_at_once_and_says_how_many_were_read(start_sandbox: StartSandbox) -> None:
    sandbox = limited(start_sandbox, Limit(30, seconds=3600))
    result = run(sandbox.url, "read", config(*IDS, num_workers=2), streams=["message_status"], time_scale=0.001)
    assert result.ended("message_status") == "INCOMPLETE"
    (error,) = result.errors("message_status")
    assert error["failure_type"] == "transient_error"
    assert "asked to wait " in error["message"]
    assert "30 read" in error["message"]
    assert len(result.records("message_status")) == 30


def test_nothing_but_refusals_are_given_up_in_the_end(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={"message_status": "429"})
    result = run(sandbox.url, "read", streams=["message_status"], policy={"longest_hold": 2})
    (error,) = result.errors("message_status")
    assert error["failure_type"] == "transient_error"
    assert "to every request for 2 seconds" in error["message"]
    assert 2 < result.seconds < 15


def test_the_message_asks_nobody_to_lower_the_number_of_workers(start_sandbox: StartSandbox) -> None:
    result = run(start_sandbox(faults={"message_status": "429"}, retry_after="3600").url, "check")
    assert "limits the rate of requests" in result.connection_status["message"]
    assert "Workers" not in result.output


def test_who_is_told_what_remains_is_never_refused(start_sandbox: StartSandbox) -> None:
    sandbox = limited(start_sandbox, Limit(20, headers=True))
    result = run(sandbox.url, "read", config(*IDS[:60], num_workers=1), streams=["message_status"], time_scale=1)
    assert len(result.records("message_status")) == 60
    assert not sandbox.refused


def test_refusals_that_do_not_end_are_given_up_saying_how_many_were_read(start_sandbox: StartSandbox) -> None:
    sandbox = limited(start_sandbox, Limit(30, seconds=3600, retry_after=False))
    result = run(sandbox.url, "read", config(*IDS), streams=["message_status"], policy={"longest_hold": 1})
    (error,) = result.errors("message_status")
    assert error["failure_type"] == "transient_error"
    assert "to every request for 1 seconds" in error["message"]
    assert "30 read" in error["message"]
    assert len(result.records("message_status")) == 30


def test_a_refusal_after_a_long_pause_of_the_reader_is_only_one_refusal(start_sandbox: StartSandbox) -> None:
    """Nothing got through for longer than the connector bears refusals, but nothing was asked for either."""
    ids = [f"id-{number}" for number in range(300)]
    statuses = {name: {"status": "DELIVERED", "reference": "x" * 10_000} for name in ids}
    sandbox = start_sandbox(statuses=statuses)
    with tempfile.TemporaryDirectory() as folder:
        words = command_line(folder, "read", config(*ids), ["message_status"], policy={"longest_hold": 1})
        with subprocess.Popen(words, cwd=ROOT, env=environment(sandbox.url), stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            asked = -1
            while asked < len(sandbox.asked):  # until the output is full, and then longer than refusals are borne
                asked = len(sandbox.asked)
                time.sleep(2)
            sandbox.chaos = lambda _path, _request: "429" if len(sandbox.asked) == asked + 1 else None
            messages = [strict_json(line.decode()) for line in process.stdout]
    assert asked < len(ids)
    assert process.returncode == 0
    assert sum(message["type"] == "RECORD" for message in messages) == len(ids)
