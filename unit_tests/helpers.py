"""A connector that waits next to nothing, and the messages of a sync."""

import logging
from dataclasses import replace
from typing import Any

import requests
import requests_mock
from airbyte_cdk.models import ConfiguredAirbyteCatalog, SyncMode
from airbyte_cdk.test.catalog_builder import CatalogBuilder
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput, read
from airbyte_cdk.test.models import ExpectedOutcome

from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.client import RetryPolicy
from unit_tests.tyntec import API, KEY

FAST = RetryPolicy(max_attempts=3, first_wait=0.001, longest_wait=0.002)
LOGGER = logging.getLogger("airbyte")
Settings = dict[str, Any]


def ids(number: int) -> list[str]:
    return [f"id-{n}" for n in range(1, number + 1)]


def config(*request_ids: str, **settings: Any) -> Settings:
    """A configuration with these request ids, or with id-1, and one worker."""
    first, *others = request_ids or ("id-1",)
    base: Settings = {"api_key": KEY, "message_request_id": first, "num_workers": 1}
    return base | {"additional_message_request_ids": others} | settings


def source(policy: RetryPolicy = FAST, **changes: Any) -> SourceTyntecSms:
    """The connector with a policy, and `changes` to it, for reads and checks."""
    policy = replace(policy, **changes)
    return SourceTyntecSms(policy, policy)


def response(status_code: int = 200, **content: Any) -> requests.Response:
    request = requests.Request("GET", API).prepare()
    return requests_mock.create_response(request, status_code=status_code, **content)


def catalog(*names: str) -> ConfiguredAirbyteCatalog:
    builder = CatalogBuilder()
    for name in names:
        builder.with_stream(name, SyncMode.full_refresh)
    return builder.build()


def sync(
    *request_ids: str,
    streams: tuple[str, ...] = ("message_status",),
    workers: int = 1,
    policy: RetryPolicy = FAST,
    **changes: Any,
) -> EntrypointOutput:
    """Read `streams` with these request ids, a policy, and `changes` to it."""
    settings, outcome = config(*request_ids, num_workers=workers), ExpectedOutcome.ALLOW_ANY
    return read(source(policy, **changes), settings, catalog(*streams), expected_outcome=outcome)


def logged(output: EntrypointOutput, level: str) -> list[str]:
    logs = [message.log for message in output.logs if message.log]
    return [log.message for log in logs if log.level.value == level]


def warnings(output: EntrypointOutput) -> list[str]:
    return logged(output, "WARN")


def errors(output: EntrypointOutput) -> dict[str, tuple[str, str]]:
    """Failure type and message by the name of the stream, that of the whole sync under ""."""
    found = {}
    for error in (message.trace.error for message in output.errors if message.trace):
        assert error
        assert error.failure_type
        name = error.stream_descriptor.name if error.stream_descriptor else ""
        found[name] = error.failure_type.value, error.message
    return found


def error(output: EntrypointOutput) -> tuple[str, str]:
    """Failure type and message of the only stream that failed."""
    ((_, found),) = [(name, found) for name, found in errors(output).items() if name]
    return found


def records(output: EntrypointOutput) -> list[Any]:
    return [message.record.data for message in output.records if message.record]


def rows(output: EntrypointOutput) -> list[Any]:
    """The records of a sync that has neither errors nor warnings."""
    assert not errors(output)
    assert not warnings(output)
    return records(output)
