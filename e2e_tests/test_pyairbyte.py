"""Both versions of PyAirbyte load DuckDB and PostgreSQL."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from e2e_tests.clients import IN_CLIENT, PYAIRBYTE, ROOT, Client
from sandbox import Sandbox
from sandbox.data import BUFFERED_ID, HALF_EMOJI_ID, STATUSES, STREAMS, TODAYS_ID

CONFIG = {
    "api_key": "sandbox-key",
    "message_request_id": TODAYS_ID,
    "additional_message_request_ids": [*STATUSES],
}
COUNTS = [f"SELECT count(*) FROM {{schema}}.{stream}" for stream in STREAMS]
TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'message_status'"
STATUS_OF = "FROM {{schema}}.message_status WHERE requestid = '{}'"

Read = Callable[..., dict[str, Any]]

pytestmark = [
    pytest.mark.parametrize("client", PYAIRBYTE, ids=lambda client: client.name),
    pytest.mark.timeout(300),
]


@pytest.fixture(params=["duckdb", "postgresql"])
def read(client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> Read:
    """Read streams of a sandbox into one database. Returns an error and query results."""
    database, schema = f"duckdb:///{tmp_path}/tyntec.duckdb", "main"
    if request.param == "postgresql":
        database, schema = request.getfixturevalue("postgres"), tmp_path.name

    def read(sandbox: Sandbox, *queries: str, streams: Sequence[str] = "*") -> dict[str, Any]:
        order = {"config": CONFIG, "streams": streams, "queries": queries}
        order |= {"database": database, "schema": schema}
        script = IN_CLIENT / "read_with_pyairbyte.py"
        process = client.run(
            "python", script, json.dumps(order), cwd=tmp_path, TYNTEC_API_URL=sandbox.url
        )
        assert process.returncode == 0, process.stderr
        result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
        return result

    return read


def test_every_row_arrives_once_and_is_updated(read: Read) -> None:
    state = "SELECT status " + STATUS_OF.format(BUFFERED_ID)
    with Sandbox() as sandbox:
        first = read(
            sandbox,
            *COUNTS,
            state,
            "SELECT submitdate " + STATUS_OF.format(TODAYS_ID),
            "SELECT parts -> 0 ->> 'statusText' " + STATUS_OF.format(HALF_EMOJI_ID),
            "SELECT DISTINCT data_type FROM information_schema.columns "
            "WHERE table_schema = '{schema}' AND table_name = 'message_status' "
            "AND column_name IN ('submitdate', 'donedate', 'priceeffective')",
        )
        assert first["error"] is None
        *counts, buffered, submitted, text, types = first["rows"]
        rows = [STATUSES, *(sandbox.rows[stream] for stream in STREAMS[1:])]
        assert counts == [[[len(each)]] for each in rows]
        assert buffered == [["BUFFERED"]]
        assert submitted == [["2020-05-11 11:46:41"]]
        assert text == [["Happy new year to u\ufffd"]]
        assert types in ([["TIMESTAMP"]], [["timestamp without time zone"]])

        sandbox.statuses[BUFFERED_ID] = {**STATUSES[BUFFERED_ID], "status": "DELIVERED"}
        sandbox.rows["contacts"].pop()
        second = read(sandbox, *COUNTS, state)

    # Streams with a primary key are merged: rows of earlier reads stay.
    assert second == {"error": None, "rows": [*counts, [["DELIVERED"]]]}


@pytest.mark.parametrize("read", ["duckdb"], indirect=True)
def test_a_failed_stream_is_explained_in_the_log_file(read: Read) -> None:
    with Sandbox(byon=False) as sandbox:
        failed = read(sandbox, TABLES)
        result = read(sandbox, COUNTS[0], streams=["message_status"])

    [log] = re.findall(r"Log file: (.*)", failed["error"])
    assert "BYON" in Path(log).read_text()
    # PyAirbyte loads nothing when a stream fails, so accounts without BYON select one stream.
    assert failed["rows"] == [[[0]]]
    assert result == {"error": None, "rows": [[[len(STATUSES)]]]}


@pytest.mark.parametrize(
    ("api_key", "is_valid", "message"),
    [
        ("sandbox-key", True, "Connection check succeeded"),
        ("not-the-key", False, "tyntec rejected the API key"),
    ],
)
def test_validate(
    client: Client, api_key: str, is_valid: bool, message: str, tmp_path: Path
) -> None:
    with Sandbox() as sandbox:
        process = client.run(
            *("pyab", "validate", "--connector", client.bin / "source-tyntec-sms"),
            *("--config", json.dumps({**CONFIG, "api_key": api_key})),
            cwd=tmp_path,
            TYNTEC_API_URL=sandbox.url,
        )

    assert (process.returncode == 0) is is_valid
    assert message in process.stderr
    assert "not-the-key" not in process.stdout + process.stderr


def test_the_example_in_the_docs(client: Client, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "pyairbyte.md").read_text()
    [(example, shown)] = re.findall(r"```python\n(.*?)```.*?```text\n(.*?)```", page, re.DOTALL)

    with Sandbox() as sandbox:
        environment = {"TYNTEC_API_URL": sandbox.url, "TYNTEC_API_KEY": sandbox.key}
        process = client.run("python", "-c", example, cwd=tmp_path, **environment)

    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith(shown)
