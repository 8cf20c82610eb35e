"""Describes tyntec's API as one account sees it: make live.

With the settings in secrets/config.json, it runs `check` and sends about 15 requests to the four
documented paths. It prints counts, and names, types and formats of fields: no value, id or key.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from sandbox.data import LISTS, STATUS_PATH
from source_tyntec_sms.config import Config, api_url

CONFIG = Path("secrets/config.json")
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
NAME = re.compile(r"[A-Za-z_]{1,40}\d?")  # another name could be data, such as a phone number
FORMAT = re.compile(r"[+-]?\d+(\.\d+)?|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-][\d:]+)")
LIMIT = re.compile(r"(x-)?ratelimit-[a-z-]+|retry-after", re.IGNORECASE)


class Api:
    """Sends requests, and keeps the headers on rate limits."""

    def __init__(self, key: str) -> None:
        self._session = requests.Session()
        self._session.headers.update({"apikey": key, "Accept": "application/json"})
        self._session.auth = lambda request: request  # a .netrc file is not used
        self.limits: dict[str, str] = {}

    def get(self, path: str, **params: int) -> tuple[int, Any]:
        """The HTTP status and the JSON document of a response; 0 if there is no response."""
        url = api_url() + path
        try:
            response = self._session.get(url, params=params, timeout=60, allow_redirects=False)
        except requests.RequestException:
            return 0, None
        for name in filter(LIMIT.fullmatch, response.headers):
            self.limits[name] = response.headers[name]
        try:
            return response.status_code, response.json()
        except ValueError:
            return response.status_code, None


def rows_of(document: Any, field: str) -> list[Any]:
    """The rows of a list, whose object may be in an array."""
    objects = document if isinstance(document, list) else [document]
    return [row for each in objects if isinstance(each, dict) for row in each.get(field) or []]


def fields_of(value: Any, path: str = "") -> Iterator[str]:
    """Each field inside a value with its type, and its format in which 9 stands for a digit."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields_of(inner, f"{path}.{name if NAME.fullmatch(name) else '(hidden)'}")
    elif isinstance(value, list):
        for inner in value or [None]:
            yield from fields_of(inner, f"{path}[]")
    else:
        kind = TYPES.get(type(value), "null")
        if isinstance(value, str) and FORMAT.fullmatch(value):
            kind += " like " + re.sub("9{5,}", "9…", re.sub(r"\d", "9", value))
        yield f"{path.removeprefix('.') or 'body'}: {kind}"


def show_fields(documents: Iterable[Any]) -> None:
    """Print the fields, and how many there are of each type."""
    fields = Counter(field for document in documents for field in fields_of(document))
    for field, count in sorted(fields.items()):
        print(f"    {field} ({count})")


def describe_pages(api: Api, path: str, field: str) -> str:
    """How the API treats the parameter `page`."""
    rows = rows_of(api.get(path, size=3000)[1], field)
    sizes = range(1, len(rows) // 2 + 1)
    size = next((size for size in sizes if rows[:size] != rows[size : 2 * size]), None)
    if not size:
        return "unknown, because there are too few different rows"
    for page, words in (1, "counts from 0"), (2, "counts from 1"):
        code, document = api.get(path, page=page, size=size)
        if rows_of(document, field) == rows[size : 2 * size]:
            return words
    return f"ignored, or in another order (HTTP {code})"


def main() -> None:
    """Print the description."""
    if not CONFIG.exists():
        sys.exit("Write your settings to secrets/config.json; examples/config.json is an example.")
    config = Config.parse(json.loads(CONFIG.read_text()))
    api = Api(config.api_key)
    command = [sys.executable, "main.py", "check", "--config", str(CONFIG)]
    check = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    print("check:", "SUCCEEDED" if '"SUCCEEDED"' in check else "FAILED")
    for title, ids in ("", config.request_ids[:5]), (" of an unknown id", [str(uuid4())]):
        statuses = [api.get(STATUS_PATH + request_id) for request_id in ids]
        print(f"message_status{title}: HTTP", ", ".join(str(code) for code, _ in statuses))
        show_fields(document for _, document in statuses)
    for name, listing in LISTS.items():
        code, document = api.get(listing.path)
        rows = rows_of(document, listing.rows_field)
        note = document.get("message", "") if isinstance(document, dict) else "not in an object"
        print(f"{name}: HTTP {code}, {len(rows)} rows {note}".replace(config.api_key, "****"))
        show_fields(rows or [document])
        if listing.paged and rows:
            print(f"    page: {describe_pages(api, listing.path, listing.rows_field)}")
    print("headers on rate limits:", api.limits or "none")


if __name__ == "__main__":
    main()
