"""From the bytes of an answer to records: decoding, and making the types of a stream's JSON schema hold."""

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import requests
from airbyte_cdk import TransformConfig, TypeTransformer

Row = dict[str, Any]
# One JSON escape: a surrogate pair, else what cannot be stored (NUL, or half of a pair), else any other.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lost>u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))|.)"
)
_DIGITS = re.compile("[+-]?[0-9]{1,19}")
_ISO_8601 = re.compile(
    r"(?ai)(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)[.,](\d+))? ?"
    r"(?:Z|([+-](?:[01]\d|2[0-3]))(?::?([0-5]\d))?)?)?"
)


def decode(response: requests.Response) -> Any:
    """The JSON document in the body of `response`, decoded once however often it is asked for.

    Python's decoder, because orjson refuses a lone surrogate: tyntec cuts `statusText` after 20 characters, which can
    halve an emoji. Destinations can store neither that nor NUL, so both become U+FFFD. A number that is too large for
    a float becomes the string that was sent, because JSON has no infinity. A body that is not JSON is a ValueError.
    """
    if hasattr(response, "document"):
        return response.document
    # JSON is in UTF-8 (RFC 8259), whatever charset the header names. Only if it is not, ISO 8859-1 may be right.
    try:
        text = response.content.decode(json.detect_encoding(response.content))
    except UnicodeDecodeError:
        charset = "latin-1" if re.fullmatch("(?i)iso.?8859-1|latin-?1", response.encoding or "") else "utf-8-sig"
        text = response.content.decode(charset, errors="replace")
    if "\\u" in text:
        text = _ESCAPE.sub(lambda escape: "\\ufffd" if escape["lost"] else escape[0], text)
    try:
        # int refuses NaN and Infinity, which are not JSON.
        document = json.loads(text, parse_constant=int, parse_float=_number, parse_int=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    vars(response)["document"] = document  # the error handler and the stream both need it
    return document


def _number(digits: str) -> int | float | str:
    if not math.isfinite(value := float(digits)):
        return digits
    return int(digits) if digits.removeprefix("-").isdecimal() else value


class SchemaTransformer(TypeTransformer):
    """Makes the types that a JSON schema declares hold in a record, in place. What cannot be converted stays as it is.

    Replaces the CDK's own conversion, which walks the schema with a validator for each record and converts to Python's
    representation of a value: measured, it takes longer than all the rest of the pipeline. Here the schema is walked
    once, and a field that already has its type costs one comparison.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(TransformConfig.NoTransform)
        self._convert = _converter(schema)[1]

    def transform(self, record: dict[str, Any], schema: Mapping[str, Any]) -> None:
        """Convert `record` in place. `schema` is part of the CDK's interface: it was read at construction."""
        self._convert(record)


def _converter(schema: Mapping[str, Any]) -> tuple[type | None, Callable[[Any], Any]]:
    """The Python type that needs no conversion, if there is one, and the conversion of all others."""
    declared = schema.get("format", schema["type"][-1])  # the other type is null
    if declared == "array":
        convert_item = _converter(schema["items"])[1]
        return None, lambda value: [convert_item(item) for item in value] if isinstance(value, list) else value
    if declared != "object":
        conversions = {"date-time": (None, to_date_time), "integer": (int, to_integer), "string": (str, to_string)}
        return conversions.get(declared, (None, lambda value: value))
    fields = [(name, *_converter(subschema)) for name, subschema in schema["properties"].items()]

    def convert(value: Any) -> Any:
        if value.__class__ is dict:
            for name, settled, convert_field in fields:
                field = value.get(name)
                if field is not None and field.__class__ is not settled:
                    value[name] = convert_field(field)
        return value

    return None, convert


def to_string(value: Any) -> Any:
    """A number or boolean as the string that JSON has for it, numbers without an exponent; else `value`."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value) if isinstance(value, int) else value


def to_integer(value: Any) -> Any:
    """A string of digits, or a whole float, as an integer of 64 bits, the most that destinations hold; else `value`."""
    whole = _DIGITS.fullmatch(value) if isinstance(value, str) else isinstance(value, float) and value.is_integer()
    return int(value) if whole and abs(float(value)) < 2**63 else value


def to_date_time(value: Any) -> Any:
    """An ISO 8601 string, or milliseconds since the epoch, as an RFC 3339 string in UTC; else `value`.

    UTC, because destinations that store a timestamp without a time zone drop the offset. A date-time without an offset
    is taken as UTC; the CDK does the same. The fraction of a second keeps its digits.
    """
    with suppress(OverflowError, ValueError):  # a day that does not exist, or a year that Python cannot count
        if isinstance(value, str) and (match := _ISO_8601.fullmatch(value)):
            date, time, fraction, hours, minutes = match.groups()
            local = datetime.fromisoformat(f"{date} {time or '00:00'}{hours or '+00'}:{minutes or '00'}")
            moment = local.astimezone(timezone.utc).isoformat().removesuffix("+00:00")
            return f"{moment}.{fraction}Z" if fraction else f"{moment}Z"
        if value.__class__ in (int, float) or (isinstance(value, str) and re.fullmatch("[0-9]{13}", value)):
            moment = (datetime(1970, 1, 1) + timedelta(milliseconds=float(value))).isoformat()
            return f"{moment.removesuffix('000')}Z"  # without microseconds, if there are none
    return value
