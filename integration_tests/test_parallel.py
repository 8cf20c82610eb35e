"""Many request ids, read by many workers."""

import itertools
import random
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import Run, command_line, config, environment, run
from integration_tests.sandbox import Paging, Sandbox

SEED = 20180601


def many(count: int) -> list[str]:
    return [f"{number:08d}-4671-8feb-9bc76b0df188" for number in range(count)]


def with_statuses(start_sandbox: StartSandbox, ids: list[str], **options: object) -> Sandbox:
    return start_sandbox(statuses={name: sandbox_data.status(name) for name in ids}, **options)


@pytest.mark.parametrize("workers", [1, 2, 10, 40])
def test_as_many_requests_as_workers_are_under_way_at_once(start_sandbox: StartSandbox, workers: int) -> None:
    ids = many(5 * workers)
    sandbox = with_statuses(start_sandbox, ids, delay=0.1)
    result = run(sandbox.url, "read", config(*ids, num_workers=workers), streams=["message_status"], time_scale=1)
    assert sorted(row["requestId"] for row in result.records("message_status")) == ids
    assert sandbox.most_at_once == workers
    assert "pool is full" not in result.log()


def test_while_the_reader_of_the_output_pauses_few_ids_are_asked_for(start_sandbox: StartSandbox) -> None:
    ids = many(4000)
    sandbox = with_statuses(start_sandbox, ids)
    with tempfile.TemporaryDirectory() as folder:
        words = command_line(folder, "read", config(*ids), ["message_status"])
        with subprocess.Popen(words, env=environment(sandbox.url), stdout=subprocess.PIPE, text=True) as process:
            asked = -1
            while not asked or asked < sandbox.requests():
                asked = sandbox.requests()
                time.sleep(1)
            output = process.communicate(timeout=60)[0]
    # What a pipe of 64 kB holds, what waits to be written, and a few ids for each of ten workers.
    assert asked < 1000
    assert output.count('"type":"RECORD"') == len(ids)


def test_the_log_shows_how_far_a_long_read_is(start_sandbox: StartSandbox) -> None:
    ids = many(2300)
    result = run(
        with_statuses(start_sandbox, ids).url, "read", config(*ids, num_workers=20), streams=["message_status"]
    )
    assert "1,000 of 2,300 request ids asked: 1,000 read." in result.log("INFO")
    assert "2,000 of 2,300 request ids asked: 2,000 read." in result.log("INFO")


def test_workers_do_not_retry_in_step(start_sandbox: StartSandbox) -> None:
    ids = many(20)
    sandbox = with_statuses(start_sandbox, ids, faults={"message_status": "503:1"})
    result = run(sandbox.url, "read", config(*ids, num_workers=20), streams=["message_status"], time_scale=1)
    assert result.exit_code == 0
    retries = sorted(asked.at for asked in sandbox.asked)[20:]
    assert retries[-1] - retries[0] > 0.2


def test_among_5000_ids_all_that_exist_arrive_once_and_the_others_are_named(start_sandbox: StartSandbox) -> None:
    ids = many(5000)
    forgotten = set(ids[7::50])
    faults = ["500", "503", "429", "reset-before", "reset-in-headers", "cut", "html", "empty"]

    def chaos(path: str, attempt: int) -> str | None:
        chance = random.Random(f"{SEED} {path} {attempt}")
        return chance.choice(faults) if chance.random() < 0.15 else None

    sandbox = with_statuses(start_sandbox, [name for name in ids if name not in forgotten], chaos=chaos)
    result = run(sandbox.url, "read", config(*ids, num_workers=20), streams=["message_status"])
    assert result.exit_code == 0
    assert sorted(row["requestId"] for row in result.records("message_status")) == sorted(set(ids) - forgotten)
    log = result.log("WARN")
    assert all(name in log for name in forgotten)
    assert log.count("Request ids not read: ") == 1


PAGINGS: list[Paging] = ["from 0", "from 1", "last page again"]


@pytest.mark.parametrize("size_counts", ["page", "list"])
@pytest.mark.parametrize(("count", "most_per_page"), [(3000, 3000), (6000, 3000), (7500, 3000), (2501, 500)])
@pytest.mark.parametrize("paging", PAGINGS)
def test_a_long_list_of_numbers_is_read_whole_and_once(
    start_sandbox: StartSandbox, paging: Paging, count: int, most_per_page: int, size_counts: str
) -> None:
    numbers = sandbox_data.phone_numbers(count, per_request=7)
    sandbox = start_sandbox(
        paging=paging, size_counts=size_counts, rows={"phone_numbers": numbers}, most_per_page=most_per_page
    )
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.exit_code == 0
    assert result.records("phone_numbers") == numbers
    assert sandbox.asked[0].query == {"size": "3000"}
    assert all(0 < int(asked.query["size"]) <= 3000 for asked in sandbox.asked)
    assert sandbox.requests() <= count / (most_per_page - 10) + 3


def test_a_404_is_the_end_of_a_list_after_a_page_that_was_not_full(start_sandbox: StartSandbox) -> None:
    numbers = sandbox_data.phone_numbers(3500, per_request=7)
    sandbox = start_sandbox(paging="404 after the last", rows={"phone_numbers": numbers})
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.ended("phone_numbers") == "COMPLETE"
    assert result.records("phone_numbers") == numbers


@pytest.mark.parametrize("code", ["404", "no-content"])
def test_a_404_or_204_after_a_full_page_is_no_end(start_sandbox: StartSandbox, code: str) -> None:
    sandbox = start_sandbox(
        rows={"phone_numbers": sandbox_data.phone_numbers(6000)},
        chaos=lambda _path, request: code if request == 2 else None,
    )
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.ended("phone_numbers") == "INCOMPLETE"
    assert result.errors("phone_numbers")[0]["failure_type"] == "config_error"


def test_a_short_list_that_is_the_same_whichever_page_is_asked_for_is_no_warning(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(paging="ignored", rows={"phone_numbers": sandbox_data.phone_numbers(40)})
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert len(result.records("phone_numbers")) == 40
    assert "there may be more" not in result.log("WARN")


def test_pages_that_overlap_add_only_what_is_new(start_sandbox: StartSandbox) -> None:
    numbers = sandbox_data.phone_numbers(7500, per_request=1)
    sandbox = start_sandbox(paging="overlapping", rows={"phone_numbers": numbers})
    assert run(sandbox.url, "read", streams=["phone_numbers"]).records("phone_numbers") == numbers


@pytest.mark.parametrize(
    ("size_counts", "words"),
    [
        ("list", "phone_numbers: tyntec announced 7,500 rows, but gave 3,000."),
        ("page", "phone_numbers: tyntec gave a full page twice: there may be more than 3,000 rows."),
    ],
)
def test_a_list_that_cannot_be_paged_is_read_once_with_a_warning(
    start_sandbox: StartSandbox, size_counts: str, words: str
) -> None:
    numbers = sandbox_data.phone_numbers(7500)
    sandbox = start_sandbox(paging="ignored", size_counts=size_counts, rows={"phone_numbers": numbers})
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.records("phone_numbers") == numbers[:3000]
    assert result.log("WARN") == words
    assert sandbox.requests() == 3


def test_a_list_of_7500_numbers_survives_an_api_that_fails_at_random(start_sandbox: StartSandbox) -> None:
    numbers = sandbox_data.phone_numbers(7500, per_request=7)
    faults = itertools.cycle(["500", None, "cut", None, "429", "reset-in-headers", None])
    sandbox = start_sandbox(rows={"phone_numbers": numbers}, chaos=lambda _path, _attempt: next(faults))
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.records("phone_numbers") == numbers


def test_two_reads_at_the_same_time_do_not_disturb_each_other(start_sandbox: StartSandbox) -> None:
    ids = many(400)
    sandboxes = [with_statuses(start_sandbox, ids[:200]), with_statuses(start_sandbox, ids[200:])]

    def read(number: int) -> Run:
        mine = ids[200 * number : 200 * number + 200]
        return run(sandboxes[number].url, "read", config(*mine))

    with ThreadPoolExecutor(2) as pool:
        for number, result in enumerate(pool.map(read, range(2))):
            assert result.exit_code == 0
            assert result.records("phone_numbers") == sandboxes[number].rows["phone_numbers"]
            assert (
                sorted(row["requestId"] for row in result.records("message_status"))
                == ids[200 * number : 200 * number + 200]
            )
