"""`make live`, with the sandbox in tyntec's place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_tests import live
from integration_tests.conftest import StartSandbox
from integration_tests.connector import STREAMS, config
from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_data import LISTS, PATHS, STATUSES, TODAYS_ID, contacts
from integration_tests.sandbox_limits import Limit

Report = Callable[..., dict[str, str]]

GOOD = {**STATUSES[TODAYS_ID], "ttid": "77292"}
FIRST_PAGE = "is `page` honoured, and is the first 0 or 1?"
# Values of the sandbox's records that are words of the report as well.
WORDS = {"tyntec", "sms", "sent"}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """Reports on a sandbox: each line as "section: fact" with "outcome: what was seen"."""
    monkeypatch.setattr(live, "SECONDS_BETWEEN_REQUESTS", 0)

    def made(sandbox: Sandbox, settings: dict[str, Any] | None = None, connector: bool = False) -> dict[str, str]:
        monkeypatch.setenv("TYNTEC_API_URL", sandbox.url)
        if not connector:
            monkeypatch.setattr(live, "connector_lines", lambda _config: [])
        settings = settings or config()
        text = live.report(settings)
        assert settings["api_key"] not in text
        for value in values(sandbox):
            assert value not in text
        lines, section = {}, ""
        for line in text.splitlines():
            section = line[3:] if line.startswith("## ") else section
            if line.startswith("| ") and not line.startswith("| |"):
                outcome, fact, seen = line[2:-2].split(" | ")
                lines[f"{section}: {fact}"] = f"{outcome}: {seen}"
        return lines

    return made


def values(sandbox: Sandbox) -> set[str]:
    """The values of all records that could be told in a report: no single digits, no words that it is made of."""
    rows = [*sandbox.statuses.values(), *(row for rows in sandbox.rows.values() for row in rows[:200])]
    found = {str(value) for row in rows for _, value in live.values(row) if not isinstance(value, dict | list)}
    return {value for value in found if len(value) > 2} - WORDS - {"None"} | sandbox.statuses.keys()


def those(lines: dict[str, str], outcome: str) -> list[str]:
    return [fact for fact, seen in lines.items() if seen.startswith(f"{outcome}:")]


def test_where_the_api_is_as_documented_every_fact_holds(start_sandbox: StartSandbox, report: Report) -> None:
    sandbox = start_sandbox(statuses={TODAYS_ID: GOOD})
    lines = report(sandbox, connector=True)
    assert those(lines, "did not hold") == []
    assert lines["message_status: `submitDate`, date-time"] == "held: string like 9999-99-99T99:99:99+99:99: 1"
    assert lines["message_status: `parts[].price`, string"] == "held: string like 9.999: 2"
    assert lines["message_status: an unknown id: 404 with a problem document"].startswith("held: HTTP 404")
    assert lines["contacts: `contactId` in every row, and unique"] == "held: 3 different ones in 3 rows"
    assert lines["contacts: in an object, or an array of one?"] == "new: object"
    assert lines["key: a wrong key: 401 or 403"] == "held: HTTP 401 with message"
    assert lines["rate limits: headers?"].startswith("new: none, in ")
    assert lines["connector: `check` succeeds"] == "held: SUCCEEDED"
    assert [lines[f"connector: `read` of {stream}"].split(": ")[1] for stream in STREAMS] == ["COMPLETE"] * len(STREAMS)
    assert {asked.path for asked in sandbox.asked if not asked.path.startswith("/messaging/v1/messages/")} == {
        listing.path for listing in LISTS.values()
    }


def test_without_byon_the_lists_are_not_there(start_sandbox: StartSandbox, report: Report) -> None:
    lines = report(start_sandbox(byon=False), connector=True)
    for stream in LISTS:
        fact = f"{stream}: without BYON: 404 `no Route matched with those values`"
        assert [name for name in lines if name.startswith(f"{stream}:")] == [fact]
        assert lines[fact] == "held: HTTP 404 with message"
        assert lines[f"connector: `read` of {stream}"] == "did not hold: INCOMPLETE, config_error: 0 records"
    assert lines["connector: `read` of message_status"] == "held: COMPLETE: 1 records"


def test_new_fields_and_wrong_types_are_told_without_their_values(start_sandbox: StartSandbox, report: Report) -> None:
    row = {**contacts(1)[0], "loyalty": "platinum", "+49231987654321": "a name as data", "dateCreated": "yesterday"}
    row |= {"contactTitle": None, "nested": [{"inside": 4711.5}]}
    odd = {**GOOD, "status": "TELEPORTED", "requestId": "another-id", "size": "twelve"}
    sandbox = start_sandbox(statuses={TODAYS_ID: odd}, rows={"contacts": [row]}, in_array=True)
    lines = report(sandbox)
    assert those(lines, "did not hold") == [
        "message_status: with the id asked for",
        "message_status: with a documented state",
        "message_status: `size`, integer",
        "contacts: `dateCreated`, integer",
    ]
    assert lines["message_status: `size`, integer"] == "did not hold: string: 1"
    assert lines["contacts: `loyalty`, not documented"] == "new: string: 1"
    assert lines["contacts: `(a name that may be data)`, not documented"] == "new: string: 1"
    assert lines["contacts: `nested[].inside`, not documented"] == "new: number: 1"
    assert lines["contacts: `contactTitle`, string"] == "held: null: 1"
    assert lines["contacts: in an object, or an array of one?"] == "new: array"


@pytest.mark.parametrize(
    ("paging", "told"),
    [
        ("from 0", "yes, the first is 0"),
        ("from 1", "yes, the first is 1"),
        ("ignored", "no"),
        ("404 after the last", "yes, the first is 0"),
    ],
)
@pytest.mark.parametrize(
    ("size", "counts"), [("page", "its rows"), ("list", "the whole list"), (None, "nothing, it is missing")]
)
def test_the_paging_is_found_out(
    start_sandbox: StartSandbox, report: Report, paging: str, told: str, size: str | None, counts: str
) -> None:
    rows = [{"requestId": f"{number:032x}", "phoneNumber": f"+49231{number:07d}"} for number in range(250)]
    lines = report(start_sandbox(paging=paging, size_counts=size, rows={"phone_numbers": rows}, most_per_page=3000))
    assert lines[f"phone_numbers: {FIRST_PAGE}"] == f"new: {told}"
    assert lines["phone_numbers: what does the `size` of an answer count?"] == f"new: {counts}"
    assert lines["phone_numbers: default page size?"] == "new: 100 rows of 250"
    assert lines["phone_numbers: `size` limits the rows"].startswith("held")
    assert lines["phone_numbers: `phoneNumber` in every row, and unique"] == "new: 250 different ones in 250 rows"
    after = lines["phone_numbers: a page after the last?"]
    assert after.startswith("new: HTTP 404" if paging == "404 after the last" else "new: HTTP 200")


def test_pages_that_cannot_be_explained_are_told(start_sandbox: StartSandbox, report: Report) -> None:
    lines = report(start_sandbox(paging="overlapping"))
    assert lines[f"phone_numbers: {FIRST_PAGE}"] == "new: the pages fit neither"


def test_too_few_numbers_tell_nothing_about_pages(start_sandbox: StartSandbox, report: Report) -> None:
    lines = report(start_sandbox(rows={"phone_numbers": [], "contacts": []}))
    assert lines[f"phone_numbers: {FIRST_PAGE}"] == "not seen: "
    assert lines["contacts: `contactId`, string"] == "not seen: "


def test_the_headers_on_rate_limits_are_named(start_sandbox: StartSandbox, report: Report) -> None:
    lines = report(start_sandbox(limit=Limit(10_000, 60, headers=True)))
    names = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-RateLimit-Limit-Minute, X-RateLimit-Remaining-Min"
    assert lines["rate limits: headers?"].startswith(f"new: {names}")


def test_with_a_wrong_key_nothing_is_asked_but_one_status(start_sandbox: StartSandbox, report: Report) -> None:
    sandbox = start_sandbox()
    lines = report(sandbox, config(key="not-the-sandbox-key"))
    assert lines == {"key: the key is accepted": "did not hold: HTTP 401 with message"}
    assert sandbox.requests() == 1


@pytest.mark.parametrize("fault", ["302", "html", "null", "list", "deep", "cut", "reset-before", "rows-of-text", "500"])
def test_any_answer_ends_in_a_report(start_sandbox: StartSandbox, report: Report, fault: str) -> None:
    sandbox = start_sandbox(faults=dict.fromkeys([*LISTS, TODAYS_ID], fault))
    assert those(report(sandbox), "did not hold")
    assert all(PATHS.fullmatch(asked.path) for asked in sandbox.asked)


def test_the_report_is_printed_and_written(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", sandbox.url)
    monkeypatch.setattr(live, "SECONDS_BETWEEN_REQUESTS", 0)
    monkeypatch.setattr(live, "connector_lines", lambda _config: [])
    monkeypatch.setattr(live, "CONFIG", tmp_path / "config.json")
    monkeypatch.setattr(live, "REPORT", tmp_path / "live-report.md")
    live.CONFIG.write_text(json.dumps(config()))
    live.main()
    assert live.REPORT.read_text() in capsys.readouterr().out


@pytest.mark.parametrize(
    ("written", "told"),
    [(None, "secrets/config.json"), ("{", "secrets/config.json"), ("[]", "(api_key) is missing")],
)
def test_settings_that_are_missing_or_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str | None, told: str
) -> None:
    monkeypatch.setattr(live, "CONFIG", tmp_path / "config.json")
    if written:
        live.CONFIG.write_text(written)
    with pytest.raises(SystemExit) as ended:
        live.main()
    assert told in str(ended.value)
    assert "Traceback" not in str(ended.value)
