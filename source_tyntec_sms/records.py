"""From the body of a response to records: decoding, and the types of a stream's JSON schema."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import requests
from airbyte_cdk import TransformConfig, TypeTransformer

Row = dict[str, Any]
# One JSON escape: a surrogate pair, else what cannot be stored (NUL, or half of a pair), else any.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lost>u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))|.)"
)
_DATE_TIME = re.compile(
    r"(?a)(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-]\d\d):?(\d\d))?"
)


def decode(response: requests.Response) -> Any:
    """The JSON document in the body of a response, or None if the body is not JSON, or is null.

    Python's decoder, because orjson refuses a lone surrogate: tyntec cuts `statusText` after 20
    characters, which can halve an emoji. Destinations store neither that nor NUL, so both become
    U+FFFD.
    """
    with suppress(ValueError):
        text = response.content.decode("utf-8-sig")
        if "\\u" in text:
            text = _ESCAPE.sub(lambda escape: "\\ufffd" if escape["lost"] else escape[0], text)
        return json.loads(text)
    return None


class SchemaTransformer(TypeTransformer):
    """Converts the values of a record to the types that a JSON schema declares, in place.

    A value that cannot be converted stays as it is. Replaces the CDK's own conversion, which walks
    the schema with a validator for each record: measured, that takes longer than the rest of the
    pipeline. Here the schema is walked once.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(TransformConfig.NoTransform)
        self._convert = _converter(schema)

    def transform(self, record: dict[str, Any], schema: Mapping[str, Any]) -> None:
        """Convert `record`. The `schema` is known already."""
        self._convert(record)


def _converter(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The function that converts a value to the type that `schema` declares."""
    declared = schema.get("format", schema["type"][-1])  # the other type is null
    if declared == "array":
        convert_item = _converter(schema["items"])
        return lambda value: [*map(convert_item, value)] if isinstance(value, list) else value
    if declared != "object":
        return CONVERSIONS[declared]
    fields = {name: _converter(field) for name, field in schema["properties"].items()}

    def convert_fields(value: Any) -> Any:
        if isinstance(value, dict):
            for name, convert in fields.items():
                if name in value:
                    value[name] = convert(value[name])
        return value

    return convert_fields


def to_string(value: Any) -> Any:
    """A number or boolean as JSON writes it; else `value`."""
    return json.dumps(value) if type(value) in (int, float, bool) else value


def to_integer(value: Any) -> Any:
    """A string of digits as an integer; else `value`."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def to_utc(value: Any) -> Any:
    """An ISO 8601 date-time as an RFC 3339 date-time in UTC; else `value`.

    UTC, because destinations that store a timestamp without a time zone drop the offset. A value
    without an offset is taken as UTC, as the CDK does. The fraction of a second keeps its digits.
    """
    if isinstance(value, str) and (match := _DATE_TIME.fullmatch(value)):
        date, time, fraction, hours, minutes = match.groups()
        with suppress(OverflowError, ValueError):  # a day that does not exist
            local = datetime.fromisoformat(f"{date} {time}{hours or '+00'}:{minutes or '00'}")
            return f"{local.astimezone(timezone.utc).isoformat()[:19]}{fraction or ''}Z"
    return value


CONVERSIONS = {"date-time": to_utc, "integer": to_integer, "string": to_string}
