"""The types that a schema declares hold in a record."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

import source_tyntec_sms
from source_tyntec_sms.records import SchemaTransformer, decode, to_date_time, to_integer, to_string
from unit_tests.test_settings import JSON

SCHEMAS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(source_tyntec_sms.__file__).parent / "schemas").glob("*.json"))
}


def response(body: bytes, content_type: str = "application/json") -> requests.Response:
    answer = requests.Response()
    answer.status_code = 200
    answer._content = body  # noqa: SLF001
    answer.headers["Content-Type"] = content_type
    answer.encoding = requests.utils.get_encoding_from_headers(answer.headers)
    return answer


@pytest.mark.parametrize(
    ("came", "emitted"),
    [
        ("2018-06-01T00:00:00+0200", "2018-06-01T00:00:00+02:00"),
        ("2020-05-11T11:46:41+00:00", "2020-05-11T11:46:41+00:00"),
        ("2018-03-14T14:14:09.011Z", "2018-03-14T14:14:09.011Z"),
        ("2018-03-14T14:14:09.123456789-05:00", "2018-03-14T14:14:09.123456789-05:00"),
        ("2018-03-14T14:14:09.0110+0000", "2018-03-14T14:14:09.0110+00:00"),
        ("2018-03-14T14:14:09.011000001-0330", "2018-03-14T14:14:09.011000001-03:30"),
        ("2018-06-01 00:00:00+02", "2018-06-01T00:00:00+02:00"),
        ("2018-06-01T00:00:00.5-0330", "2018-06-01T00:00:00.5-03:30"),
        ("2018-06-01T00:00:00", "2018-06-01T00:00:00+00:00"),
        ("2018-06-01", "2018-06-01T00:00:00+00:00"),
        (1521036849011, "2018-03-14T14:14:09.011+00:00"),
        ("1521036849011", "2018-03-14T14:14:09.011+00:00"),
        (1527804000000.0, "2018-05-31T22:00:00+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
        (10**18, 10**18),
        (float("inf"), float("inf")),
        ("yesterday", "yesterday"),
        ("2018-06-31T00:00:00+0200", "2018-06-31T00:00:00+0200"),
        ("10:00 5-6-07", "10:00 5-6-07"),
        ("20180601", "20180601"),
        ("1521036849", "1521036849"),
        ("", ""),
        (True, True),
        ([], []),
    ],
)
def test_a_date_time_becomes_rfc_3339_with_its_offset_or_stays(came: Any, emitted: Any) -> None:
    assert to_date_time(came) == emitted
    assert type(to_date_time(came)) is type(emitted)


@pytest.mark.parametrize(
    ("came", "emitted"),
    [
        ("2", 2), ("-7", -7), (2.0, 2), (0, 0), ("007", 7), ("2.5", "2.5"), (2.5, 2.5), ("two", "two"), ("", ""),
        ("1_000", "1_000"), ("٢", "٢"), (True, True), ("9" * 30, "9" * 30), (1e300, 1e300), ({}, {}),
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
    ],
)  # fmt: skip
def test_a_number_becomes_the_string_that_it_is_in_json(came: Any, emitted: Any) -> None:
    assert to_string(came) == emitted


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_any_json_in_any_documented_field_is_emitted(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    fields: dict[str, Any] = dict.fromkeys(schema["properties"], JSON)
    if "parts" in fields:
        part = dict.fromkeys(schema["properties"]["parts"]["items"]["properties"], JSON)
        fields["parts"] |= st.lists(JSON | st.fixed_dictionaries({}, optional=part), max_size=3)
    came = data.draw(st.fixed_dictionaries({"undocumented": JSON}, optional=fields))
    record = json.loads(json.dumps(came))
    transformer = SchemaTransformer(schema)
    transformer.transform(record, schema)
    assert record.keys() == came.keys()
    assert record["undocumented"] == came["undocumented"]
    assert all(record[field] is None for field in came if came[field] is None)
    again = json.loads(json.dumps(record))
    transformer.transform(again, schema)
    assert again == record


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


def test_a_schema_type_without_a_conversion_is_found_when_a_stream_is_made() -> None:
    with pytest.raises(TypeError, match="boolean"):
        SchemaTransformer({"properties": {"field": {"type": ["null", "boolean"]}}})


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
    decoded = decode(response(body.encode() if isinstance(body, str) else body))
    assert decoded == text
    orjson.dumps(decoded)


@given(JSON)
def test_every_document_is_decoded_to_what_can_be_emitted(document: Any) -> None:
    decoded = decode(response(json.dumps(document).encode()))
    json.dumps(decoded, ensure_ascii=False).encode()
    if "\\u0000" not in json.dumps(document) and "\\ud" not in json.dumps(document):
        assert decoded == document


@given(st.binary())
def test_bytes_are_decoded_or_refused_as_no_json(body: bytes) -> None:
    try:
        decode(response(body, "text/plain; charset=klingon"))
    except ValueError:
        return
