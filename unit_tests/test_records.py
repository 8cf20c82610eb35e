"""The types that a schema declares hold in a record."""

import json
import math
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_tyntec_sms.records import SchemaTransformer, decode, to_date_time, to_integer, to_string
from unit_tests.conftest import JSON, response, streams

SCHEMAS = {name: dict(stream.get_json_schema()) for name, stream in streams().items()}


def transformed(record: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A copy of `record` in which the types of `schema` hold."""
    copy: dict[str, Any] = json.loads(json.dumps(record))
    SchemaTransformer(schema).transform(copy, schema)
    return copy


@pytest.mark.parametrize(
    ("came", "emitted"),
    [
        ("2018-06-01T00:00:00+0200", "2018-05-31T22:00:00Z"),
        ("2020-05-11T11:46:41+00:00", "2020-05-11T11:46:41Z"),
        ("2018-03-14T14:14:09.011Z", "2018-03-14T14:14:09.011Z"),
        ("2018-03-14T14:14:09.123456789-05:00", "2018-03-14T19:14:09.123456789Z"),
        ("2018-03-14T14:14:09.0110+0000", "2018-03-14T14:14:09.0110Z"),
        ("2018-03-14T14:14:09.011000001-0330", "2018-03-14T17:44:09.011000001Z"),
        ("2018-03-14T14:14:09,5Z", "2018-03-14T14:14:09.5Z"),
        ("2018-06-01 00:00:00+02", "2018-05-31T22:00:00Z"),
        ("2018-06-01 00:00:00 +0200", "2018-05-31T22:00:00Z"),
        ("2018-12-31T23:59:59-23:59", "2019-01-01T23:58:59Z"),
        ("2018-06-01t00:00:00z", "2018-06-01T00:00:00Z"),
        ("2018-06-01T00:00:00", "2018-06-01T00:00:00Z"),
        ("2018-06-01T00:00Z", "2018-06-01T00:00:00Z"),
        ("2018-06-01", "2018-06-01T00:00:00Z"),
        (1521036849011, "2018-03-14T14:14:09.011Z"),
        ("1521036849011", "2018-03-14T14:14:09.011Z"),
        (1527804000000.0, "2018-05-31T22:00:00Z"),
        (1521036849011.5, "2018-03-14T14:14:09.011500Z"),
        (1521036849100, "2018-03-14T14:14:09.100Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (0, "1970-01-01T00:00:00Z"),
        (10**18, 10**18),
        (10**400, 10**400),
        (1e300, 1e300),
        (math.inf, math.inf),
        ("yesterday", "yesterday"),
        ("2018-06-31T00:00:00+0200", "2018-06-31T00:00:00+0200"),
        ("2018-06-01T24:00:00Z", "2018-06-01T24:00:00Z"),
        ("2018-06-01T00:00:00+24:00", "2018-06-01T00:00:00+24:00"),
        ("2018-06-01T00:00:00+02:60", "2018-06-01T00:00:00+02:60"),
        ("2018-06-01T00:00.5Z", "2018-06-01T00:00.5Z"),
        ("2018-06-01T00:00:00.Z", "2018-06-01T00:00:00.Z"),
        ("2018-06-01T00:00:00Z\n", "2018-06-01T00:00:00Z\n"),
        ("0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
        ("9999-12-31T23:59:59-02:00", "9999-12-31T23:59:59-02:00"),
        ("٢018-06-01", "٢018-06-01"),
        ("10:00 5-6-07", "10:00 5-6-07"),
        ("20180601", "20180601"),
        ("1521036849", "1521036849"),
        ("15210368490110", "15210368490110"),
        ("", ""),
        (True, True),
        ([], []),
    ],
)
def test_a_date_time_becomes_rfc_3339_in_utc_or_stays(came: Any, emitted: Any) -> None:
    assert to_date_time(came) == emitted
    assert type(to_date_time(came)) is type(emitted)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from(["%z", "%:z"]),
    st.text("0123456789", max_size=12),
)
def test_a_date_time_stays_the_same_moment_with_the_same_precision(
    moment: datetime, minutes: int, offset: str, fraction: str
) -> None:
    local = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    zone = local.isoformat()[19:]
    came = (
        local.isoformat()[:19] + (f".{fraction}" if fraction else "") + (zone if ":" in offset else zone[:3] + zone[4:])
    )
    whole, _, rest = to_date_time(came).removesuffix("Z").partition(".")
    assert rest == fraction
    assert datetime.fromisoformat(f"{whole}+00:00") == local


@given(st.integers(-(10**13), 10**14))
def test_milliseconds_become_the_moment_that_they_count(milliseconds: int) -> None:
    emitted = to_date_time(milliseconds)
    moment = datetime.fromisoformat(emitted.replace("Z", "+00:00"))
    assert (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(milliseconds=1) == milliseconds
    assert to_date_time(emitted) == emitted


@pytest.mark.parametrize(
    ("came", "emitted"),
    [
        ("2", 2), ("-7", -7), (2.0, 2), (0, 0), ("007", 7), ("2.5", "2.5"), (2.5, 2.5), ("two", "two"), ("", ""),
        ("1_000", "1_000"), ("٢", "٢"), (True, True), ("9" * 30, "9" * 30), (1e300, 1e300), ({}, {}), ("+7", 7),
        (str(2**63 - 2**10), 2**63 - 2**10), (str(2**63), str(2**63)), (-2.0**62, -2**62), (-2.0**63, -2.0**63),
        (math.inf, math.inf), (" 2", " 2"),
    ],
)  # fmt: skip
def test_an_integer_is_read_from_digits_or_stays(came: Any, emitted: Any) -> None:
    assert to_integer(came) == emitted
    assert type(to_integer(came)) is type(emitted)


@pytest.mark.parametrize(
    ("came", "emitted"),
    [
        (77292, "77292"), (0.01, "0.01"), (-0.005, "-0.005"), (0.00001, "0.00001"), (1e21, "1000000000000000000000"),
        (True, "true"), (False, "false"), ("0.010", "0.010"), ({"a": 1}, {"a": 1}), ([1], [1]),
        (2.0, "2.0"), (10**30, f"1{'0' * 30}"), (-1.5e-7, "-0.00000015"),
    ],
)  # fmt: skip
def test_a_number_becomes_the_string_that_it_is_in_json(came: Any, emitted: Any) -> None:
    assert to_string(came) == emitted


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=30)
@given(data=st.data())
def test_any_json_in_any_documented_field_is_emitted(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    fields: dict[str, Any] = dict.fromkeys(schema["properties"], JSON)
    if "parts" in fields:
        part = dict.fromkeys(schema["properties"]["parts"]["items"]["properties"], JSON)
        fields["parts"] |= st.lists(JSON | st.fixed_dictionaries({}, optional=part), max_size=3)
    came = data.draw(st.fixed_dictionaries({"undocumented": JSON}, optional=fields))
    record = transformed(came, schema)
    assert record.keys() == came.keys()
    assert record["undocumented"] == came["undocumented"]
    for field, value in came.items():
        declared = schema["properties"].get(field, {}).get("type")
        if value is None or (declared == ["null", "string"] and isinstance(value, (dict, list))):
            assert record[field] == value
        elif declared == ["null", "string"] and "format" not in schema["properties"][field]:
            assert isinstance(record[field], str)
    assert transformed(record, schema) == record


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_documented_field_is_nullable_described_and_open_to_more(name: str) -> None:
    def look_at(schema: dict[str, Any]) -> None:
        assert schema["type"][0] == "null"
        assert schema.get("additionalProperties") in {True, None}
        if schema.get("format") == "date-time":
            assert schema["airbyte_type"] == "timestamp_with_timezone"
        for field in schema.get("properties", {}).values():
            assert field["description"].endswith(".")
            look_at(field)
        if "items" in schema:
            look_at(schema["items"])

    look_at(SCHEMAS[name])


def test_a_status_is_converted_down_to_its_parts() -> None:
    came = {
        "requestId": 7,
        "submitDate": "2018-06-01T00:00:00+0200",
        "size": "2",
        "ttid": 77292,
        "reference": None,
        "parts": [{"price": -0.005, "doneDate": 1521036849011, "new": 1}, None, "part"],
    }
    assert transformed(came, SCHEMAS["message_status"]) == {
        "requestId": "7",
        "submitDate": "2018-05-31T22:00:00Z",
        "size": 2,
        "ttid": "77292",
        "reference": None,
        "parts": [{"price": "-0.005", "doneDate": "2018-03-14T14:14:09.011Z", "new": 1}, None, "part"],
    }


@pytest.mark.parametrize("declared", ["boolean", "number"])
@pytest.mark.parametrize("value", [True, 2.5, "yes", {}, [1]])
def test_a_schema_type_without_a_conversion_is_passed_through(declared: str, value: Any) -> None:
    schema = {"type": ["null", "object"], "properties": {"field": {"type": ["null", declared]}}}
    assert transformed({"field": value}, schema) == {"field": value}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"u\ud83c"', "u\ufffd"),
        (rb'"\ude00u"', "\ufffdu"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"a\\u0000b"', "a\\u0000b"),
        (rb'"a\\ud83cb\n"', "a\\ud83cb\n"),
        (b'"u\xf0\x9f\x8e"', "u\ufffd"),
        (b'"u\xed\xa0\xbc"', "u\ufffd\ufffd\ufffd"),
        ("\ufeff" + '"ü"', "ü"),
    ],
)
def test_text_that_no_destination_can_store_is_made_storable(body: bytes | str, text: str) -> None:
    decoded = decode(
        response(body.encode() if isinstance(body, str) else body, headers={"Content-Type": "application/json"})
    )
    assert decoded == text
    orjson.dumps(decoded)


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("application/json; charset=iso-8859-1", "ü"),
        ("application/json; charset=Iso_8859-1", "ü"),
        ("application/json; charset=latin1", "ü"),
        ("application/json", "\ufffd"),
        ("text/plain; charset=klingon", "\ufffd"),
    ],
)
def test_only_a_body_that_is_not_utf_8_is_read_as_its_header_says(content_type: str, text: str) -> None:
    assert decode(response(b'"\xfc"', headers={"Content-Type": content_type})) == text
    assert decode(response('"ü"'.encode(), headers={"Content-Type": content_type})) == "ü"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400 + ".5"])
def test_a_number_that_is_too_large_for_a_float_becomes_the_string_as_sent(number: str) -> None:
    assert decode(response(f'{{"size": {number}}}'.encode())) == {"size": number}
    assert decode(response(b"[1e308, 2.50, 18446744073709551616]")) == [1e308, 2.5, 2**64]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"NaN", b"[Infinity]", b"[-Infinity]", b'{"a": 1', b"[" * 100_000, b'"a\nb"', b"{} {}"]
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(response(body))


def test_a_body_is_decoded_once() -> None:
    answer = response(b'{"parts": []}')
    assert decode(answer) is decode(answer)


@given(JSON)
def test_every_document_is_decoded_to_what_can_be_emitted(document: Any) -> None:
    decoded = decode(response(json.dumps(document).encode()))
    json.dumps(decoded, ensure_ascii=False).encode()
    if "\\u0000" not in json.dumps(document) and "\\ud" not in json.dumps(document):
        assert decoded == document


@given(st.binary())
def test_bytes_are_decoded_or_refused_as_no_json(body: bytes) -> None:
    try:
        decode(response(body, headers={"Content-Type": "text/plain; charset=klingon"}))
    except ValueError:
        return


def test_a_codec_that_is_no_charset_of_json_costs_no_time() -> None:
    body = b'{"a": "\xff' + b"a" * 1_000_000 + b"-" + b"a" * 1_000_000 + b'"}'
    start = time.monotonic()
    document = decode(response(body, headers={"Content-Type": "application/json; charset=punycode"}))
    assert time.monotonic() - start < 5
    assert document["a"].startswith("\ufffda")


def test_a_body_that_is_not_utf_8_and_names_no_charset_keeps_what_can_be_read() -> None:
    assert decode(response(b'{"a": "\xff\xc3\xa4"}')) == {"a": "\ufffd\u00e4"}
    assert decode(response(b'\xef\xbb\xbf{"a": "\xff"}')) == {"a": "\ufffd"}


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be", "utf-32"])
def test_json_in_another_utf_is_read_whatever_the_header_says(charset: str) -> None:
    body = '{"a": "\u00e4\U0001f38f"}'.encode(charset)
    assert decode(response(body, headers={"Content-Type": "application/json; charset=utf-8"})) == {"a": "ä\U0001f38f"}


@pytest.mark.parametrize("digits", ["1" + "0" * 400, "-1" + "0" * 400, "1" + "0" * 5000, "1e999", "-1e999"])
def test_a_number_that_no_float_can_hold_becomes_the_string_that_was_sent(digits: str) -> None:
    assert decode(response(f'{{"a": {digits}}}'.encode())) == {"a": digits}


@pytest.mark.parametrize("number", [0, 5, -5, 2**63, -(2**70), 1.5, -2.0, 1e-7])
def test_other_numbers_stay_what_they_are(number: float) -> None:
    found = decode(response(f'{{"a": {number}}}'.encode()))["a"]
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("value", ["abc", {"a": 1}, 5, None])
def test_what_is_no_array_where_one_is_declared_stays(value: Any) -> None:
    assert transformed({"parts": value}, SCHEMAS["message_status"]) == {"parts": value}


def test_the_time_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert to_date_time("2018-06-01T00:00:00+0200") == "2018-05-31T22:00:00Z"
        assert to_date_time(1521036849011) == "2018-03-14T14:14:09.011Z"
    finally:
        monkeypatch.undo()
        time.tzset()
