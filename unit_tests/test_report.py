"""What a read of message statuses says about the request ids."""

import logging
from typing import Any

import pytest
from airbyte_cdk import AirbyteTracedException
from airbyte_cdk.models import FailureType

from source_tyntec_sms import report as module
from source_tyntec_sms.errors import UnknownIdError, defect, failure
from source_tyntec_sms.report import Report
from unit_tests.helpers import LOGGER, ids

TRANSIENT = failure("tyntec failed.", FailureType.transient_error)
UNKNOWN = UnknownIdError("Unknown to tyntec.")
Log = pytest.LogCaptureFixture


@pytest.fixture(autouse=True)
def log(caplog: Log) -> Log:
    caplog.set_level(logging.DEBUG, LOGGER.name)
    return caplog


def lines(log: Log, level: int) -> list[str]:
    return [record.message for record in log.records if record.levelno == level]


def report(*outcomes: Any, total: int | None = None) -> Report:
    """The report of these outcomes, for the request ids id-1, id-2 …"""
    found = Report(total or len(outcomes), LOGGER)
    for request_id, outcome in zip(ids(len(outcomes)), outcomes, strict=True):
        found.add(request_id, outcome)
    return found


def failed(*outcomes: Any) -> AirbyteTracedException:
    """The error at the end of a read with these outcomes."""
    with pytest.raises(AirbyteTracedException) as error:
        report(*outcomes).finish()
    return error.value


def test_a_full_read_is_logged_in_one_line(log: Log) -> None:
    report(*[{}] * 1500).finish()
    assert log.messages == ["1,500 of 1,500 message statuses read, 0 failed, 0 unknown."]


def test_unknown_ids_are_a_warning(log: Log) -> None:
    report({}, UNKNOWN, UNKNOWN).finish()
    assert lines(log, logging.WARNING) == ["Unknown to tyntec. 2 not read: id-2, id-3."]
    assert lines(log, logging.INFO) == ["1 of 3 message statuses read, 0 failed, 2 unknown."]


def test_a_warning_names_ten_ids_and_debug_each(log: Log) -> None:
    message = str(failed(*[UNKNOWN] * 12, *[TRANSIENT] * 10, {}))
    of_failed, of_unknown = lines(log, logging.WARNING)
    assert of_failed == f"tyntec failed. 10 not read: {', '.join(ids(22)[12:])}."
    assert of_unknown == f"Unknown to tyntec. 12 not read: {', '.join(ids(10))}, …."
    assert f"{of_failed} {of_unknown}" in message
    debug = lines(log, logging.DEBUG)
    assert [line.split()[0] for line in debug] == ids(22)
    assert debug[0] == "id-1 was not read. Unknown to tyntec."


def test_no_status_at_all_is_a_config_error() -> None:
    error = failed(UNKNOWN)
    assert error.failure_type is FailureType.config_error
    assert "0 of 1 message statuses read" in str(error)
    assert "Enter the requestId of a newer message" in str(error)


def test_an_error_has_failures_first_and_three_reasons(log: Log) -> None:
    reasons = [failure(f"Reason {n}.") for n in (1, 2, 2, 2, 3, 3)]
    message = str(failed(*[UNKNOWN] * 9, *reasons, {}))
    assert message.startswith("1 of 16 message statuses read, 6 failed, 9 unknown. ")
    order = [message.find(f"Reason {n}") for n in (2, 3, 1)]
    assert order == sorted(order)
    assert "Unknown" not in message
    assert "newer message" not in message
    assert "If an id fails in every sync" in message
    assert "Unknown" in lines(log, logging.WARNING)[-1]


@pytest.mark.parametrize(
    ("outcomes", "failure_type"),
    [
        ([TRANSIENT, {}], FailureType.transient_error),
        ([TRANSIENT, defect("Odd."), UNKNOWN], FailureType.system_error),
        ([TRANSIENT, failure("Key."), defect("Odd.")], FailureType.config_error),
    ],
)
def test_what_a_user_can_fix_counts_first(outcomes: list[Any], failure_type: FailureType) -> None:
    assert failed(*outcomes).failure_type is failure_type


@pytest.mark.parametrize("other", [{}, UNKNOWN])
def test_ten_failures_in_a_row_are_hopeless(other: object) -> None:
    first = [*[TRANSIENT] * 9, other, *[TRANSIENT] * 9]
    assert not report(*first).is_hopeless
    assert report(*first, TRANSIENT).is_hopeless


def test_progress_is_logged_twice_a_minute(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    progress = report(total=200)
    for request_id in ids(125):
        now += 1
        progress.add(request_id, {})
        progress.log_progress()
    assert [record.message.split()[0] for record in log.records] == ["30", "60", "90", "120"]
