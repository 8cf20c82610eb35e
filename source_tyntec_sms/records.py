"""From the bytes of an answer to records: decoding, and making the types of a stream's JSON schema hold."""

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import requests
from airbyte_cdk.sources.utils.transform import TransformConfig, TypeTransformer

Row = dict[str, Any]
Convert = Callable[[Any], Any]

# One JSON escape: a surrogate pair, else four hexadecimal digits, else any other.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([0-9a-fA-F]{4})|.)")
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_DIGITS = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_EPOCH_MILLISECONDS = re.compile(r"\d{13}", re.ASCII)
_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)[.,](\d+))? ?"
    r"(?:Z|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1)  # naive, because all date-times here are UTC


def decode(response: requests.Response) -> Any:
    """The JSON document in the body of `response`, decoded once however often it is asked for.

    Python's decoder, because orjson refuses a lone surrogate: tyntec cuts `statusText` after 20 characters, which can
    halve an emoji. Destinations can store neither that nor NUL, so both become U+FFFD. A number that is too large for
    a float becomes the string that was sent, because JSON has no infinity.

    Raises:
        ValueError: if the body is not JSON.
    """
    if not hasattr(response, "document"):
        text = _text(response)
        if _SUSPICIOUS_ESCAPE.search(text):
            text = _ESCAPE.sub(_storable, text)
        try:
            document = json.loads(text, parse_constant=_not_json, parse_float=_finite, parse_int=_whole)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        response.document = document  # type: ignore[attr-defined]
    return response.document  # type: ignore[attr-defined]


def _text(response: requests.Response) -> str:
    # JSON is UTF-8 (RFC 8259), whatever charset the header names. Only a body that is not is read as the header says.
    with suppress(UnicodeDecodeError):
        return response.content.decode("utf-8-sig")
    with suppress(LookupError):
        return response.content.decode(response.encoding or "utf-8", errors="replace")
    return response.content.decode(errors="replace")


def _storable(escape: re.Match[str]) -> str:
    code = (escape.group(1) or "").lower()
    return "\\ufffd" if code == "0000" or "d800" <= code <= "dfff" else escape.group()


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float | str:
    return value if math.isfinite(value := float(number)) else number


def _whole(number: str) -> int | str:
    return int(number) if len(number) < 309 else number  # a float has at most 309 digits before its point


class SchemaTransformer(TypeTransformer):
    """Makes the types that a JSON schema declares hold in a record, in place.

    Replaces the CDK's own conversion, which walks the schema with a validator for each record and converts to Python's
    representation of a value: measured, it takes longer than all the rest of the pipeline. Here the schema is walked
    once, and a field that already has its type costs one comparison.

    Fields that the schema does not know, nulls and values that cannot be converted are passed through unchanged.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        super().__init__(TransformConfig.NoTransform)
        self._convert = _converter(schema)[1]

    def transform(self, record: dict[str, Any], schema: Mapping[str, Any]) -> None:
        """Convert `record` in place. `schema` is part of the CDK's interface: it was read at construction."""
        self._convert(record)


def _converter(schema: Mapping[str, Any]) -> tuple[type | None, Convert]:
    """The Python type that needs no conversion, if there is one, and the conversion of all others."""
    (declared,) = (name for name in schema["type"] if name != "null")
    if schema.get("format") == "date-time":
        return None, to_date_time
    if declared == "array":
        convert_item = _converter(schema["items"])[1]
        return None, lambda value: [convert_item(item) for item in value] if isinstance(value, list) else value
    if declared != "object":
        return {"string": (str, to_string), "integer": (int, to_integer)}.get(declared, (None, lambda value: value))
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
    is taken as UTC, as the CDK does. The fraction of a second keeps its digits.
    """
    if isinstance(value, str):
        if not _EPOCH_MILLISECONDS.fullmatch(value):
            return _from_iso_8601(value)
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    try:
        moment = _EPOCH + timedelta(milliseconds=value)
    except (OverflowError, ValueError):
        return value
    milliseconds = moment.microsecond and not moment.microsecond % 1000
    return f"{moment.isoformat(timespec='milliseconds' if milliseconds else 'auto')}Z"


def _from_iso_8601(text: str) -> str:
    if not (match := _ISO_8601.fullmatch(text)):
        return text
    date, time, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date} {time or '00:00'}")
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            moment += offset if sign == "-" else -offset
    except (OverflowError, ValueError):  # a day that does not exist, or a year that Python cannot count
        return text
    return f"{moment.isoformat()}{f'.{fraction}' if fraction else ''}Z"
