"""PyAirbyte as a user of the connector: it runs the installed console script and loads a DuckDB file.

Not collected by `make test`: PyAirbyte needs Python below 3.13 and an environment of its own, see `make e2e`.
"""

import importlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_data import BUFFERED_ID, HALF_EMOJI_ID, TODAYS_ID

ROOT = Path(__file__).parent.parent
CONNECTOR = Path(sys.executable).with_name("source-tyntec-sms")
CONFIG = json.loads((ROOT / "integration_tests" / "sample_config.json").read_text())
ROWS = {"message_status": 6, "contacts": 3, "phone_numbers": 3210, "phone_registrations": 2}
# Either keeps PyAirbyte from sending telemetry, the first from asking Airbyte's registry of connectors as well.
OFFLINE = {"AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}

# The connector runs in a process of its own: what is warned about in this one is PyAirbyte's. But as such a warning
# it comes to light, too, if the connector ends in another way than PyAirbyte expects when it stops the process.
pytestmark = pytest.mark.filterwarnings("ignore", "error::pytest.PytestUnraisableExceptionWarning")

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def pyairbyte(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """PyAirbyte, imported only here: it reads these environment variables once, while it is imported."""
    folder = str(tmp_path_factory.mktemp("pyairbyte"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**OFFLINE, "AIRBYTE_PROJECT_DIR": folder, "AIRBYTE_LOGGING_ROOT": folder}.items():
            patch.setenv(name, value)
        yield importlib.import_module("airbyte")


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which PyAirbyte looked up another host, even where it would have hidden that it found none."""
    wanted: list[str] = []
    lookup = socket.getaddrinfo

    def local_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in {"127.0.0.1", "localhost"}:
            wanted.append(str(host))
            raise socket.gaierror(socket.EAI_NONAME, "no host but this one")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local_lookup)
    yield
    assert not wanted


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        monkeypatch.setenv("TYNTEC_API_URL", sandbox.url)
        yield sandbox


@pytest.fixture
def read(pyairbyte: Any, sandbox: Sandbox, tmp_path: Path) -> Callable[[], Query]:  # noqa: ARG001
    """Reads all streams into the same DuckDB file each time, and then asks that file, without PyAirbyte."""
    file = tmp_path / "tyntec.duckdb"

    def read() -> Query:
        source = pyairbyte.get_source("source-tyntec-sms", config=CONFIG, local_executable=CONNECTOR)
        source.check()
        source.select_all_streams()
        with importlib.import_module("airbyte.caches").DuckDBCache(db_path=file, cache_dir=tmp_path) as cache:
            source.read(cache)
        return query

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(file, read_only=True) as database:
            return list(database.sql(sql).fetchall())

    return read


def rows(query: Query) -> dict[str, int]:
    """How many rows each stream's table holds."""
    return {stream: query(f"SELECT count(*) FROM {stream}")[0][0] for stream in ROWS}


def test_every_row_of_the_sandbox_arrives(read: Callable[[], Query], sandbox: Sandbox) -> None:
    query = read()

    assert rows(query) == ROWS
    assert len(sandbox.rows["phone_numbers"]) == ROWS["phone_numbers"] > 3000
    assert set(query("SELECT requestid FROM message_status")) == {(request_id,) for request_id in sandbox.statuses}
    assert query("SELECT count(DISTINCT requestid) FROM phone_numbers") == [
        (len({row["requestId"] for row in sandbox.rows["phone_numbers"]}),)
    ]


def test_date_times_arrive_as_timestamps(read: Callable[[], Query]) -> None:
    query = read()

    types: dict[str, str] = dict(query("SELECT column_name, column_type FROM (DESCRIBE message_status)"))
    assert {types[name] for name in ("submitdate", "donedate", "priceeffective")} == {"TIMESTAMP"}
    assert query(f"SELECT submitdate FROM message_status WHERE requestid = '{TODAYS_ID}'") == [
        (datetime(2020, 5, 11, 11, 46, 41),)
    ]


def test_half_an_emoji_arrives_as_a_replacement_character(read: Callable[[], Query]) -> None:
    query = read()

    assert query(f"SELECT parts ->> '$[0].statusText' FROM message_status WHERE requestid = '{HALF_EMOJI_ID}'") == [
        ("Happy new year to u\ufffd",)
    ]


def test_a_second_read_updates_the_rows_and_doubles_none(read: Callable[[], Query], sandbox: Sandbox) -> None:
    state = f"SELECT status FROM message_status WHERE requestid = '{BUFFERED_ID}'"
    assert read()(state) == [("BUFFERED",)]
    sandbox.statuses[BUFFERED_ID] = {**sandbox.statuses[BUFFERED_ID], "status": "DELIVERED"}
    gone = sandbox.rows["contacts"].pop()

    query = read()

    assert query(state) == [("DELIVERED",)]
    assert rows(query) == ROWS
    # Streams with a key are merged: what was read earlier stays.
    assert query(f"SELECT friendlyname FROM contacts WHERE contactid = '{gone['contactId']}'") == [
        (gone["friendlyName"],)
    ]


def test_a_rejected_key_fails_the_check_in_plain_words(pyairbyte: Any, sandbox: Sandbox) -> None:  # noqa: ARG001
    config = {**CONFIG, "api_key": "not-the-key"}
    source = pyairbyte.get_source("source-tyntec-sms", config=config, local_executable=CONNECTOR)

    with pytest.raises(pyairbyte.exceptions.AirbyteConnectorCheckFailedError) as failure:
        source.check()

    assert "tyntec rejected the API key" in str(failure.value)
    assert "not-the-key" not in str(failure.value)


def test_the_example_in_the_docs_prints_what_the_docs_show(sandbox: Sandbox, tmp_path: Path) -> None:
    page = (ROOT / "docs/pyairbyte.md").read_text()
    found = re.search(r"```python\n(import airbyte.*?)```.*?```text\n(.*?)```", page, re.DOTALL)
    assert found, "the page has no example of PyAirbyte with its result"
    example, shown = found.groups()

    process = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={
            **os.environ,
            **OFFLINE,
            "AIRBYTE_LOGGING_ROOT": str(tmp_path),
            "PATH": f"{CONNECTOR.parent}{os.pathsep}{os.environ['PATH']}",
            "TYNTEC_API_KEY": sandbox.key,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    table = process.stdout[process.stdout.index("┌") :]
    assert words(table) == words(shown)


def words(table: str) -> list[str]:
    """What a table says, however this version of DuckDB draws it."""
    return re.findall(r"[\w.:-]+", table)
