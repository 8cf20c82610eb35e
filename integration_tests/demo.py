"""Shows the connector at work: every command of it, run as the platform runs it, against the sandbox."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration_tests.catalog import configured
from integration_tests.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "integration_tests" / "sample_config.json"
LONGEST_RECORD = 400

Message = dict[str, Any]


class DemoError(Exception):
    """A step of the demo did not do what it is there to show."""


def connector(*arguments: str, sandbox: Sandbox) -> Iterator[Message]:
    """Run main.py with `arguments` and yield the Airbyte messages that it prints.

    Raises:
        DemoError: if the process ends with another exit code than 0.
    """
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    environment = {**os.environ, "TYNTEC_API_URL": sandbox.url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stdout or ():
            message = json.loads(line)
            if message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
                print(f"    error: {message['trace']['error']['message']}")
            yield message
    if process.returncode:
        raise DemoError(f"{arguments[0]} ended with exit code {process.returncode}")


def show_spec(sandbox: Sandbox) -> None:
    """The settings that Airbyte asks a user for."""
    print("spec: the settings")
    (spec,) = (message["spec"] for message in connector("spec", sandbox=sandbox) if message["type"] == "SPEC")
    schema = spec["connectionSpecification"]
    for name, setting in schema["properties"].items():
        print(f"    {setting['title']}{' (required)' if name in schema['required'] else ''}")


def show_check(sandbox: Sandbox) -> None:
    """The connection test."""
    print("check: do the key and the request id work?")
    (status,) = (
        message["connectionStatus"]
        for message in connector("check", "--config", str(CONFIG), sandbox=sandbox)
        if message["type"] == "CONNECTION_STATUS"
    )
    print(f"    {status['status']} after {len(sandbox.asked)} request. {status.get('message') or ''}".rstrip())
    if status["status"] != "SUCCEEDED":
        raise DemoError("the check did not succeed")


def show_discover(sandbox: Sandbox) -> Message:
    """The streams, selected as a user would select them: all of them."""
    print("discover: the streams")
    (catalog,) = (
        message["catalog"]
        for message in connector("discover", "--config", str(CONFIG), sandbox=sandbox)
        if message["type"] == "CATALOG"
    )
    width = max(len(stream["name"]) for stream in catalog["streams"])
    for stream in catalog["streams"]:
        key = ", ".join(".".join(path) for path in stream.get("source_defined_primary_key") or []) or "none"
        print(f"    {stream['name']:<{width}}  {len(stream['json_schema']['properties'])} fields, primary key: {key}")
    return configured(catalog["streams"])


def show_read(sandbox: Sandbox, catalog: Message) -> None:
    """The records of every stream."""
    print("read: the records")
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    ended: dict[str, str] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(catalog, file)
        file.flush()
        for message in connector("read", "--config", str(CONFIG), "--catalog", file.name, sandbox=sandbox):
            if message["type"] == "RECORD":
                record = message["record"]
                counts[record["stream"]] += 1
                first.setdefault(record["stream"], json.dumps(record["data"], ensure_ascii=False))
            elif message["type"] == "TRACE" and message["trace"]["type"] == "STREAM_STATUS":
                status = message["trace"]["stream_status"]
                ended[status["stream_descriptor"]["name"]] = status["status"]
    width = max(map(len, ended), default=0)
    for name, status in ended.items():
        print(f"    {name:<{width}}  {counts[name]} records, {status}")
        record = first.get(name, "")
        print(f"        {record[:LONGEST_RECORD]}{'…' if len(record) > LONGEST_RECORD else ''}")
    selected = {configured["stream"]["name"] for configured in catalog["streams"]}
    if ended != dict.fromkeys(selected, "COMPLETE") or not all(counts[name] for name in selected):
        raise DemoError("not every stream was read")


def main() -> int:
    """The exit code: 0 if all went well."""
    with Sandbox() as sandbox:
        print(f"The sandbox, a stand-in for tyntec's API, listens on {sandbox.url}.")
        try:
            show_spec(sandbox)
            show_check(sandbox)
            show_read(sandbox, show_discover(sandbox))
        except DemoError as error:
            print(f"The demo failed: {error}.")
            return 1
    print("All went well. No SMS was sent, and nothing left this machine.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
