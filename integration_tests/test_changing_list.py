"""A list of phone numbers that changes while it is read, page by page, over a real socket."""

from collections import Counter

import pytest

from integration_tests import sandbox_data
from integration_tests.conftest import StartSandbox
from integration_tests.connector import run
from integration_tests.sandbox import Paging, Sandbox
from integration_tests.sandbox_data import Row

COUNT = 7500
PAGES = 3
A_HANDFUL = 5
GONE = 1000  # the place of a row on the first page, which is read before it goes


def numbers(with_number: bool) -> list[Row]:
    """Rows that carry their phone number, which identifies them, or those that tyntec documents."""
    rows = sandbox_data.phone_numbers(COUNT)
    return [{**row, "phoneNumber": f"+49231{place:07d}"} if with_number else row for place, row in enumerate(rows)]


def identities(rows: list[Row]) -> Counter[str]:
    return Counter(str(row.get("phoneNumber") or row["requestId"]) for row in rows)


def rows_come_go_and_change(sandbox: Sandbox, request: int) -> None:
    if request == 2:
        rows = sandbox.rows["phone_numbers"]
        rows[10] = {**rows[10], "status": "DEPROVISIONED"}
        del rows[GONE]
        rows.insert(0, {"requestId": "new", "status": "LOA_PENDING", "phoneNumber": "+490000000000"})


def a_field_changes_with_every_answer(sandbox: Sandbox, request: int) -> None:
    for row in sandbox.rows["phone_numbers"]:
        row["lastSeen"] = request


@pytest.mark.parametrize("change", [rows_come_go_and_change, a_field_changes_with_every_answer])
@pytest.mark.parametrize("with_number", [True, False], ids=["numbers", "documented fields"])
@pytest.mark.parametrize("paging", ["from 0", "from 1", "ignored"])
def test_every_number_is_read_and_at_most_a_handful_twice(
    start_sandbox: StartSandbox, paging: Paging, with_number: bool, change: object
) -> None:
    sandbox = start_sandbox(paging=paging, rows={"phone_numbers": numbers(with_number)}, between=change)
    before = identities(sandbox.rows["phone_numbers"][: 3000 if paging == "ignored" else COUNT])
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.ended("phone_numbers") == "COMPLETE"
    read = identities(result.records("phone_numbers"))
    assert (before - read).total() == 0
    assert (read - before).total() <= A_HANDFUL
    assert sandbox.requests() <= PAGES + 3


@pytest.mark.parametrize(("listed", "paging"), [(3000, "from 0"), (3500, "from 0"), (3500, "204 after the last")])
def test_fewer_numbers_than_announced_are_a_warning_that_says_how_many(
    start_sandbox: StartSandbox, listed: int, paging: Paging
) -> None:
    sandbox = start_sandbox(paging=paging, rows={"phone_numbers": numbers(True)}, size_counts="list", listed=listed)
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert result.ended("phone_numbers") == "COMPLETE"
    assert len(result.records("phone_numbers")) == listed
    assert f"phone_numbers: tyntec announced {COUNT:,} rows, but gave {listed:,}." in result.log("WARN")


def test_as_many_numbers_as_announced_are_no_warning(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(rows={"phone_numbers": numbers(True)}, size_counts="list")
    result = run(sandbox.url, "read", streams=["phone_numbers"])
    assert len(result.records("phone_numbers")) == COUNT
    assert not result.log("WARN")
