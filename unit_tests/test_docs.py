"""The table of responses in docs/reliability.md is that of the package."""

import re
from pathlib import Path

import pytest
from airbyte_cdk.sources.streams.http.error_handlers import ErrorResolution, ResponseAction
from requests import exceptions

from source_tyntec_sms import errors

PAGE = Path(__file__).parent.parent / "docs/reliability.md"
ROW = r"^\| ([1-5n].+?) \| (.*?) ?\| (.+?) \| (.+?) \| (.+?) \|$"
ROWS = re.findall(ROW, PAGE.read_text(encoding="utf-8"), re.MULTILINE)
VERBS = {
    "passed": ResponseAction.SUCCESS,
    "retried": ResponseAction.RETRY,
    "fails": ResponseAction.FAIL,
    "waits": ResponseAction.FAIL,  # after the waits of the session
}


def resolved(response: str, body: str) -> list[ErrorResolution]:
    """What the package makes of the responses or exceptions in a row."""
    words = "".join(re.findall('"(.+)"', response))
    bodies = {"JSON": [True], "no JSON": [False]}.get(body, [True, False])
    statuses = [int(status) for status in re.findall(r"\b\d{3}\b", response)]
    return [
        *(errors.resolve(status, words, has_json) for status in statuses for has_json in bodies),
        *(
            errors.resolve_exception(getattr(exceptions, name)())
            for name in re.findall("`(.+?)`", response)
        ),
    ]


@pytest.mark.parametrize(("response", "body", "verb", "failure_type", "message"), ROWS)
def test_a_row_is_what_the_package_does(
    response: str, body: str, verb: str, failure_type: str, message: str
) -> None:
    entries = resolved(response, body)
    assert entries
    for entry in entries:
        assert entry.response_action is VERBS[re.split(r"\W", verb)[0]]
        assert failure_type.strip("`-") == (entry.failure_type.value if entry.failure_type else "")
        assert message.strip("- …") in (entry.error_message or "")


def test_the_table_has_every_failure() -> None:
    shown = {entry.error_message for row in ROWS for entry in resolved(*row[:2])}
    tables = errors.BY_PHRASE, errors.BY_STATUS, errors.BY_EXCEPTION
    assert shown == {entry.error_message for table in tables for entry in table.values()}
