"""Runs each command of the connector as Airbyte does, against the sandbox."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox import Sandbox

ROOT = Path(__file__).parent.parent
CATALOG = ROOT / "examples" / "configured_catalog.json"
MAX_LENGTH = 200

Message = dict[str, Any]


class Connector:
    """The command line of the connector, with the settings of a sandbox."""

    def __init__(self, sandbox: Sandbox, folder: str) -> None:
        self._environment = {**os.environ, "TYNTEC_API_URL": sandbox.url}
        first, *more = sandbox.statuses
        settings = {"message_request_id": first, "additional_message_request_ids": more}
        self._config = Path(folder, "config.json")
        self._config.write_text(json.dumps({"api_key": sandbox.key, **settings}))

    def run(self, command: str, *arguments: str) -> Iterator[Message]:
        """Run a command and yield its Airbyte messages. Exit if the command fails."""
        words = [sys.executable, str(ROOT / "main.py"), command, *arguments]
        if command != "spec":
            words += ["--config", str(self._config)]
        options: Any = {"stdout": subprocess.PIPE, "text": True, "env": self._environment}
        with subprocess.Popen(words, **options) as process:
            for line in process.stdout or ():
                message = json.loads(line)
                if message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
                    print(f"    error: {message['trace']['error']['message']}")
                yield message
        if process.returncode:
            sys.exit(f"The demo failed: {command} ended with exit code {process.returncode}.")


def show_spec(connector: Connector) -> None:
    """Print the settings."""
    print("spec: the settings")
    (spec,) = (message["spec"] for message in connector.run("spec") if message["type"] == "SPEC")
    schema = spec["connectionSpecification"]
    for name, setting in schema["properties"].items():
        print(f"    {setting['title']}{' (required)' * (name in schema['required'])}")


def show_check(connector: Connector) -> None:
    """Print the result of the connection test."""
    print("check: the API key and the request id")
    for message in connector.run("check"):
        if message["type"] == "CONNECTION_STATUS":
            status = message["connectionStatus"]
            print(f"    {status['status']} {status.get('message') or ''}".rstrip())


def show_discover(connector: Connector) -> None:
    """Print the streams."""
    print("discover: the streams")
    for message in connector.run("discover"):
        for stream in message.get("catalog", {"streams": []})["streams"]:
            key = ", ".join(path[0] for path in stream.get("source_defined_primary_key") or [])
            fields = len(stream["json_schema"]["properties"])
            print(f"    {stream['name']:20} {fields:2} fields, primary key: {key or 'none'}")


def show_read(connector: Connector) -> None:
    """Print the number of records of each stream, and the first one."""
    print("read: the records")
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for message in connector.run("read", "--catalog", str(CATALOG)):
        if message["type"] == "RECORD":
            stream, data = message["record"]["stream"], message["record"]["data"]
            counts[stream] += 1
            first.setdefault(stream, json.dumps(data, ensure_ascii=False))
    for stream, count in counts.items():
        print(f"    {stream:20} {count:5,} records, such as {first[stream][:MAX_LENGTH]}…")
    if missing := {
        each["stream"]["name"] for each in json.loads(CATALOG.read_text())["streams"]
    } - set(counts):
        sys.exit(f"The demo failed: no records of {', '.join(missing)}.")


def main() -> None:
    """Show the four commands."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        print(f"The sandbox, a stand-in for tyntec's API, listens on {sandbox.url}.")
        connector = Connector(sandbox, folder)
        for show in (show_spec, show_check, show_discover, show_read):
            show(connector)
    print("No SMS was sent, and no request left this machine.")


if __name__ == "__main__":
    main()
