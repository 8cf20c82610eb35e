"""From the body of a response to a record."""

import time
from typing import Any

import pytest
from airbyte_cdk import HttpStream
from requests_mock import Mocker

from source_tyntec_sms.records import SchemaTransformer, decode, to_utc
from unit_tests.helpers import config, response, rows, source, sync
from unit_tests.tyntec import STREAMS

# The fields of tyntec's reference and of its examples.
STRING, INTEGER, TIME = "string", "integer", "date-time"
ACCOUNT = "accountId contactId friendlyName"
DATES = "submitDate sentDate doneDate priceEffective"
MESSAGE = "requestId status from to errorCode errorReason href mccmnc ttid overallPrice reference"
CONTACT = "companyName companyAddress contactName contactEmail contactPhone contactTitle"
PROVISIONING = "dateProvisioningRequest dateProvisioningUpdated dateProvisioningCompleted"
FIELDS = {
    "message_status": {STRING: MESSAGE, INTEGER: "size", TIME: DATES, "array": "parts"},
    "parts": {STRING: "partId deliveryState errorCode price currency statusText", TIME: DATES},
    "contacts": {
        STRING: f"{ACCOUNT} {CONTACT}",
        INTEGER: "dateCreated dateUpdated",
        TIME: "timestampCreated timestampUpdated",
    },
    "phone_numbers": {STRING: f"{ACCOUNT} requestId status phoneNumber"},
    "phone_registrations": {
        STRING: f"{ACCOUNT} requestId status loaId loaStatus",
        INTEGER: PROVISIONING,
    },
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_schema_has_every_documented_field(name: str) -> None:
    streams = [each for each in source().streams(config()) if isinstance(each, HttpStream)]
    schemas = {stream.name: stream.get_json_schema() for stream in streams}
    schemas["parts"] = schemas["message_status"]["properties"]["parts"]["items"]
    found: dict[str, set[str]] = {}
    for field, schema in schemas[name]["properties"].items():
        null, declared = schema["type"]
        assert null == "null"
        assert len(schema["description"]) > 10
        is_time = schema.get("airbyte_type") == "timestamp_with_timezone"
        assert is_time == (schema.get("format") == TIME)
        found.setdefault(TIME if is_time else declared, set()).add(field)
    assert found == {declared: set(names.split()) for declared, names in FIELDS[name].items()}


# Decoding


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "ü€😀"}'.encode(), {"a": "ü€😀"}),
        (rb'{"a": "\u00fc\ud83d\ude00\uD83D\uDE00"}', {"a": "ü😀😀"}),
        (rb'{"a": "Hi \ud83d"}', {"a": "Hi \ufffd"}),
        (rb'{"a": "\ude00 Hi"}', {"a": "\ufffd Hi"}),
        (rb'{"a": "\ud83d\ud83d\ude00"}', {"a": "\ufffd😀"}),
        (rb'{"a": "\ud83d\u0041"}', {"a": "\ufffdA"}),
        (rb'{"a": "1\u00002"}', {"a": "1\ufffd2"}),
        (rb'{"a": "\\u0000\\ud83d\n"}', {"a": "\\u0000\\ud83d\n"}),
        (rb'{"a": "\\\ud83d"}', {"a": "\\\ufffd"}),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (b"[]", []),
        (b"null", None),
        (b"", None),
        (b"<html>", None),
        (b'{"a": "\xff"}', None),
    ],
)
def test_a_body_is_decoded(body: bytes, document: object) -> None:
    assert decode(response(content=body)) == document


# Types


@pytest.mark.parametrize(
    ("declared", "value", "converted"),
    [
        (STRING, "a", "a"),
        (STRING, 77292, "77292"),
        (STRING, -0.005, "-0.005"),
        (STRING, True, "true"),
        (STRING, {"a": 1}, {"a": 1}),
        (INTEGER, 2, 2),
        (INTEGER, "1521036849011", 1521036849011),
        (INTEGER, "2.5", "2.5"),
        (INTEGER, ["2"], ["2"]),
        (TIME, "2020-05-11T11:46:41+00:00", "2020-05-11T11:46:41Z"),
        (TIME, "2018-06-01T00:00:00+0200", "2018-05-31T22:00:00Z"),
        (TIME, "2018-03-14T14:14:09.011Z", "2018-03-14T14:14:09.011Z"),
        (TIME, "2018-12-31T23:59:59.123456789-05:30", "2019-01-01T05:29:59.123456789Z"),
        (TIME, "2018-06-01 12:00:00", "2018-06-01T12:00:00Z"),
        (TIME, "2018-06-31T00:00:00", "2018-06-31T00:00:00"),
        (TIME, "0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
        (TIME, "2018-06-01", "2018-06-01"),
        (TIME, "x2018-06-01T00:00:00", "x2018-06-01T00:00:00"),
        (TIME, "2018-06-01T00:00:00x", "2018-06-01T00:00:00x"),
        (TIME, "٢٠١٨-06-01T00:00:00", "٢٠١٨-06-01T00:00:00"),
        (TIME, 1521036849011, 1521036849011),
        *((declared, None, None) for declared in (STRING, INTEGER, TIME)),
        *((declared, "", "") for declared in (STRING, INTEGER, TIME)),
    ],
)
def test_a_value_is_converted_or_kept(declared: str, value: object, converted: object) -> None:
    schema: dict[str, Any] = {"type": ["null", declared]}
    if declared == TIME:
        schema = {"type": ["null", "string"], "format": TIME}
    row = {"field": value, "other": value}
    transformer = SchemaTransformer({"type": ["null", "object"], "properties": {"field": schema}})
    transformer.transform(row, {})
    assert row == {"field": converted, "other": value}
    assert type(row["field"]) is type(converted)


def test_a_time_does_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    set_time_zone = getattr(time, "tzset", int)  # Windows has no tzset, and its own zone
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    set_time_zone()
    try:
        assert to_utc("2018-06-01T00:00:00") == "2018-06-01T00:00:00Z"
    finally:
        monkeypatch.undo()
        set_time_zone()


def test_types_are_those_of_the_schema_at_each_depth(api: Mocker) -> None:
    before = {"partId": 1, "price": -0.005, "sentDate": "2019-07-02T16:47:39+0200", "new": 1}
    after = {"partId": "1", "price": "-0.005", "sentDate": "2019-07-02T14:47:39Z", "new": 1}
    row = {"requestId": "id-1", "ttid": 77292, "size": "2", "new": {"nested": [1, "2"]}}
    api.get(STREAMS["message_status"], json=row | {"parts": [before, {}, "odd"]})
    converted = {"ttid": "77292", "size": 2, "parts": [after, {}, "odd"]}
    assert rows(sync()) == [row | converted]


@pytest.mark.parametrize("parts", ["odd", {}, 5])
def test_parts_of_another_type_are_kept(api: Mocker, parts: object) -> None:
    api.get(STREAMS["message_status"], json={"requestId": "id-1", "parts": parts})
    assert rows(sync()) == [{"requestId": "id-1", "parts": parts}]
