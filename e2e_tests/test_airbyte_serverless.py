"""airbyte-serverless parses the connector's messages on its own, and prints the rows."""

import json
import re
from collections import Counter
from pathlib import Path

import yaml

from e2e_tests.clients import AIRBYTE_SERVERLESS
from sandbox import Sandbox
from sandbox.data import STATUSES, STREAMS, TODAYS_ID


def sync(sandbox: Sandbox, folder: Path, api_key: str = "sandbox-key") -> str:
    """Create a connection, fill in its form and run it. Returns the output."""
    executable = AIRBYTE_SERVERLESS.bin / "source-tyntec-sms"
    create = ("create", "tyntec", "--source", executable, "--destination", "print")
    created = AIRBYTE_SERVERLESS.run("abs", *create, cwd=folder)
    assert "SUCCESS" in created.stdout, created.stdout

    connection = folder / "connections" / "tyntec.yaml"
    settings = yaml.safe_load(connection.read_text())
    settings["source"]["config"] |= {
        "api_key": api_key,
        "message_request_id": TODAYS_ID,
        "additional_message_request_ids": [*STATUSES],
    }
    connection.write_text(yaml.safe_dump(settings))
    run = AIRBYTE_SERVERLESS.run("abs", "run", "tyntec", cwd=folder, TYNTEC_API_URL=sandbox.url)
    return run.stdout


def rows(output: str) -> dict[str, int]:
    """Count the rows of each stream."""
    counts = Counter[str]()
    for stream, lines in re.findall(r"^_AIRBYTE_RAW_(\w+)\n((?:\{.*\n)+)", output, re.MULTILINE):
        counts[stream.lower()] += lines.count("\n")
    return counts


def error(output: str) -> str:
    """The message of the error that ended the sync."""
    [found] = re.findall(r"^ERROR: (.*)$", output, re.MULTILINE)
    return str(json.loads(found)["message"])


def test_all_rows_arrive(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        output = sync(sandbox, tmp_path)

    lists = {stream: len(sandbox.rows[stream]) for stream in STREAMS[1:]}
    assert rows(output) == {"message_status": len(STATUSES), **lists}
    assert output.endswith("SUCCESS: OK\n")
    assert "NOT JSON" not in output


def test_without_byon_the_statuses_arrive(tmp_path: Path) -> None:
    with Sandbox(byon=False) as sandbox:
        output = sync(sandbox, tmp_path)

    # airbyte-serverless stops at the first error, so message_status has to be the first stream.
    assert rows(output) == {"message_status": len(STATUSES)}
    assert "BYON" in error(output)


def test_a_rejected_key_is_explained(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        output = sync(sandbox, tmp_path, api_key="not-the-key")

    assert "tyntec rejected the API key" in error(output)
    assert "not-the-key" not in output
